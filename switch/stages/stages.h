// SPDX-License-Identifier: Apache-2.0
// The stages, in the order in which pipeline.cpp runs them. Each looks at the packets whose verdict is
// still open, never allocates, locks, logs or enters the kernel. Run by a worker on its own burst.
#pragma once

#include "switch/burst.h"
#include "switch/hand_over.h"
#include "switch/local.h"
#include "switch/snapshot.h"

namespace podswitch::stages {

// Counts what was received, reads the Ethernet header and tags, takes a trunk port's tag off, refuses what is
// malformed, and turns the sender's offload requests into checked RTE_MBUF_F_TX_* flags (see
// switch/offload.h).
void parse(Burst& burst, const Snapshot& snapshot, Local& local) noexcept;

// Uplinks: takes packets out of the tunnels that end here; what comes out is to be routed, or to be delivered
// where the VNI is a stretched network's.
void decapsulate(Burst& burst, const Snapshot& snapshot, Local& local) noexcept;

// Uplinks: posts who says to have which address in the underlay, and what fits on the way to tunnel ends.
void listen(Burst& burst, const Snapshot& snapshot, Local& local) noexcept;

// Uplinks: takes out of the burst what other workers are to finish, and gives it to them.
void spread(Burst& burst, const Snapshot& snapshot, Local& local) noexcept;
// The other end: makes a burst of what another worker's spread has put there. Returns its size.
uint16_t take_over(Burst& burst, HandOverRing& ring, const Snapshot& snapshot) noexcept;

// Drops what a port with addresses may not send.
void guard(Burst& burst, const Snapshot& snapshot, Local& local) noexcept;

// Posts unknown and moved source MACs, refreshes known ones, refuses MACs given to another port.
void learn(Burst& burst, const Snapshot& snapshot, Local& local) noexcept;

// Answers ARP requests, neighbour solicitations and pings that the switch knows the answer to, in place.
// Other IP packets to the switch's own MAC are to be routed.
void answer(Burst& burst, const Snapshot& snapshot, Local& local) noexcept;

// Gives packets to and from Services the addresses of the other end; answers what a Service refuses. Finds
// their next hops.
void translate(Burst& burst, const Snapshot& snapshot, Local& local) noexcept;

// Finds the next hop of what is to be routed, answers with ICMP errors, encapsulates, says what is to be cut.
void route(Burst& burst, const Snapshot& snapshot, Local& local) noexcept;

// Hands what came for a stretched network to ports of this node, never to another tunnel, and posts which
// VTEP its sender is behind.
void deliver(Burst& burst, const Snapshot& snapshot, Local& local) noexcept;

// Chooses the egress port, or the tunnel to the node where the destination was seen, or floods.
void forward(Burst& burst, const Snapshot& snapshot, Local& local) noexcept;

// Puts the tag on for a trunk port (one egress port; floods are tagged per copy), checks the MTU.
void rewrite(Burst& burst, const Snapshot& snapshot, Local& local) noexcept;

}  // namespace podswitch::stages
