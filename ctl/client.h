// SPDX-License-Identifier: Apache-2.0
// The client's end of the control socket: one request, one answer. Blocking; the command line's only thread.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/file.h"
#include "pmd/error.h"

namespace podswitch {

// Nobody answers on the socket, or no podswitchd does.
class NoDaemon : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Client {
 public:
  // Throws NoDaemon.
  explicit Client(const std::string& path);

  struct Reply {
    uint64_t revision = 0;
    nlohmann::json result;
  };
  // Throws Error with what the daemon refused, NoDaemon when it went away.
  Reply call(const std::string& command, nlohmann::json arguments = nlohmann::json::object());
  // An object of an open transaction, sent with those that follow. A refusal shows at the commit.
  void send_object(nlohmann::json object);
  // As call("commit"). Refusals of objects have paths such as "objects[3].mtu", by the order they were sent
  // in.
  // While the answer is due, `while_waiting` is called about once a second.
  using WhileWaiting = std::function<void()>;
  Reply commit(nlohmann::json arguments = nlohmann::json::object(), const WhileWaiting& while_waiting = {});

 private:
  void queue_line(const nlohmann::json& line);
  void flush();
  bool receive();  // blocks for some bytes; false at the end
  bool next_line(std::string& line);
  void note_refusal(const nlohmann::json& id, const std::vector<Problem>& problems);
  Reply wait_for(uint64_t id, const WhileWaiting& while_waiting = {});

  FileDescriptor fd_;
  std::string path_;
  std::string output_;  // lines that wait to be sent together
  std::string input_;
  size_t scanned_ = 0;  // bytes of input_ without a line end
  uint64_t next_id_ = 1;
  uint64_t first_object_id_ = 0;
  std::vector<Problem> refusals_;  // of objects
};

}  // namespace podswitch
