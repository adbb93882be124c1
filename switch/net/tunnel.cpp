// SPDX-License-Identifier: Apache-2.0
#include "switch/net/tunnel.h"

#include <optional>

#include "switch/net/checksum.h"
#include "switch/net/l3.h"
#include "switch/net/mbuf_view.h"

namespace podswitch::net {
namespace {

constexpr Sum kGoodSum = 0xffff;
constexpr uint16_t kMoreOrOffset = 0x3fff;  // of IPv4's fragment field

struct TunnelHeader {
  uint32_t vni;
  uint32_t length;  // options included
};

struct UdpPlace {
  uint32_t offset;  // 0: no UDP header here
  uint32_t end;     // of the IP packet
};

// What inspect_l3() says about nearly all tunnel packets, without its way through memory.
UdpPlace find_plain_udp(const rte_mbuf& packet, uint16_t ether_type, uint16_t l3_offset) noexcept {
  constexpr UdpPlace kNone{0, 0};
  if (ether_type == kEtherTypeIpv4) {
    const auto* ip = header_at<Ipv4Header>(packet, l3_offset);
    if (ip == nullptr || ip->version_ihl != 0x45 || ip->protocol != kProtoUdp) return kNone;
    const uint32_t length = ip->total_length.host();
    if (length < sizeof *ip || l3_offset + length > packet.pkt_len) return kNone;
    if ((ip->fragment.host() & kMoreOrOffset) != 0) return kNone;
    return {l3_offset + uint32_t{sizeof *ip}, l3_offset + length};
  }
  const auto* ip = header_at<Ipv6Header>(packet, l3_offset);
  if (ether_type != kEtherTypeIpv6 || ip == nullptr || ip->next_header != kProtoUdp) return kNone;
  const uint32_t offset = l3_offset + uint32_t{sizeof *ip};
  const uint32_t end = offset + ip->payload_length.host();
  if (ip->version_class_label.host() >> 28 != 6 || end > packet.pkt_len) return kNone;
  return {offset, end};
}

// A UDP header right behind an IP header whose length is wrong, and so no UDP packet that ends anywhere.
UdpPlace find_broken_udp(const rte_mbuf& packet, uint16_t ether_type, uint16_t l3_offset) noexcept {
  if (ether_type == kEtherTypeIpv4) {
    const auto* ip = header_at<Ipv4Header>(packet, l3_offset);
    if (ip == nullptr || ip->version_ihl >> 4 != 4 || ip->protocol != kProtoUdp) return {0, 0};
    const uint32_t length = (ip->version_ihl & 0x0fu) * 4;
    if (length < sizeof *ip || (ip->fragment.host() & kMoreOrOffset) != 0) return {0, 0};
    return {l3_offset + length, 0};
  }
  const auto* ip = header_at<Ipv6Header>(packet, l3_offset);
  if (ether_type != kEtherTypeIpv6 || ip == nullptr || ip->next_header != kProtoUdp) return {0, 0};
  return {ip->version_class_label.host() >> 28 == 6 ? l3_offset + uint32_t{sizeof *ip} : 0, 0};
}

UdpPlace find_udp(const rte_mbuf& packet, uint16_t ether_type, uint16_t l3_offset) noexcept {
  const UdpPlace plain = find_plain_udp(packet, ether_type, l3_offset);
  if (plain.offset != 0) [[likely]]
    return plain;
  const auto l3 = inspect_l3(packet, ether_type, l3_offset);
  if (!l3) return find_broken_udp(packet, ether_type, l3_offset);
  if (l3->protocol != kProtoUdp || l3->is_fragment || l3->has_routing) return {0, 0};
  return {l3->l4_offset, l3->end};
}

std::optional<TunnelHeader> read_vxlan(const rte_mbuf& packet, uint32_t offset) noexcept {
  const auto* vxlan = header_at<VxlanHeader>(packet, offset);
  if (vxlan == nullptr || (vxlan->flags & kVxlanHasVni) == 0) return std::nullopt;
  return TunnelHeader{vxlan->vni_reserved.host() >> 8, sizeof *vxlan};
}

// RFC 8926 section 3.5: the options fill just the length that is announced for them. One that is critical
// without the header's flag is its sender's mistake, and no less unknown here.
bool can_skip_options(const rte_mbuf& packet, uint32_t offset, uint32_t end) noexcept {
  while (offset < end) {
    const auto* option = header_at<GeneveOption>(packet, offset);
    if (option == nullptr || (option->type & kGeneveCriticalOption) != 0) return false;
    offset += uint32_t{sizeof *option} + (option->length & 0x1fu) * 4;
  }
  return offset == end;
}

std::optional<TunnelHeader> read_geneve(const rte_mbuf& packet, uint32_t offset) noexcept {
  const auto* geneve = header_at<GeneveHeader>(packet, offset);
  if (geneve == nullptr || geneve->version_length >> 6 != 0) return std::nullopt;
  if ((geneve->flags & (kGeneveControl | kGeneveCritical)) != 0) return std::nullopt;
  if (geneve->protocol_type.host() != kEtherTypeBridged) return std::nullopt;
  const uint32_t length = uint32_t{sizeof *geneve} + (geneve->version_length & 0x3fu) * 4;
  if (!can_skip_options(packet, offset + uint32_t{sizeof *geneve}, offset + length)) return std::nullopt;
  return TunnelHeader{geneve->vni_reserved.host() >> 8, length};
}

// True when the receiving port answers for the UDP checksum, or the packet never was on a wire.
bool is_udp_vouched_for(const rte_mbuf& packet) noexcept {
  if ((packet.ol_flags & (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG)) != 0) return true;
  if ((packet.packet_type & RTE_PTYPE_TUNNEL_MASK) != 0)
    return (packet.ol_flags & RTE_MBUF_F_RX_OUTER_L4_CKSUM_MASK) == RTE_MBUF_F_RX_OUTER_L4_CKSUM_GOOD;
  return (packet.ol_flags & RTE_MBUF_F_RX_L4_CKSUM_GOOD) != 0;  // GOOD or NONE
}

template <typename Header>
bool is_udp_checksum_right(const rte_mbuf& packet, const Header& ip, uint32_t offset,
                           const UdpHeader& udp) noexcept {
  if (udp.checksum.raw() == 0 || is_udp_vouched_for(packet)) [[likely]]
    return true;
  const uint32_t length = udp.length.host();
  return add_sums(pseudo_header_sum(ip.source, ip.destination, kProtoUdp, length),
                  sum_chain(packet, offset, length)) == kGoodSum;
}

// Fills in what the outer IP header says. False: a checksum is wrong.
bool read_outer_ip(const rte_mbuf& packet, uint16_t ether_type, uint16_t l3_offset, uint32_t udp_offset,
                   const UdpHeader& udp, TunnelPacket& out) noexcept {
  if (ether_type == kEtherTypeIpv4) {
    const auto& ip = *rte_pktmbuf_mtod_offset(&packet, const Ipv4Header*, l3_offset);
    out.outer_source = IpAddress(ip.source);
    out.outer_destination = IpAddress(ip.destination);
    out.outer_ecn_tos = ip.tos;
    return is_ipv4_checksum_right(packet, ip) && is_udp_checksum_right(packet, ip, udp_offset, udp);
  }
  const auto& ip = *rte_pktmbuf_mtod_offset(&packet, const Ipv6Header*, l3_offset);
  out.outer_source = IpAddress(ip.source);
  out.outer_destination = IpAddress(ip.destination);
  out.outer_ecn_tos = static_cast<uint8_t>(ip.version_class_label.host() >> 20);
  return is_udp_checksum_right(packet, ip, udp_offset, udp);
}

}  // namespace

TunnelRead read_tunnel(const rte_mbuf& packet, uint16_t ether_type, uint16_t l3_offset, uint16_t udp_port,
                       Encapsulation encapsulation) noexcept {
  TunnelRead result{TunnelVerdict::NotTunnel, {}};
  const UdpPlace place = find_udp(packet, ether_type, l3_offset);
  if (place.offset == 0) return result;
  const auto* udp = header_at<UdpHeader>(packet, place.offset);
  if (udp == nullptr || udp->destination_port != be16_t(udp_port)) return result;

  result.verdict = TunnelVerdict::Malformed;
  const uint32_t udp_length = udp->length.host();
  const uint32_t end = place.offset + udp_length;
  if (udp_length < sizeof *udp || end > place.end) return result;
  const uint32_t tunnel_offset = place.offset + uint32_t{sizeof *udp};
  const auto tunnel = encapsulation == Encapsulation::Vxlan ? read_vxlan(packet, tunnel_offset)
                                                            : read_geneve(packet, tunnel_offset);
  if (!tunnel) return result;
  const uint32_t inner_offset = tunnel_offset + tunnel->length;
  if (inner_offset + sizeof(EtherHeader) > end || !header_at<EtherHeader>(packet, inner_offset))
    return result;
  if (!read_outer_ip(packet, ether_type, l3_offset, place.offset, *udp, result.packet)) return result;
  result.packet.vni = tunnel->vni;
  result.packet.inner_length = end - inner_offset;
  result.packet.inner_offset = static_cast<uint16_t>(inner_offset);
  result.verdict = TunnelVerdict::Tunnel;
  return result;
}

}  // namespace podswitch::net
