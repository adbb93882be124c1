// SPDX-License-Identifier: Apache-2.0
// A port's counters of one worker, which is their only writer; everyone else reads and sums.
#pragma once

#include <array>
#include <cstdint>

#include "switch/drop_reason.h"
#include "switch/ids.h"
#include "switch/net/counter.h"

namespace podswitch {

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
