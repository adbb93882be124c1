// SPDX-License-Identifier: Apache-2.0
// Counts, and on demand checks, the frames that arrive at one port. One thread.
#pragma once

#include <rte_mbuf.h>

#include <vector>

#include "tests/bench/generator/checker.h"
#include "tests/bench/generator/histogram.h"
#include "tests/bench/generator/stream.h"

namespace podswitch::bench {

struct Received {
  uint64_t frames = 0;   // of those sent since the count began
  uint64_t arrived = 0;  // since then, whenever they were sent
  uint64_t bytes = 0;    // of `arrived`, with FCS
  uint64_t verified = 0, corrupt = 0, unexpected = 0, reordered = 0;
  uint64_t announcements = 0;

  Received& operator+=(const Received& other);
};

class Receiver {
 public:
  // Frames of `stream`, turned back by an echo or not. Latencies go to `latencies` unless it is null. Both
  // must outlive it.
  Receiver(const Stream& stream, bool echoed, Histogram* latencies);

  // Takes what has arrived at the device, at most a few bursts. Whether there was anything.
  bool poll(uint16_t port);
  // Counts from now on, of the frames from this position in the stream on, which is sent at `now`.
  void begin_count(uint64_t first_position, uint64_t now, uint64_t hz);
  const Received& received() const { return received_; }
  // When the first frame that counts had arrived, by CLOCK_MONOTONIC in ns; 0: none has.
  uint64_t first_arrival() const { return first_arrival_; }

 private:
  void take(rte_mbuf* const* burst, uint16_t count);
  void look(rte_mbuf* const* burst, uint16_t count, bool verify);
  void look_at(const rte_mbuf& packet, uint64_t now, bool verify);

  const Stream& stream_;
  Checker checker_;
  Histogram* latencies_;
  Received received_;
  uint32_t bursts_ = 0;
  uint64_t first_position_ = 0;
  uint64_t first_arrival_ = 0;
  uint64_t settled_at_ = 0;  // 0: nothing from before the count can come any more
};

}  // namespace podswitch::bench
