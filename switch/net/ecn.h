// SPDX-License-Identifier: Apache-2.0
// The TOS or traffic class octet (DSCP 6 bits, ECN 2) and what tunnels do to it: RFC 6040. At the ingress
// the ECN field is copied to the outer header (normal mode); at the egress the two are combined here, and
// the inner DSCP stays as it is. Called by the worker that owns the packet.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "switch/net/headers.h"
#include "switch/net/mbuf_view.h"

namespace podswitch::net {

enum class Ecn : uint8_t { NotEct = 0, Ect1 = 1, Ect0 = 2, Ce = 3 };
inline constexpr uint8_t kEcnMask = 3;

constexpr Ecn ecn_of(uint8_t traffic_class) noexcept {
  return static_cast<Ecn>(traffic_class & kEcnMask);
}

// The octet of the IP header at `l3_offset`; 0 when there is none in the first segment.
inline uint8_t traffic_class(const rte_mbuf& packet, uint16_t ether_type, uint16_t l3_offset) noexcept {
  // The first two octets of either header hold the whole field.
  const auto* word = header_at<be16_t>(packet, l3_offset);
  if (word == nullptr) return 0;
  if (ether_type == kEtherTypeIpv4) return static_cast<uint8_t>(word->host());
  if (ether_type == kEtherTypeIpv6) return static_cast<uint8_t>(word->host() >> 4);
  return 0;
}

namespace detail {
// apply_outer_ecn() for an outer field that may change the inner one.
bool combine_ecn(rte_mbuf& packet, uint16_t ether_type, uint16_t l3_offset, Ecn outer) noexcept;
}  // namespace detail

// RFC 6040 section 4.2 at the end of a tunnel: gives the inner IP header at `l3_offset` the ECN field that
// its own and the outer one make, with the checksum updated. False: the packet must be dropped (congestion
// was experienced by a transport that would not understand). Other than IP stays as it is.
[[nodiscard]] inline bool apply_outer_ecn(rte_mbuf& packet, uint16_t ether_type, uint16_t l3_offset,
                                          uint8_t outer_traffic_class) noexcept {
  const Ecn outer = ecn_of(outer_traffic_class);
  if (outer == Ecn::NotEct || outer == Ecn::Ect0) [[likely]]
    return true;
  return detail::combine_ecn(packet, ether_type, l3_offset, outer);
}

}  // namespace podswitch::net
