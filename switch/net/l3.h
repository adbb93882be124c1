// SPDX-License-Identifier: Apache-2.0
// A bounded look at an IPv4 or IPv6 header, its extension headers and its fragment fields, on the first
// segment of a packet. Called by the worker that owns the packet.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <optional>

#include "switch/net/headers.h"
#include "switch/net/mbuf_view.h"

namespace podswitch::net {

inline constexpr int kMaxExtensionHeaders = 8;

struct L3 {
  uint32_t end;          // of the IP packet, in bytes from the frame's start; never beyond the frame
  uint16_t l4_offset;    // bytes from the frame's start; never beyond `end` or the first segment
  uint8_t protocol;      // of what is at l4_offset
  bool is_fragment;      // RFC 6946's atomic fragments too
  bool is_first;         // holds the start of layer 4: not a fragment, or the one at offset 0
  bool has_routing;      // an IPv6 routing header: the destination may not be the final one
  uint32_t fragment_id;  // what all fragments of one packet share (16 bits in IPv4); 0 when it is none

  uint32_t l4_length() const { return end - l4_offset; }
};

namespace detail {
// inspect_l3() without its shortcut.
std::optional<L3> inspect_l3_fully(const rte_mbuf& packet, uint16_t ether_type, uint16_t l3_offset) noexcept;
}  // namespace detail

// Of IPv4 without options that is no fragment, which the caller has seen.
inline L3 plain_l3(const rte_mbuf& packet, uint16_t l3_offset) noexcept {
  const auto& ip = *rte_pktmbuf_mtod_offset(&packet, const Ipv4Header*, l3_offset);
  return L3{.end = uint32_t{l3_offset} + ip.total_length.host(),
            .l4_offset = static_cast<uint16_t>(l3_offset + sizeof ip),
            .protocol = ip.protocol,
            .is_fragment = false,
            .is_first = true,
            .has_routing = false,
            .fragment_id = 0};
}

// nullopt: truncated, wrong, or more than the above (nothing that a sane sender makes). `ether_type` other
// than IPv4 and IPv6 is nullopt too.
inline std::optional<L3> inspect_l3(const rte_mbuf& packet, uint16_t ether_type,
                                    uint16_t l3_offset) noexcept {
  // Nearly all packets are IPv4, have no options and are no fragments: not worth a call, nor a result that
  // goes through memory.
  const auto* ip = header_at<Ipv4Header>(packet, l3_offset);
  if (ether_type != kEtherTypeIpv4 || ip == nullptr || ip->version_ihl != 0x45) [[unlikely]]
    return detail::inspect_l3_fully(packet, ether_type, l3_offset);
  const uint32_t total_length = ip->total_length.host();
  const uint32_t end = l3_offset + total_length;
  constexpr uint16_t kFragment = kIpv4MoreFragments | kIpv4FragmentOffset;
  if (total_length < sizeof *ip || end > packet.pkt_len || (ip->fragment.host() & kFragment) != 0)
      [[unlikely]]
    return detail::inspect_l3_fully(packet, ether_type, l3_offset);
  return L3{.end = end,
            .l4_offset = static_cast<uint16_t>(l3_offset + sizeof *ip),
            .protocol = ip->protocol,
            .is_fragment = false,
            .is_first = true,
            .has_routing = false,
            .fragment_id = 0};
}

}  // namespace podswitch::net
