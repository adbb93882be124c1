// SPDX-License-Identifier: Apache-2.0
#include "switch/net/l3.h"

#include <algorithm>

namespace podswitch::net {
namespace {

struct ExtensionHeader {
  uint8_t next_header;
  uint8_t length;  // without the first 8 bytes, in units of 8 bytes
};

std::optional<L3> inspect_ipv4(const rte_mbuf& packet, uint16_t l3_offset) noexcept {
  const auto* ip = header_at<Ipv4Header>(packet, l3_offset);
  if (ip == nullptr || ip->version_ihl >> 4 != 4) return std::nullopt;
  const uint32_t header_length = (ip->version_ihl & 0x0f) * 4u;
  const uint32_t total_length = ip->total_length.host();
  if (header_length < sizeof(Ipv4Header) || total_length < header_length) return std::nullopt;
  const uint32_t l4_offset = l3_offset + header_length;
  const uint32_t end = l3_offset + total_length;
  if (l4_offset > packet.data_len || end > packet.pkt_len) return std::nullopt;
  const uint16_t fragment = ip->fragment.host();
  const bool is_fragment = (fragment & (kIpv4MoreFragments | kIpv4FragmentOffset)) != 0;
  return L3{.end = end,
            .l4_offset = static_cast<uint16_t>(l4_offset),
            .protocol = ip->protocol,
            .is_fragment = is_fragment,
            .is_first = (fragment & kIpv4FragmentOffset) == 0,
            .has_routing = false,
            .fragment_id = is_fragment ? ip->id.host() : 0u};
}

bool is_extension(uint8_t protocol) noexcept {
  return protocol == kProtoHopByHop || protocol == kProtoRouting || protocol == kProtoFragment ||
         protocol == kProtoAuth || protocol == kProtoDestOptions;
}

// Steps over one extension header. False: it does not fit.
bool step(const rte_mbuf& packet, L3& l3, uint32_t limit) noexcept {
  const auto* header = header_at<ExtensionHeader>(packet, l3.l4_offset);
  if (header == nullptr) return false;
  uint32_t length = (header->length + 1u) * 8;
  if (l3.protocol == kProtoAuth) length = (header->length + 2u) * 4;  // RFC 4302 section 2.2
  if (l3.protocol == kProtoRouting) l3.has_routing = true;
  if (l3.protocol == kProtoFragment) {
    const auto* fragment = header_at<Ipv6FragmentHeader>(packet, l3.l4_offset);
    if (fragment == nullptr) return false;
    length = sizeof *fragment;
    l3.is_fragment = true;
    l3.is_first = (fragment->offset_flags.host() & 0xfff8) == 0;
    l3.fragment_id = fragment->id.host();
  }
  if (l3.l4_offset + length > limit) return false;
  l3.protocol = header->next_header;
  l3.l4_offset = static_cast<uint16_t>(l3.l4_offset + length);
  return true;
}

std::optional<L3> inspect_ipv6(const rte_mbuf& packet, uint16_t l3_offset) noexcept {
  const auto* ip = header_at<Ipv6Header>(packet, l3_offset);
  if (ip == nullptr || ip->version_class_label.host() >> 28 != 6) return std::nullopt;
  L3 l3{.end = l3_offset + uint32_t{sizeof *ip} + ip->payload_length.host(),
        .l4_offset = static_cast<uint16_t>(l3_offset + sizeof *ip),
        .protocol = ip->next_header,
        .is_fragment = false,
        .is_first = true,
        .has_routing = false,
        .fragment_id = 0};
  if (l3.end > packet.pkt_len) return std::nullopt;
  const uint32_t limit = std::min<uint32_t>(l3.end, packet.data_len);
  for (int i = 0; l3.is_first && is_extension(l3.protocol); ++i)
    if (i == kMaxExtensionHeaders || !step(packet, l3, limit)) return std::nullopt;
  return l3;
}

}  // namespace

std::optional<L3> detail::inspect_l3_fully(const rte_mbuf& packet, uint16_t ether_type,
                                           uint16_t l3_offset) noexcept {
  if (ether_type == kEtherTypeIpv4) return inspect_ipv4(packet, l3_offset);
  if (ether_type == kEtherTypeIpv6) return inspect_ipv6(packet, l3_offset);
  return std::nullopt;
}

}  // namespace podswitch::net
