// SPDX-License-Identifier: Apache-2.0
// Puts other addresses and ports into a packet and keeps its checksums as right, or as wrong, as they were
// (RFC 1624): those of IPv4, TCP, UDP, and SCTP's CRC32c. A partial checksum holds the pseudo header's sum
// alone and gets the addresses' share; a UDP checksum of 0 stays. Called by the worker that owns the packet.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "lb/flow_key.h"
#include "switch/net/checksum.h"
#include "switch/net/headers.h"
#include "switch/net/l3.h"

namespace podswitch {

// What the packet is to become, and what that adds to the one's complement sums.
struct Rewrite {
  FlowKey to;
  net::Sum address_delta = 0;  // addresses alone
  net::Sum full_delta = 0;     // addresses and ports
};
Rewrite make_rewrite(const FlowKey& from, const FlowKey& to) noexcept;

// The checksum field after `delta` was added to what it is about.
constexpr uint16_t adjusted(uint16_t checksum, net::Sum delta) noexcept {
  return net::complement(net::add_sums(net::complement(checksum), delta));
}
// UDP's: 0 says that there is none, and what comes out as 0 is written as all ones (RFC 768).
constexpr uint16_t adjusted_udp(uint16_t checksum, net::Sum delta) noexcept {
  if (checksum == 0) return 0;
  const uint16_t next = adjusted(checksum, delta);
  return next == 0 ? 0xffff : next;
}

// `l3`: what is at `l3_offset`. A later fragment has addresses only. False: the first segment does not hold
// the layer 4 header, or it is SCTP in fragments, whose CRC cannot be kept; then nothing has changed.
[[nodiscard]] bool rewrite(rte_mbuf& packet, uint16_t l3_offset, const net::L3& l3, bool is_v6,
                           const Rewrite& change) noexcept;

}  // namespace podswitch
