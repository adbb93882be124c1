// SPDX-License-Identifier: Apache-2.0
// How a flow lies in memory: both its tuples, what becomes of its packets, and what it is up to. One cache
// line for IPv4; the addresses of IPv6 are in a second one. Plain values only, no pointers: the memory may
// outlive the process. Words are atomic; who reads several checks the sequence before and after. On x86 both
// loads and stores are plain moves.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "lb/flow_key.h"
#include "lb/flow_state.h"

namespace podswitch {

struct alignas(64) FlowRecord {
  std::atomic<uint32_t> sequence;  // odd while it is written or taken away
  std::atomic<uint32_t> service;   // ServiceId, kNoService: tracked only
  std::atomic<uint64_t> original;  // IPv4 addresses, as FlowKey has them
  std::atomic<uint64_t> reply;
  std::atomic<uint64_t> ports;     // of the original in the low half, of the reply in the high half
  std::atomic<uint64_t> kind;      // FlowScope below, deltas above
  std::atomic<uint64_t> activity;  // second last seen in the low half, FlowState above; 0: the record is free
  // Where packets of a direction go next: version of the routes in the high half, NextHopId below; kept until
  // the routes change. 16 bits are left for the revision of a policy. In a free record `hops[0]` is the next
  // free one.
  std::array<std::atomic<uint64_t>, 2> hops;
};
static_assert(sizeof(FlowRecord) == 64);

struct alignas(64) FlowAddresses {  // IPv6
  std::array<std::atomic<uint64_t>, 4> original, reply;
};
static_assert(sizeof(FlowAddresses) == 64);

namespace flow {

inline constexpr uint32_t kTranslated = 1u << 9;         // in the low half of kind
inline constexpr uint64_t kPending = uint64_t{1} << 40;  // in activity: not in the index with both tuples yet
inline constexpr uint32_t kScopeMask = 0xffff'01ff;
// What is added to the one's complement sums when an original packet is translated; a reply's is the
// complement. Addresses alone, and with ports.
constexpr net::Sum address_delta(uint64_t kind) noexcept {
  return static_cast<net::Sum>(kind >> 32);
}
constexpr net::Sum full_delta(uint64_t kind) noexcept {
  return static_cast<net::Sum>(kind >> 48);
}
constexpr uint64_t activity_of(FlowState state, uint32_t now) noexcept {
  return uint64_t{static_cast<uint8_t>(state)} << 32 | now;
}
constexpr FlowState state_of(uint64_t activity) noexcept {
  return static_cast<FlowState>(activity >> 32 & 0xff);
}
constexpr uint32_t last_seen(uint64_t activity) noexcept {
  return static_cast<uint32_t>(activity);
}

}  // namespace flow
}  // namespace podswitch
