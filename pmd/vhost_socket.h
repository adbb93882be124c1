// SPDX-License-Identifier: Apache-2.0
// A peer's connection must never make librte_vhost wait: its one thread serves all ports, and it answers
// messages with the vrings' locks held, for which workers spin. Its sockets are blocking, and it offers no
// way to a connection's descriptor, so we find it by its path. librte_vhost's thread.
#pragma once

#include <string>

namespace podswitch {

// Makes every connection of this process to or from the socket at `path` non-blocking: a reply that the peer
// does not fetch is lost, a message that comes in halves ends the connection.
void make_connections_nonblocking(const std::string& path) noexcept;

}  // namespace podswitch
