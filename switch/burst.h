// SPDX-License-Identifier: Apache-2.0
// A burst: packets received together from one port, and what the stages have found out about each.
// Owned by the worker that received it, on that worker's stack or in its locals.
#pragma once

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include <array>
#include <cstdint>
#include <type_traits>

#include "switch/drop_reason.h"
#include "switch/fdb.h"
#include "switch/ids.h"

namespace podswitch {

inline constexpr uint16_t kBurstSize = 32;  // a bit each in 32

enum class Verdict : uint8_t {
  Undecided,
  Route,     // sent to the switch's own MAC: the route stage decides
  Deliver,   // out of a stretched network's tunnel: the deliver stage decides
  Forward,   // to meta.out_port
  Flood,     // to every other member of meta.fid
  Fragment,  // larger than its next hop takes: cut as the burst's cuts say
  Held,      // not the burst's any more
  Drop,      // because of meta.reason
};

struct PacketMeta {
  uint64_t source;       // FDB key
  uint64_t destination;  // FDB key
  PortId out_port;
  Fid fid;
  uint16_t ether_type;  // host order; that of the payload, behind all tags
  uint16_t l3_offset;   // bytes from the start of the frame, behind all tags
  uint16_t peer;        // Deliver: the next hop that leads back to the sender's VTEP
  Verdict verdict;
  DropReason reason;

  void drop(DropReason why) noexcept {
    verdict = Verdict::Drop;
    reason = why;
  }
  void forward(PortId port) noexcept {
    verdict = Verdict::Forward;
    out_port = port;
  }
};
static_assert(sizeof(PacketMeta) == 32);

struct NextHop;
// How to cut a packet with Verdict::Fragment.
struct Cut {
  const NextHop* hop;
  uint32_t flow_hash;  // of the whole, so that all pieces take one path
};

struct Burst {
  PortId in_port = kNoPort;
  uint16_t count = 0;
  uint32_t with_hop = 0;    // bit i: the translate stage has found hops[i]
  uint32_t translated = 0;  // bit i: packets[i] is not as it was received
  uint16_t to_route = 0;    // how many have, or had, Verdict::Route
  uint16_t settled = 0;     // of those, by the translate stage
  uint16_t to_deliver = 0;  // the same of Verdict::Deliver
  std::array<rte_mbuf*, kBurstSize> packets;
  std::array<PacketMeta, kBurstSize> meta;
  // Of meta's FDB keys; beside it, because a wider PacketMeta costs every packet.
  std::array<Fdb::Place, kBurstSize> source_place;
  std::array<Fdb::Place, kBurstSize> destination_place;
  std::array<Cut, kBurstSize> cuts;             // written with Verdict::Fragment only
  std::array<const NextHop*, kBurstSize> hops;  // of what is routed; nullptr: no route

  // Before the first stage that looks at it.
  void begin() noexcept {
    to_route = to_deliver = settled = 0;
    with_hop = translated = 0;
  }
  // False: no verdict is Undecided. May be true although none is.
  bool is_any_open() const noexcept { return to_route + to_deliver < count; }
};

// Runs `work(mbuf, meta)`, or `work(mbuf, meta, index)`, for every packet whose fate is still open.
template <typename Work>
inline void for_each_undecided(Burst& burst, Work&& work) noexcept {
  for (uint16_t i = 0; i < burst.count; ++i) {
    if (burst.meta[i].verdict != Verdict::Undecided) continue;
    if constexpr (std::is_invocable_v<Work, rte_mbuf&, PacketMeta&, uint16_t>)
      work(*burst.packets[i], burst.meta[i], i);
    else
      work(*burst.packets[i], burst.meta[i]);
  }
}

}  // namespace podswitch
