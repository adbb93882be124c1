// SPDX-License-Identifier: Apache-2.0
#include "ctl/control_socket.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "pmd/error.h"
#include "pmd/group.h"
#include "pmd/log.h"
#include "pmd/socket_path.h"

namespace podswitch {
namespace {

std::string errno_text() {
  return std::generic_category().message(errno);
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

gid_t find_group(const std::string& group) {
  if (const auto gid = group_id(group)) return *gid;
  throw Error("control.group",
              fmt::format("no group '{}' on this machine: `groupadd --system {}` makes it", group, group));
}

void check_path(const std::string& path) {
  if (path.empty() || path[0] != '/')
    throw Error("control.socket", fmt::format("'{}' is not an absolute path", path));
  if (path.size() > kMaxSocketPath)
    throw Error("control.socket", fmt::format("'{}' is {} bytes long; a socket's path has at most {}: use a "
                                              "shorter folder",
                                              path, path.size(), kMaxSocketPath));
}

}  // namespace

ControlSocket::ControlSocket(std::string path, unsigned mode, const std::string& group)
    : path_(std::move(path)) {
  check_path(path_);
  const auto gid = group.empty() ? static_cast<gid_t>(-1) : find_group(group);
  if (const size_t slash = path_.rfind('/'); slash > 0) make_directories(path_.substr(0, slash), 0755);
  lock_ = lock_file(path_ + ".lock", path_);
  clear_stale();

  FileDescriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  check_errno(fd.get(), "socket");
  const sockaddr_un address = address_of(path_);
  check_errno(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              path_ + ": cannot bind");
  // Until listen() the kernel refuses every connection, so nobody comes in by the mode that bind() left.
  check_errno(chown(path_.c_str(), static_cast<uid_t>(-1), gid), path_ + ": cannot set the group");
  check_errno(chmod(path_.c_str(), mode), path_ + ": cannot set the mode");
  check_errno(listen(fd.get(), 64), path_ + ": cannot listen");
  fd_ = std::move(fd);
}

ControlSocket::~ControlSocket() {
  unlink(path_.c_str());
  unlink((path_ + ".lock").c_str());
}

void ControlSocket::clear_stale() const {
  struct stat info {};
  if (lstat(path_.c_str(), &info) != 0) return;
  if (!S_ISSOCK(info.st_mode))
    throw Error(path_, "something that is no socket lies there: move it away, or choose another path");
  // The lock says that no podswitchd is there; another program might be.
  FileDescriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_un address = address_of(path_);
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
      errno == EAGAIN)
    throw Error(path_, "another program listens there: stop it, or choose another path");
  if (unlink(path_.c_str()) != 0)
    throw Error(path_, fmt::format("cannot remove the stale socket: {}", errno_text()));
  log::info("{}: took over the socket of a daemon that is gone", path_);
}

}  // namespace podswitch
