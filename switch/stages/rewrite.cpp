// SPDX-License-Identifier: Apache-2.0
#include "switch/mtu.h"
#include "switch/offload.h"
#include "switch/stages/stages.h"

namespace podswitch::stages {

void rewrite(Burst& burst, const Snapshot& snapshot, Local&) noexcept {
  PortId last_port = kNoPort;
  const PortView* out = nullptr;
  for (uint16_t i = 0; i < burst.count; ++i) {
    PacketMeta& meta = burst.meta[i];
    if (meta.verdict != Verdict::Forward) continue;
    rte_mbuf& packet = *burst.packets[i];
    if (meta.out_port != last_port) out = &snapshot.ports[last_port = meta.out_port];
    if (!fits_mtu(packet, out->mtu)) [[unlikely]] {
      meta.drop(DropReason::MtuExceeded);
    } else if (out->vlan_mode == VlanMode::Trunk) [[unlikely]] {
      if (!push_vlan(packet, trunk_tag(packet, snapshot.fids[meta.fid]))) meta.drop(DropReason::NoBuffer);
    }
  }
}

}  // namespace podswitch::stages
