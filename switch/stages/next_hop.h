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

enum class Resolved : uint8_t {
  Yes,
  No,      // the packet is dropped, and who is wanted is asked for
  Silent,  // was asked for in vain: the packet's sender is to be told
};
// Link: writes the destination's MAC into the Ethernet header.
Resolved resolve(const NextHop& hop, rte_mbuf& packet, PacketMeta& meta, Local& local) noexcept;

}  // namespace podswitch::stages
