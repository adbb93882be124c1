// SPDX-License-Identifier: Apache-2.0
// One number per flow, for what must keep a flow's packets in order: the UDP source port of a tunnel, the
// choice of a worker. Called by the worker that owns the packet.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

namespace podswitch::net {

// Of the IP addresses, and of protocol and ports (TCP, UDP, SCTP) where the packet is no fragment: all
// fragments of a datagram have the same hash. Other frames: of the MACs. All 32 bits are usable; not keyed,
// so no protection against flows chosen to collide.
uint32_t flow_hash(const rte_mbuf& packet, uint16_t ether_type, uint16_t l3_offset) noexcept;

// What an IP packet with these addresses, protocol and ports (0 where the protocol has none) has that is no
// fragment.
uint32_t flow_hash(const rte_mbuf& packet, uint16_t ether_type, uint16_t l3_offset, uint8_t protocol,
                   uint16_t source_port, uint16_t destination_port) noexcept;

}  // namespace podswitch::net
