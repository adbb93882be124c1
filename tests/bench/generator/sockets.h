// SPDX-License-Identifier: Apache-2.0
// The vhost-user sockets that the switch connects to. All are there at once: a switch tries again only every
// second, and virtio-user as a server would open one after the other. One thread.
#pragma once

#include <string>
#include <vector>

namespace podswitch::bench {

// A connection to each path, in their order; the caller owns them. Files that are in the way are removed.
// Throws std::runtime_error if the switch does not come within 30 s.
std::vector<int> accept_all(const std::vector<std::string>& paths);

// From now on, the next connect() of this process to `path` gets `connection` instead, and owns it.
void hand_over(const std::string& path, int connection);

}  // namespace podswitch::bench
