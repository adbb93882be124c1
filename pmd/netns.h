// SPDX-License-Identifier: Apache-2.0
// Network namespaces by path (/run/netns/NAME, /proc/PID/ns/net): running a function inside one, and
// telling whether a path still names the same one. Control side; the calling thread never leaves its own.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

namespace podswitch {

struct NamespaceId {
  dev_t device = 0;
  ino_t inode = 0;
  friend bool operator==(const NamespaceId&, const NamespaceId&) = default;
};

// nullopt: there is nothing at that path.
std::optional<NamespaceId> namespace_id(const std::string& path) noexcept;

// Runs `work` in a thread of its own inside the namespace and returns which one that was. What `work` throws
// comes out here; a path that is missing or no network namespace is an Error with an empty path.
NamespaceId run_in_namespace(const std::string& path, const std::function<void()>& work);

}  // namespace podswitch
