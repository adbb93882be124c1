// SPDX-License-Identifier: Apache-2.0
// Which records of the flow table are free. Taken and given back in batches, so that workers seldom meet at
// the lock. The list of free records runs through the records themselves. Any thread; a cache belongs to one.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

#include "lb/flow_bucket.h"
#include "lb/flow_record.h"
#include "lb/spin_lock.h"

namespace podswitch {

struct FlowSlotCache {
  static constexpr uint32_t kBatch = 32;
  std::array<FlowSlot, 2 * kBatch> slots;
  std::atomic<uint32_t> count{0};  // its owner writes
};

class FlowSlots {
 public:
  // `end`: lies beside the records.
  FlowSlots(FlowRecord* records, std::atomic<uint32_t>& end, uint32_t capacity)
      : records_(records), capacity_(capacity), end_(end) {}

  // kNoFlow: all are in use, or in the caches of others.
  FlowSlot take(FlowSlotCache& cache) noexcept {
    if (count_of(cache) == 0) refill(cache);
    const uint32_t count = count_of(cache);
    if (count == 0) return kNoFlow;
    cache.count.store(count - 1, std::memory_order_relaxed);
    return cache.slots[count - 1];
  }
  void put(FlowSlot slot, FlowSlotCache& cache) noexcept {
    if (count_of(cache) == cache.slots.size()) return_some(cache, FlowSlotCache::kBatch);
    const uint32_t count = count_of(cache);
    cache.slots[count] = slot;
    cache.count.store(count + 1, std::memory_order_relaxed);
  }
  void give_back(FlowSlotCache& cache) noexcept { return_some(cache, count_of(cache)); }
  // Before anyone takes: `used(slot)` says which are in use already.
  template <typename Used>
  void adopt(Used&& used) noexcept {
    uint32_t in_use = 0;
    for (FlowSlot slot = end(); slot-- > 0;) {
      if (used(slot))
        ++in_use;
      else
        push(slot);
    }
    taken_.store(in_use, std::memory_order_relaxed);
  }

  // Those in caches included.
  uint32_t taken() const noexcept { return taken_.load(std::memory_order_relaxed); }
  // Records from here on were never used.
  FlowSlot end() const noexcept { return std::min(end_.load(std::memory_order_relaxed), capacity_); }

 private:
  static uint32_t count_of(const FlowSlotCache& cache) noexcept {
    return cache.count.load(std::memory_order_relaxed);
  }
  void refill(FlowSlotCache& cache) noexcept;
  void return_some(FlowSlotCache& cache, uint32_t count) noexcept;
  void push(FlowSlot slot) noexcept {
    records_[slot].hops[0].store(first_free_, std::memory_order_relaxed);
    first_free_ = slot;
  }

  FlowRecord* records_;
  const uint32_t capacity_;
  SpinLock lock_;
  FlowSlot first_free_ = kNoFlow;
  std::atomic<uint32_t>& end_;
  std::atomic<uint32_t> taken_{0};
};

}  // namespace podswitch
