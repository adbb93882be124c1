// SPDX-License-Identifier: Apache-2.0
// What the stages of one worker may write: its counters, and what it learned. Owned by the worker.
#pragma once

#include <rte_cycles.h>

#include <array>
#include <cstdint>

#include "lb/flow_table.h"
#include "lb/service_counters.h"
#include "switch/burst.h"
#include "switch/counters.h"
#include "switch/fdb.h"
#include "switch/held_fragments.h"
#include "switch/icmp_limiter.h"
#include "switch/ip_ids.h"
#include "switch/neighbour_table.h"
#include "switch/remote_fdb.h"
#include "switch/spsc_ring.h"

namespace podswitch {

// "This MAC was seen on that port", or behind that VTEP: posted by a worker, applied by the housekeeping
// thread.
struct LearnEvent {
  uint64_t key;  // FDB key
  PortId port;
  NextHopId hop = kNoNextHop;  // that leads to the VTEP; `port` is the uplink then
};
using LearnRing = SpscRing<LearnEvent, 8192>;

// "This address of the underlay has that MAC", or "no more than so many bytes fit on the way to it": posted
// by a worker, read by the housekeeping thread.
struct HeardEvent {
  IpAddress ip;
  MacAddress mac;
  uint16_t path_mtu = 0;  // 0: it is about the MAC
};
using HeardRing = SpscRing<HeardEvent, 1024>;

// "This address of a stretched network is behind a tunnel, at that MAC", or at none that is to be repeated
// any more (zeros): posted by a worker, read by the housekeeping thread.
struct ClaimEvent {
  Fid fid;
  IpAddress ip;
  MacAddress mac;
};
using ClaimRing = SpscRing<ClaimEvent, 1024>;
// "Who has this address of the underlay's link?": posted by a worker; the answer goes into the table.
using WantedRing = SpscRing<IpAddress, 256>;
// For those who have packets for such addresses: who scans the link does not take the others' share.
inline constexpr IcmpLimiter::Options kWantedLimits{
    .rate = 1000, .burst = 200, .destination_rate = 100, .destination_burst = 20};

// What became of connections' first packets.
struct FlowFigures {
  Counter begun;
  Counter refused;        // the table was full, or no port was free
  Counter evicted;        // others gave way
  Counter ports_changed;  // the source port had to be another one
};

class Spreader;
class FragmentTable;

struct Local {
  Fdb* fdb = nullptr;
  const RemoteFdb* remote_fdb = nullptr;
  PortCounterTable* ports = nullptr;
  LearnRing* learned = nullptr;
  uint32_t now_seconds = 0;  // the switch's clock: seconds since it started, plus one
  // Keys posted not long ago, by hash: so that a flow's every packet does not post until the
  // housekeeping thread has written the table. Forgotten once a second.
  std::array<uint64_t, 256> posted{};
  uint32_t posted_second = 0;
  IcmpLimiter icmp_limiter{{}, rte_get_tsc_hz()};
  HeardRing* heard = nullptr;
  Spreader* spreader = nullptr;                // nullptr: this worker finishes what it began
  const NeighbourTable* neighbours = nullptr;  // behind tunnels
  ClaimRing* claimed = nullptr;                // when it is full, the next question is sent to every node
  Counter neighbour_answers;                   // about those
  Counter heard_full;                          // events lost
  FragmentTable* fragments = nullptr;          // of all workers
  Counter fragments_evicted;                   // datagrams that pushed another out of it
  Counter fragments_busy;                      // datagrams not noted in it
  IpIds ip_ids;
  const NeighbourTable* link_hosts = nullptr;  // of the underlay
  WantedRing* wanted = nullptr;
  IcmpLimiter wanted_limiter{kWantedLimits, rte_get_tsc_hz()};
  FlowTable* flows = nullptr;  // of all workers
  FlowWorker flow_worker;
  FlowFigures flow_figures;
  ServiceCounters* service_counters = nullptr;
  HeldFragments held;
  Counter learn_queue_full;  // events lost: the packet floods, and its next one posts again

  // Posts an event, unless it was posted not long ago.
  void learn(const LearnEvent& event) noexcept {
    if (posted_second != now_seconds) {
      posted.fill(0);
      posted_second = now_seconds;
    }
    const uint64_t mark = event.key * 0x9e3779b97f4a7c15ULL ^ event.port ^ uint64_t { event.hop } << 16;
    uint64_t& slot = posted[mark >> 56];
    if (slot == mark) return;
    if (learned->push(event))
      slot = mark;
    else
      learn_queue_full.add(1);
  }
};

}  // namespace podswitch
