// SPDX-License-Identifier: Apache-2.0
// The AF_XDP sockets that a device's driver opened. DPDK 22.11's net_af_xdp never closes them when its
// device is closed (it counts one reference too many), and then nobody gets the queue again. Used by
// EthDevice, under its lock.
#pragma once

#include <sys/types.h>

#include <map>

namespace podswitch {

class AfXdpSockets {
 public:
  // Between begin() and end() no other AF_XDP socket may be opened.
  void begin() { before_ = open_now(); }
  void end();
  // After the driver has closed: closes those that are still there.
  void close_left();

 private:
  using Inodes = std::map<int, ino_t>;  // by descriptor, so that a number used anew is noticed
  static Inodes open_now();

  Inodes before_;
  Inodes ours_;
};

}  // namespace podswitch
