// SPDX-License-Identifier: Apache-2.0
// The rewrite stage for one packet, for whoever makes packets behind the pipeline. Called by a worker on its
// own packets.
#pragma once

#include <rte_mbuf.h>

#include "switch/burst.h"
#include "switch/mtu.h"
#include "switch/offload.h"
#include "switch/snapshot.h"

namespace podswitch::stages {

// Of a packet that is to be forwarded to the port `out`.
inline void rewrite_one(rte_mbuf& packet, PacketMeta& meta, const PortView& out,
                        const Snapshot& snapshot) noexcept {
  if (!fits_mtu(packet, out.mtu)) [[unlikely]] {
    meta.drop(DropReason::MtuExceeded);
  } else if (out.vlan_mode == VlanMode::Trunk) [[unlikely]] {
    if (!push_vlan(packet, trunk_tag(packet, snapshot.fids[meta.fid]))) meta.drop(DropReason::NoBuffer);
  }
}

}  // namespace podswitch::stages
