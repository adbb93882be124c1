// SPDX-License-Identifier: Apache-2.0
#include "pmd/vhost_socket.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

namespace podswitch {
namespace {

using NameCall = int (*)(int, sockaddr*, socklen_t*);

bool is_named(NameCall call, int fd, std::string_view path) noexcept {
  sockaddr_un name{};
  socklen_t length = sizeof name;
  return call(fd, reinterpret_cast<sockaddr*>(&name), &length) == 0 && name.sun_family == AF_UNIX &&
         std::string_view(name.sun_path, strnlen(name.sun_path, sizeof name.sun_path)) == path;
}

bool is_listener(int fd) noexcept {
  int listens = 0;
  socklen_t length = sizeof listens;
  return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens != 0;
}

}  // namespace

void make_connections_nonblocking(const std::string& path) noexcept {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc/self/fd"), closedir);
  if (!folder) return;
  while (const dirent* entry = readdir(folder.get())) {
    char* end = nullptr;
    const int fd = static_cast<int>(std::strtol(entry->d_name, &end, 10));
    if (end == entry->d_name || is_listener(fd)) continue;
    // Accepted: our end has the path; connected: the other end has it.
    if (!is_named(getsockname, fd, path) && !is_named(getpeername, fd, path)) continue;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  }
}

}  // namespace podswitch
