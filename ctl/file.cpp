// SPDX-License-Identifier: Apache-2.0
#include "ctl/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "pmd/error.h"

namespace podswitch {
namespace {

[[noreturn]] void fail(const std::string& path, std::string_view what) {
  throw Error(path, fmt::format("{}: {}", what, std::generic_category().message(errno)));
}

bool is_directory(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

}  // namespace

std::string read_all(int fd, const std::string& path) {
  std::string text;
  std::array<char, 65536> chunk;
  while (true) {
    const ssize_t got = read(fd, chunk.data(), chunk.size());
    if (got == 0) return text;
    if (got > 0)
      text.append(chunk.data(), static_cast<size_t>(got));
    else if (errno != EINTR)
      fail(path, "cannot read");
  }
}

void write_all(int fd, std::string_view data, const std::string& path) {
  while (!data.empty()) {
    const ssize_t written = write(fd, data.data(), data.size());
    if (written >= 0)
      data.remove_prefix(static_cast<size_t>(written));
    else if (errno != EINTR)
      fail(path, "cannot write");
  }
}

void make_directories(const std::string& directory, unsigned mode) {
  for (size_t slash = directory.find('/', 1); slash != std::string::npos;
       slash = directory.find('/', slash + 1)) {
    const std::string above = directory.substr(0, slash);
    if (mkdir(above.c_str(), 0755) != 0 && errno != EEXIST && !is_directory(above))
      fail(above, "cannot make this directory");
  }
  if (mkdir(directory.c_str(), mode) == 0) return;
  if (errno != EEXIST) fail(directory, "cannot make this directory");
  if (!is_directory(directory)) throw Error(directory, "is not a directory");
}

FileDescriptor lock_file(const std::string& path, const std::string& what) {
  while (true) {
    FileDescriptor fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) fail(path, "cannot open the lock");
    if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) fail(path, "cannot lock");
      std::string owner = read_all(fd.get(), path).substr(0, 20);
      while (!owner.empty() && owner.back() == '\n') owner.pop_back();
      throw Error(what, fmt::format("in use by another podswitchd{}: stop it, or give this one another path",
                                    owner.empty() ? "" : fmt::format(" (process {})", owner)));
    }
    // The former owner may have removed the file between our open and our lock.
    struct stat mine {
    }, there{};
    if (fstat(fd.get(), &mine) != 0 || stat(path.c_str(), &there) != 0 || mine.st_ino != there.st_ino)
      continue;
    if (ftruncate(fd.get(), 0) != 0) fail(path, "cannot write the lock");
    write_all(fd.get(), fmt::format("{}\n", getpid()), path);
    return fd;
  }
}

}  // namespace podswitch
