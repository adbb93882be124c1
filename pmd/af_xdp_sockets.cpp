// SPDX-License-Identifier: Apache-2.0
#include "pmd/af_xdp_sockets.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace podswitch {

AfXdpSockets::Inodes AfXdpSockets::open_now() {
  Inodes result;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    const int fd = std::atoi(entry.path().filename().c_str());
    int domain = 0;
    socklen_t size = sizeof(domain);
    struct stat status {};
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_XDP &&
        fstat(fd, &status) == 0)
      result.emplace(fd, status.st_ino);
  }
  return result;
}

void AfXdpSockets::end() {
  for (const auto& [fd, inode] : open_now()) {
    const auto old = before_.find(fd);
    if (old == before_.end() || old->second != inode) ours_.emplace(fd, inode);
  }
  before_.clear();
}

void AfXdpSockets::close_left() {
  const Inodes left = open_now();
  for (const auto& [fd, inode] : ours_) {
    const auto found = left.find(fd);
    if (found != left.end() && found->second == inode) close(fd);
  }
  ours_.clear();
}

}  // namespace podswitch
