// SPDX-License-Identifier: Apache-2.0
#include "pmd/solicit.h"

#include <cstring>

#include "switch/net/checksum.h"
#include "switch/net/headers.h"

namespace podswitch {
namespace {

constexpr MacAddress kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

struct ArpFrame {
  net::EtherHeader ether;
  net::ArpPacket arp;
};
struct NeighbourFrame {
  net::EtherHeader ether;
  net::Ipv6Header ip;
  net::NdNeighbour neighbour;
  net::NdLinkLayerOption option;
};

template <typename Frame>
rte_mbuf* packet_of(rte_mempool& pool, const Frame& frame) {
  rte_mbuf* packet = rte_pktmbuf_alloc(&pool);
  if (packet == nullptr) return nullptr;
  std::memcpy(rte_pktmbuf_append(packet, sizeof frame), &frame, sizeof frame);
  return packet;
}

// RFC 2464 section 7.
MacAddress group_mac_of(const Ipv6Address& group) {
  return {{0x33, 0x33, group.bytes[12], group.bytes[13], group.bytes[14], group.bytes[15]}};
}

// A solicitation or an advertisement from `own_ip`, with its MAC as the only option.
NeighbourFrame neighbour_frame(const MacAddress& own_mac, const Ipv6Address& own_ip, const MacAddress& to_mac,
                               const Ipv6Address& to, const net::NdNeighbour& message, uint8_t option) {
  NeighbourFrame frame{.ether = {to_mac, own_mac, be16_t(net::kEtherTypeIpv6)},
                       .ip = {.version_class_label = be32_t(0x60000000),
                              .payload_length = be16_t(sizeof frame.neighbour + sizeof frame.option),
                              .next_header = net::kProtoIcmpv6,
                              .hop_limit = 255,
                              .source = own_ip,
                              .destination = to},
                       .neighbour = message,
                       .option = {.type = option, .length = 1, .mac = own_mac}};
  constexpr uint32_t kLength = sizeof frame.neighbour + sizeof frame.option;
  const net::Sum pseudo =
      net::pseudo_header_sum(frame.ip.source, frame.ip.destination, net::kProtoIcmpv6, kLength);
  const net::Sum sum = net::add_sums(pseudo, net::sum_bytes(&frame.neighbour, kLength));
  frame.neighbour.icmp.checksum = be16_t::from_raw(net::complement(sum));
  return frame;
}

}  // namespace

rte_mbuf* arp_request(rte_mempool& pool, const MacAddress& own_mac, const Ipv4Address& own_ip,
                      const Ipv4Address& target, const std::optional<MacAddress>& known) {
  return packet_of(pool, ArpFrame{.ether = {known.value_or(kBroadcast), own_mac, be16_t(net::kEtherTypeArp)},
                                  .arp = {.hardware_type = be16_t(1),
                                          .protocol_type = be16_t(net::kEtherTypeIpv4),
                                          .hardware_length = 6,
                                          .protocol_length = 4,
                                          .operation = be16_t(net::kArpRequest),
                                          .sender_mac = own_mac,
                                          .sender_ip = own_ip,
                                          .target_mac = {},
                                          .target_ip = target}});
}

rte_mbuf* neighbour_solicitation(rte_mempool& pool, const MacAddress& own_mac, const Ipv6Address& own_ip,
                                 const Ipv6Address& target, const std::optional<MacAddress>& known) {
  const Ipv6Address group = Ipv6Address::solicited_node_of(target);
  const net::NdNeighbour message{
      .icmp = {.type = net::kNdNeighbourSolicit, .code = 0, .checksum = {}}, .flags = {}, .target = target};
  return packet_of(pool, neighbour_frame(own_mac, own_ip, known.value_or(group_mac_of(group)),
                                         known ? target : group, message, net::kNdOptionSourceMac));
}

rte_mbuf* unsolicited_advertisement(rte_mempool& pool, const MacAddress& own_mac, const Ipv6Address& own_ip) {
  constexpr Ipv6Address kAllNodes{{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
  const net::NdNeighbour message{.icmp = {.type = net::kNdNeighbourAdvert, .code = 0, .checksum = {}},
                                 .flags = be32_t(net::kNdOverride),
                                 .target = own_ip};
  return packet_of(pool, neighbour_frame(own_mac, own_ip, group_mac_of(kAllNodes), kAllNodes, message,
                                         net::kNdOptionTargetMac));
}

}  // namespace podswitch
