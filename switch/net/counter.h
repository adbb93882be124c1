// SPDX-License-Identifier: Apache-2.0
// A counter of one worker. The worker that owns it is the only writer; everyone else reads and sums. Plain
// relaxed stores, no read-modify-write, so that counting costs one add.
#pragma once

#include <atomic>
#include <cstdint>

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

}  // namespace podswitch
