// SPDX-License-Identifier: Apache-2.0
#include "switch/stages/stages.h"

namespace podswitch::stages {

void learn(Burst& burst, const Snapshot& snapshot, Local& local) noexcept {
  const PortView& port = snapshot.ports[burst.in_port];
  if (port.owns_mac) return;
  uint64_t known = 0;  // seen on this port already within this burst
  for_each_undecided(burst, [&](rte_mbuf&, PacketMeta& meta, uint16_t i) noexcept {
    if (meta.source == known) return;
    const Fdb::Hit hit = local.fdb->find(burst.source_place[i]);
    if (!hit) return local.learn({meta.source, burst.in_port});
    if (hit.port() == burst.in_port) {
      known = meta.source;
      return hit.mark_seen();
    }
    if (!hit.is_static()) return local.learn({meta.source, burst.in_port});
    if (!port.allow_spoofing) meta.drop(DropReason::MacOfOtherPort);
  });
}

}  // namespace podswitch::stages
