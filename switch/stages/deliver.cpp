// SPDX-License-Identifier: Apache-2.0
// What came out of the tunnels of stretched networks. Whoever sent it is behind the tunnel's other end, and
// whoever gets it is here: what a pod sent, its own node has copied to every node already (split horizon).
#include "switch/stages/claim.h"
#include "switch/stages/forward.h"
#include "switch/stages/stages.h"

namespace podswitch::stages {
namespace {

// False: the source belongs to a pod of this node, or by the operator's word to another VTEP.
bool learn_sender(const PacketMeta& meta, Fdb::Place place, PortId uplink, Local& local) noexcept {
  if (const Fdb::Hit here = local.fdb->find(place)) {
    if (here.is_static()) return false;
    local.learn({meta.source, uplink, meta.peer});  // it has moved
    return true;
  }
  const RemoteFdb::Hit there = local.remote_fdb->find(meta.source);
  if (!there || (there.hop() != meta.peer && !there.is_static())) {
    local.learn({meta.source, uplink, meta.peer});
    return true;
  }
  if (there.hop() != meta.peer) return false;
  there.mark_seen();
  return true;
}

void deliver_one(PacketMeta& meta, Fdb::Place place, const Snapshot& snapshot, const Local& local) noexcept {
  const auto flood = [&]() noexcept {
    if (snapshot.fids[meta.fid].members.empty()) return meta.drop(DropReason::NoOtherPort);
    meta.verdict = Verdict::Flood;
  };
  if (is_group(meta.destination)) {
    if (is_reserved_group(meta.destination)) return meta.drop(DropReason::ReservedGroup);
    return flood();
  }
  // Each node answers for its own gateway.
  if (mac_of_key(meta.destination) == snapshot.gateway_mac) return meta.drop(DropReason::TunnelNotForUs);
  const Fdb::Hit hit = local.fdb->find(place);
  if (!hit || !snapshot.ports[hit.port()].present) return flood();
  meta.forward(hit.port());
}

void find_places(Burst& burst, const Fdb& fdb) noexcept {
  for (uint16_t i = 0; i < burst.count; ++i) {
    if (burst.meta[i].verdict != Verdict::Deliver) continue;
    fdb.prefetch(burst.source_place[i] = fdb.place_of(burst.meta[i].source));
    fdb.prefetch(burst.destination_place[i] = fdb.place_of(burst.meta[i].destination));
  }
}

}  // namespace

void deliver(Burst& burst, const Snapshot& snapshot, Local& local) noexcept {
  if (burst.to_deliver == 0) return;
  find_places(burst, *local.fdb);
  uint64_t known = 0;  // seen behind this VTEP already within this burst
  uint16_t known_peer = 0;
  for (uint16_t i = 0; i < burst.count; ++i) {
    PacketMeta& meta = burst.meta[i];
    if (meta.verdict != Verdict::Deliver) continue;
    if (meta.source != known || meta.peer != known_peer) {
      if (!learn_sender(meta, burst.source_place[i], burst.in_port, local)) {
        meta.drop(DropReason::TunnelSource);
        continue;
      }
      known = meta.source;
      known_peer = meta.peer;
    }
    note_claim_from_tunnel(*burst.packets[i], meta, local);
    deliver_one(meta, burst.destination_place[i], snapshot, local);
  }
}

}  // namespace podswitch::stages
