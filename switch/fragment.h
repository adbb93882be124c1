// SPDX-License-Identifier: Apache-2.0
// IPv4 fragmentation (RFC 791 section 2.3, RFC 1812 section 4.2.2.7). IPv6 routers make no fragments. Called
// by the worker that owns the packet.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

namespace podswitch {

// How many packets fragment() would make: 1 when it fits. 0: it must not be fragmented or cannot be, because
// it has DF set or an open TSO request (segment() it first), is no IPv4 packet, ends beyond the 65,535 bytes
// of the datagram that it is a fragment of, or because `mtu` leaves no room for 8 bytes of payload.
// `mtu` counts bytes from the IP header, at `l3_offset`, on.
uint16_t fragment_count(const rte_mbuf& packet, uint16_t l3_offset, uint16_t mtu) noexcept;

// Cuts an IPv4 packet, itself a fragment perhaps, into fragments of at most `mtu` bytes, each in fresh mbufs
// from `pool` (chained when larger than a buffer), with the frame's Ethernet header and tags; padding is
// left out. An open checksum request is completed first, in `packet`, whose data is not shared in that case.
// Writes up to `max` packets to `out`, in order, and returns their number, or 0 as fragment_count() and when
// `pool` ran dry, has too small buffers for the headers, or `max` was too small (then nothing is kept). The
// original is left to the caller.
uint16_t fragment(rte_mbuf& packet, uint16_t l3_offset, uint16_t mtu, rte_mempool& pool, rte_mbuf** out,
                  uint16_t max) noexcept;

}  // namespace podswitch
