// SPDX-License-Identifier: Apache-2.0
#include "pmd/socket_path.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "pmd/error.h"
#include "pmd/group.h"

namespace podswitch {
namespace {

std::string text_of_errno(int error) {
  return std::generic_category().message(error);
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
}

// The errno of connecting to it, 0 when somebody answered.
int try_connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() > kMaxSocketPath) return ENAMETOOLONG;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int result = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = result == 0 ? 0 : errno;
  close(fd);
  return error;
}

}  // namespace

std::string why_not_connectable(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT && errno != ENOTDIR) return fmt::format("{}: {}", path, text_of_errno(errno));
    const std::string folder = folder_of(path);
    if (access(folder.c_str(), F_OK) != 0 && errno == ENOENT)
      return fmt::format("no socket at {} yet: there is no folder {}", path, folder);
    return fmt::format("no socket at {} yet", path);
  }
  if (S_ISDIR(status.st_mode)) return fmt::format("{} is a folder, not a socket", path);
  if (!S_ISSOCK(status.st_mode)) return fmt::format("{} is a file, not a socket", path);
  if (access(path.c_str(), W_OK) != 0)
    return fmt::format("{}: {}: connecting needs write permission", path, text_of_errno(errno));
  return {};
}

std::string why_no_listener(const std::string& path) {
  const std::string folder = folder_of(path);
  struct stat status {};
  if (stat(folder.c_str(), &status) != 0)
    return fmt::format("folder {}: {}: make it first", folder, text_of_errno(errno));
  if (!S_ISDIR(status.st_mode)) return fmt::format("{} is not a folder", folder);
  if (access(folder.c_str(), W_OK | X_OK) != 0)
    return fmt::format("folder {}: {}: a socket cannot be made there", folder, text_of_errno(errno));
  return {};
}

void make_room_for_listener(const std::string& path) {
  if (const std::string reason = why_no_listener(path); !reason.empty()) throw Error("path", reason);
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return;
    throw Error("path", fmt::format("{}: {}", path, text_of_errno(errno)));
  }
  if (!S_ISSOCK(status.st_mode))
    throw Error("path", fmt::format("{} exists and is not a socket: choose another path", path));
  const int error = try_connect(path);
  if (error != ECONNREFUSED)
    throw Error("path", error == EACCES ? fmt::format("{}: {}", path, text_of_errno(error))
                                        : fmt::format("another program listens on {}", path));
  if (unlink(path.c_str()) != 0 && errno != ENOENT)
    throw Error("path", fmt::format("remove stale socket {}: {}", path, text_of_errno(errno)));
}

void set_socket_access(const std::string& path, const std::string& group, int mode) {
  if (!group.empty()) {
    const auto gid = group_id(group);
    if (!gid) throw Error("socket-group", fmt::format("there is no group '{}'", group));
    if (chown(path.c_str(), static_cast<uid_t>(-1), *gid) != 0)
      throw Error("socket-group", fmt::format("give {} to group {}: {}", path, group, text_of_errno(errno)));
  }
  if (mode >= 0 && chmod(path.c_str(), static_cast<mode_t>(mode)) != 0)
    throw Error("socket-mode", fmt::format("set mode {:o} on {}: {}", mode, path, text_of_errno(errno)));
}

}  // namespace podswitch
