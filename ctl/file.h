// SPDX-License-Identifier: Apache-2.0
// A file descriptor that closes itself, and the few file operations that the journal and the sockets share.
// Plain values, any thread.
#pragma once

#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>

namespace podswitch {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() { reset(); }
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

// All of it, or an Error that names `path`.
std::string read_all(int fd, const std::string& path);
void write_all(int fd, std::string_view data, const std::string& path);
// Makes `directory` with `mode`, and with 0755 what is missing above it.
void make_directories(const std::string& directory, unsigned mode);
// Locks `path` for this process's life, so that no two daemons own the same thing. Returns an open
// descriptor, or an Error that says who holds `what`.
FileDescriptor lock_file(const std::string& path, const std::string& what);

}  // namespace podswitch
