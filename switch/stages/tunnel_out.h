// SPDX-License-Identifier: Apache-2.0
// A bridged frame to a MAC behind another node's VTEP. Called by a worker on its own packets.
#pragma once

#include <rte_mbuf.h>

#include "switch/burst.h"
#include "switch/local.h"
#include "switch/snapshot.h"

namespace podswitch::stages {

// Leaves a verdict. What is too large becomes the ICMP error about itself and goes back, where there may be
// one.
void send_to_vtep(rte_mbuf& packet, PacketMeta& meta, PortId in_port, NextHopId id, const Snapshot& snapshot,
                  Local& local) noexcept;

}  // namespace podswitch::stages
