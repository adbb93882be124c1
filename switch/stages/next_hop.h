// SPDX-License-Identifier: Apache-2.0
// Hands a packet to its next hop: the Ethernet header, or a whole tunnel header in front. Called by a worker
// on its own packets.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "switch/burst.h"
#include "switch/local.h"
#include "switch/net/l3.h"
#include "switch/next_hop.h"

namespace podswitch::stages {

// `l3`: what is at meta.l3_offset; the Ethernet header lies right before it. Leaves a verdict.
void hand_to(const NextHop& hop, rte_mbuf& packet, PacketMeta& meta, const net::L3& l3,
             Local& local) noexcept;
// The same for a packet without padding whose flow's hash is known.
void hand_piece_to(const NextHop& hop, rte_mbuf& piece, PacketMeta& meta, uint32_t flow_hash,
                   IpIds& ip_ids) noexcept;

// Link: writes the destination's MAC into the Ethernet header, or drops the packet and says who is wanted;
// then false.
bool resolve(const NextHop& hop, rte_mbuf& packet, PacketMeta& meta, Local& local) noexcept;

}  // namespace podswitch::stages
