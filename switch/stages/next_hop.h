// SPDX-License-Identifier: Apache-2.0
// Hands a packet to its next hop: the Ethernet header, or a whole tunnel header in front. Called by a worker
// on its own packets.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "switch/burst.h"
#include "switch/next_hop.h"

namespace podswitch::stages {

// `end`: of the IP packet, in bytes from the frame's start; the Ethernet header lies right before
// meta.l3_offset. Leaves a verdict.
void hand_to(const NextHop& hop, rte_mbuf& packet, PacketMeta& meta, uint32_t end) noexcept;

}  // namespace podswitch::stages
