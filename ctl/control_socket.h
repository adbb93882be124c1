// SPDX-License-Identifier: Apache-2.0
// The control socket's place in the file system. Made before everything else, so that a second daemon is
// refused before it touches anything; nobody can connect before the mode and the group are right.
// Made and destroyed in main().
#pragma once

#include <optional>
#include <string>

#include "ctl/file.h"

namespace podswitch {

class ControlSocket {
 public:
  // `group`: a name or a number, empty: the daemon's own. Takes over a socket that nobody listens on. Throws
  // Error: another daemon runs there, the path is too long or something else lies there, no such group.
  ControlSocket(std::string path, unsigned mode, const std::string& group);
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }

 private:
  void clear_stale() const;

  const std::string path_;
  FileDescriptor lock_;
  FileDescriptor fd_;
};

}  // namespace podswitch
