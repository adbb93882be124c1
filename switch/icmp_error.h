// SPDX-License-Identifier: Apache-2.0
// A router's ICMP and ICMPv6 errors, made in place of the packet that they are about. Called by the worker
// that owns the packet; ask its IcmpLimiter (switch/icmp_limiter.h) first.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "switch/net/address.h"

namespace podswitch {

enum class IcmpError : uint8_t {
  TimeExceeded,     // TTL or hop limit used up in transit
  NetUnreachable,   // no route
  HostUnreachable,  // the neighbour does not answer
  PortUnreachable,  // for us, and nothing listens
  AdminProhibited,
  TooBig,  // and, in IPv4, not to be fragmented
};

// Turns `packet`, whose IP header lies at `l3_offset` (14 or more: Ethernet is in front of it), into the
// error about it: an IP packet from `source` to the offending packet's source, still to be routed there. The
// frame keeps its MACs, its tags and l3_offset; its open offload request is gone.
//   `source`  an address of ours of the packet's family, and not one of whoever sent it
//   `mtu`     of the next hop, in bytes from the IP header on; for TooBig only
// What is quoted is quoted as it lies there: call it before the TTL is decremented or anything translated, or
// undo that. Of a chained packet the rest is freed.
//
// False: there must be no error about this packet (RFC 1812 section 4.3.2.7, RFC 4443 section 2.4 (e)), or
// there cannot be: its data or its mbufs are shared, or it has no headroom (28 bytes; 48 for IPv6). Nothing
// has changed then, drop it. A subnet's broadcast address is not known here: don't call it for one.
[[nodiscard]] bool make_icmp_error(rte_mbuf& packet, uint16_t l3_offset, IcmpError error,
                                   const IpAddress& source, uint16_t mtu = 0) noexcept;

}  // namespace podswitch
