// SPDX-License-Identifier: Apache-2.0
// The command line.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/generator/trial.h"

namespace podswitch::bench {

struct Options {
  std::vector<std::string> sockets, idle_sockets;
  unsigned core = 0;
  uint16_t queue_size = 1024;
  std::string virtio;  // further device arguments of virtio-user
  bool serve = false;
  Trial trial;  // with `serve`, what its trials start from
};

// Prints the help and exits if asked. Throws std::exception, whose text says what is wrong.
Options parse_options(int argc, char** argv);

}  // namespace podswitch::bench
