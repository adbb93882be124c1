// SPDX-License-Identifier: Apache-2.0
// Both ends of a hand-over: the worker that polls the uplink gives away packets of flows that are not its
// own, and the other worker makes a burst of them.
#include <rte_prefetch.h>

#include "switch/net/headers.h"
#include "switch/spreader.h"
#include "switch/stages/stages.h"

namespace podswitch::stages {
namespace {

// Decapsulate has left it to a later stage. What is still undecided is the underlay's own.
bool is_for_pods(const PacketMeta& meta) noexcept {
  return meta.verdict == Verdict::Route || meta.verdict == Verdict::Deliver;
}

void keep(Burst& burst, uint16_t from, uint16_t to) noexcept {
  if (from == to) return;
  burst.packets[to] = burst.packets[from];
  burst.meta[to] = burst.meta[from];
  burst.source_place[to] = burst.source_place[from];
  burst.destination_place[to] = burst.destination_place[from];
}

// As decapsulate left it.
void read_again(Burst& burst, uint16_t i, const HandedOver& handed) noexcept {
  PacketMeta& meta = burst.meta[i];
  const auto* ether = rte_pktmbuf_mtod(handed.packet, const net::EtherHeader*);
  meta.source = fdb_key(ether->source.as_u64(), handed.fid);
  meta.destination = fdb_key(ether->destination.as_u64(), handed.fid);
  meta.fid = handed.fid;
  meta.ether_type = ether->ether_type.host();
  meta.l3_offset = sizeof *ether;
  meta.peer = handed.peer;
  meta.verdict = handed.verdict;
  burst.packets[i] = handed.packet;
  burst.to_route += meta.verdict == Verdict::Route ? 1 : 0;
  burst.to_deliver += meta.verdict == Verdict::Deliver ? 1 : 0;
}

}  // namespace

void spread(Burst& burst, const Snapshot&, Local& local) noexcept {
  if (local.spreader == nullptr) return;
  Spreader& spreader = *local.spreader;
  spreader.saw_burst(burst.count);
  if (!spreader.is_active()) return;
  uint16_t kept = 0;
  for (uint16_t i = 0; i < burst.count; ++i) {
    PacketMeta& meta = burst.meta[i];
    if (is_for_pods(meta)) {
      const Spreader::Fate fate = spreader.offer(*burst.packets[i], meta, burst.in_port);
      if (fate == Spreader::Fate::Gone) {
        --(meta.verdict == Verdict::Route ? burst.to_route : burst.to_deliver);
        continue;
      }
      if (fate == Spreader::Fate::Refused) meta.drop(DropReason::HandOverRefused);
    }
    keep(burst, i, kept++);
  }
  burst.count = kept;
  spreader.publish();
}

uint16_t take_over(Burst& burst, HandOverRing& ring, const Snapshot& snapshot) noexcept {
  std::array<HandedOver, kBurstSize> handed;
  burst.count = ring.take(handed.data(), kBurstSize);
  if (burst.count == 0) return 0;
  burst.in_port = handed[0].in_port;
  burst.begin();
  for (uint16_t i = 0; i < burst.count; ++i) rte_prefetch0(handed[i].packet);
  for (uint16_t i = 0; i < burst.count; ++i) rte_prefetch0(rte_pktmbuf_mtod(handed[i].packet, void*));
  for (uint16_t i = 0; i < burst.count; ++i) read_again(burst, i, handed[i]);
  // Where it came from went while it waited.
  if (!snapshot.ports[burst.in_port].is_uplink)
    for (uint16_t i = 0; i < burst.count; ++i) burst.meta[i].drop(DropReason::HandOverRefused);
  return burst.count;
}

}  // namespace podswitch::stages
