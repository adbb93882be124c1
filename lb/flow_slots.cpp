// SPDX-License-Identifier: Apache-2.0
#include "lb/flow_slots.h"

namespace podswitch {

void FlowSlots::refill(FlowSlotCache& cache) noexcept {
  uint32_t count = count_of(cache);
  const uint32_t before = count;
  lock_.lock();
  while (count < FlowSlotCache::kBatch && first_free_ != kNoFlow) {
    const FlowSlot slot = first_free_;
    first_free_ = static_cast<FlowSlot>(records_[slot].hops[0].load(std::memory_order_relaxed));
    cache.slots[count++] = slot;
  }
  while (count < FlowSlotCache::kBatch && end() < capacity_) {
    cache.slots[count++] = end();
    end_.store(end() + 1, std::memory_order_relaxed);
  }
  taken_.store(taken() + count - before, std::memory_order_relaxed);
  lock_.unlock();
  cache.count.store(count, std::memory_order_relaxed);
}

void FlowSlots::return_some(FlowSlotCache& cache, uint32_t count) noexcept {
  if (count == 0) return;
  uint32_t left = count_of(cache);
  lock_.lock();
  for (uint32_t i = 0; i < count; ++i) push(cache.slots[--left]);
  taken_.store(taken() - count, std::memory_order_relaxed);
  lock_.unlock();
  cache.count.store(left, std::memory_order_relaxed);
}

}  // namespace podswitch
