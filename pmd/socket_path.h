// SPDX-License-Identifier: Apache-2.0
// What lies at the path of a UNIX socket, in words for the operator, and taking over what a dead process
// left there. Shared by the port kinds that meet their peer at a path. Any thread but a worker.
#pragma once

#include <sys/un.h>

#include <cstddef>
#include <string>

namespace podswitch {

inline constexpr size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;  // the last byte is a NUL

// Why connecting to `path` cannot work now; empty when a socket is there and may be written to.
std::string why_not_connectable(const std::string& path);

// Why no socket can be made at `path`, as far as its folder goes; empty when one can.
std::string why_no_listener(const std::string& path);

// Makes room for a listener: throws Error (path "path") when the folder is missing or closed to us, when
// something other than a socket is there, or when somebody listens; removes a socket nobody listens on.
void make_room_for_listener(const std::string& path);

// Sets owner group (a name or a number) and permission bits of our own socket. `group` may be empty,
// `mode` negative: left as they are. Throws Error.
void set_socket_access(const std::string& path, const std::string& group, int mode);

}  // namespace podswitch
