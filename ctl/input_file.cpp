// SPDX-License-Identifier: Apache-2.0
#include "ctl/input_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

namespace podswitch {

InputFile::InputFile(const std::string& path)
    : fd_(STDIN_FILENO), name_(path == "-" ? "standard input" : path) {
  if (path == "-") return;
  opened_ = FileDescriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  fd_ = check_errno(opened_.get(), path);
}

size_t InputFile::read(char* buffer, size_t size) {
  while (true) {
    const ssize_t got = ::read(fd_, buffer, size);
    if (got < 0 && errno == EINTR) continue;
    check_errno(static_cast<int>(got), name_);
    return static_cast<size_t>(got);
  }
}

Error InputFile::located(const Error& error) const {
  std::vector<Problem> problems = error.problems();
  for (Problem& problem : problems)
    if (problem.path.starts_with("line ")) problem.path = fmt::format("{}, {}", name_, problem.path);
  return Error(std::move(problems));
}

}  // namespace podswitch
