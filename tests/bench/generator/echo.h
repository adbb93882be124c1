// SPDX-License-Identifier: Apache-2.0
// Sends the frames that arrive at a port back to where they came from. One thread.
#pragma once

#include "tests/bench/generator/stream.h"

namespace podswitch::bench {

class Echo {
 public:
  // Of `stream`, which must outlive it, at the port that it goes to.
  explicit Echo(const Stream& stream) : stream_(stream) {}

  // At most a few bursts. Whether there were any.
  bool poll();
  // Frames that the ring did not take; they are gone.
  uint64_t refused() const { return refused_; }
  void clear() { refused_ = 0; }

 private:
  const Stream& stream_;
  uint64_t refused_ = 0;
};

}  // namespace podswitch::bench
