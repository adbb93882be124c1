// SPDX-License-Identifier: Apache-2.0
// Forgets flows that have been silent for too long, some records at a time. Housekeeping thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "lb/flow_table.h"
#include "pmd/aging_pace.h"
#include "pmd/flow_memory.h"

namespace podswitch {

class FlowKeeper {
 public:
  FlowKeeper(FlowTable& flows, FlowMemory& memory, AgingPace::Duration tick);
  // About once in each tick. `now`: second of the switch's clock.
  void tick(uint32_t now, AgingPace::Duration elapsed) noexcept;
  // Any thread: flows forgotten since the start.
  uint64_t expired() const noexcept { return expired_.load(std::memory_order_relaxed); }

 private:
  FlowTable& flows_;
  FlowMemory& memory_;
  AgingPace pace_;
  FlowSlot next_ = 0;
  uint32_t told_ = 0;
  std::atomic<uint64_t> expired_{0};
};

}  // namespace podswitch
