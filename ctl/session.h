// SPDX-License-Identifier: Apache-2.0
// One client of the control socket: its descriptor, what has arrived of a line, what it has not read yet.
// Owned by the server, configuration thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "ctl/file.h"
#include "ctl/protocol.h"

namespace podswitch {

class Session {
 public:
  Session(FileDescriptor fd, RequestHandler& handler, Caller caller, TransactionBudget& budget,
          size_t max_output);

  int fd() const { return fd_.get(); }
  // Both return false when the client is to be dropped.
  bool receive();
  bool send_waiting();
  // Reading stops while answers pile up, and for good once the client is to be closed.
  bool wants_input() const { return !is_closing_ && !is_at_end_ && has_room(); }
  bool wants_output() const { return sent_ < output_.size(); }
  // A complete line was left for later, because answers had piled up, and may be handled now.
  bool can_work() const { return has_line_ && has_room(); }
  // Handles lines that have arrived. False: drop.
  bool work();

  uint64_t last_turn = 0;  // when it was last heard

 private:
  static constexpr size_t kMaxPending = size_t{1} << 20;
  bool has_room() const { return output_.size() - sent_ <= kMaxPending; }
  void take(std::string_view line);
  void queue(std::string line) { output_ += line; }

  FileDescriptor fd_;
  Conversation conversation_;
  const size_t max_output_;
  std::string input_;
  size_t scanned_ = 0;  // bytes of input_ without a line end
  std::string output_;
  size_t sent_ = 0;
  bool has_line_ = false;
  bool is_at_end_ = false;   // the client sends no more, but may still read
  bool is_closing_ = false;  // after what is to be sent
};

}  // namespace podswitch
