// SPDX-License-Identifier: Apache-2.0
#include "switch/net/ecn.h"

#include "switch/net/checksum.h"

namespace podswitch::net {
namespace {

constexpr int kIpv6Shift = 4;  // of the traffic class in the first two octets

void set_ipv4_ecn(rte_mbuf& packet, uint16_t l3_offset, Ecn ecn) noexcept {
  auto* ip = header_at<Ipv4Header>(packet, l3_offset);
  if (ip == nullptr) return;
  auto* word = rte_pktmbuf_mtod_offset(&packet, be16_t*, l3_offset);
  const be16_t before = *word;
  *word = be16_t(static_cast<uint16_t>((before.host() & ~kEcnMask) | static_cast<uint16_t>(ecn)));
  ip->checksum = updated_checksum(ip->checksum, before, *word);
}

void set_ipv6_ecn(rte_mbuf& packet, uint16_t l3_offset, Ecn ecn) noexcept {
  auto* word = header_at<be16_t>(packet, l3_offset);
  if (word == nullptr) return;
  *word = be16_t(static_cast<uint16_t>((word->host() & ~(kEcnMask << kIpv6Shift)) | static_cast<uint16_t>(ecn)
                                                                                        << kIpv6Shift));
}

}  // namespace

bool detail::combine_ecn(rte_mbuf& packet, uint16_t ether_type, uint16_t l3_offset, Ecn outer) noexcept {
  if (ether_type != kEtherTypeIpv4 && ether_type != kEtherTypeIpv6) return true;
  const Ecn inner = ecn_of(traffic_class(packet, ether_type, l3_offset));
  if (inner == Ecn::NotEct) return outer != Ecn::Ce;
  if (inner == Ecn::Ce || inner == outer) return true;
  if (ether_type == kEtherTypeIpv4)
    set_ipv4_ecn(packet, l3_offset, outer);
  else
    set_ipv6_ecn(packet, l3_offset, outer);
  return true;
}

}  // namespace podswitch::net
