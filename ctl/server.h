// SPDX-License-Identifier: Apache-2.0
// The control socket's event loop: many clients, one request at a time. No client can make it wait, or make
// it hold more than a fixed amount of memory. run() is the configuration thread; stop() may be called by any
// thread and by a signal handler.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "ctl/control_socket.h"
#include "ctl/file.h"
#include "ctl/protocol.h"
#include "ctl/request_handler.h"

namespace podswitch {

class Session;

struct ServerLimits {
  size_t clients = 64;
  size_t output_bytes = size_t{64} << 20;        // waiting for a client that does not read
  size_t transaction_bytes = size_t{256} << 20;  // of all clients' open transactions together
  size_t transaction_objects = 1 << 20;
};

class ControlServer {
 public:
  ControlServer(ControlSocket& socket, RequestHandler& handler, ServerLimits limits = {});
  ~ControlServer();

  // Until stop().
  void run();
  void stop() noexcept;

 private:
  using SessionId = uint64_t;  // never used twice, unlike a descriptor's number

  void accept_clients();
  void make_room();
  void serve(SessionId id, unsigned events);
  void watch(SessionId id, Session& session);

  ControlSocket& socket_;
  RequestHandler& handler_;
  const ServerLimits limits_;
  TransactionBudget budget_;
  FileDescriptor epoll_;
  FileDescriptor stop_;
  std::map<SessionId, std::unique_ptr<Session>> sessions_;
  SessionId next_id_;
  uint64_t turn_ = 0;  // counts events, to know who has been silent longest
};

}  // namespace podswitch
