// SPDX-License-Identifier: Apache-2.0
// Counters of one worker. The worker that owns them is the only writer; everyone else reads and sums.
// Plain relaxed stores, no read-modify-write, so that counting costs one add.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "switch/drop_reason.h"
#include "switch/ids.h"

namespace podswitch {

class Counter {
 public:
  void add(uint64_t n) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }
  void reset() noexcept { value_.store(0, std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

struct alignas(64) PortCounters {
  Counter rx_packets;
  Counter rx_bytes;  // frame length, without FCS
  Counter tx_packets;
  Counter tx_bytes;
  std::array<Counter, kReasonCount> reasons;  // indexed by DropReason; counted at the port of origin
};

// One port's counters per index.
using PortCounterTable = std::array<PortCounters, kMaxPorts>;

}  // namespace podswitch
