// SPDX-License-Identifier: Apache-2.0
// A file that the command line is told to read, or standard input. One thread.
#pragma once

#include <cstddef>
#include <string>

#include "ctl/file.h"
#include "pmd/error.h"

namespace podswitch {

class InputFile {
 public:
  explicit InputFile(const std::string& path);  // "-": standard input. Throws Error.

  size_t read(char* buffer, size_t size);  // 0 at the end; throws Error
  const std::string& name() const { return name_; }
  // The same with the file's name before a line's number.
  Error located(const Error& error) const;

 private:
  FileDescriptor opened_;
  int fd_;
  std::string name_;
};

}  // namespace podswitch
