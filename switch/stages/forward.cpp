// SPDX-License-Identifier: Apache-2.0
#include "switch/stages/forward.h"

#include "switch/stages/stages.h"
#include "switch/stages/tunnel_out.h"

namespace podswitch::stages {
namespace {

void flood(PacketMeta& meta, const FidView& fid, const Snapshot& snapshot) noexcept {
  // The port of origin is a member itself.
  const bool has_other = fid.members.size() > 1 || (fid.vni != 0 && !snapshot.tunnel.peers.empty());
  if (!has_other) return meta.drop(DropReason::NoOtherPort);
  meta.verdict = Verdict::Flood;
}

// To a MAC that no port of this node is known to have.
void find_elsewhere(rte_mbuf& packet, PacketMeta& meta, PortId in_port, const Snapshot& snapshot,
                    Local& local) noexcept {
  const FidView& fid = snapshot.fids[meta.fid];
  if (fid.vni != 0)
    if (const RemoteFdb::Hit hit = local.remote_fdb->find(meta.destination))
      return send_to_vtep(packet, meta, in_port, hit.hop(), snapshot, local);
  flood(meta, fid, snapshot);
}

}  // namespace

void forward(Burst& burst, const Snapshot& snapshot, Local& local) noexcept {
  uint64_t last_key = 0;
  PortId last_port = kNoPort;
  for_each_undecided(burst, [&](rte_mbuf& packet, PacketMeta& meta, uint16_t i) noexcept {
    if (meta.destination == last_key) return meta.forward(last_port);
    if (is_group(meta.destination)) {
      if (is_reserved_group(meta.destination)) return meta.drop(DropReason::ReservedGroup);
      return flood(meta, snapshot.fids[meta.fid], snapshot);
    }
    const Fdb::Hit hit = local.fdb->find(burst.destination_place[i]);
    if (!hit || !snapshot.ports[hit.port()].present)
      return find_elsewhere(packet, meta, burst.in_port, snapshot, local);
    if (hit.port() == burst.in_port) return meta.drop(DropReason::SamePort);
    last_key = meta.destination;
    last_port = hit.port();
    meta.forward(hit.port());
  });
}

}  // namespace podswitch::stages
