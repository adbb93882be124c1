// SPDX-License-Identifier: Apache-2.0
#include "pmd/flow_keeper.h"

#include <algorithm>

namespace podswitch {
namespace {

// How late a flow may be forgotten: as late as its timeout is exact. Larger tables take longer, so that a
// core that is there for other things as well is not kept busy by looking at memory.
AgingPace::Duration round_of(uint32_t capacity) {
  constexpr uint32_t kRecordsPerSecond = 2'000'000;
  return std::chrono::seconds(std::max(2u, capacity / kRecordsPerSecond));
}

}  // namespace

FlowKeeper::FlowKeeper(FlowTable& flows, FlowMemory& memory, AgingPace::Duration tick)
    : flows_(flows), memory_(memory), pace_(flows.capacity(), round_of(flows.capacity()), tick) {}

void FlowKeeper::tick(uint32_t now, AgingPace::Duration elapsed) noexcept {
  if (now != told_) memory_.keep_time(told_ = now);
  const auto due = static_cast<uint32_t>(pace_.due(elapsed));
  FlowSlotCache slots;
  const size_t removed = flows_.age(next_, due, now, slots);
  flows_.give_back(slots);
  expired_.store(expired() + removed, std::memory_order_relaxed);
  next_ += due;
  if (next_ >= flows_.capacity()) next_ = 0;
}

}  // namespace podswitch
