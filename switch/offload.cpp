// SPDX-License-Identifier: Apache-2.0
#include "switch/offload.h"

#include <cstring>

#include "switch/net/checksum.h"
#include "switch/net/headers.h"
#include "switch/net/l3.h"
#include "switch/net/mbuf_view.h"

namespace podswitch {
namespace {

constexpr uint32_t kMaxL3Length = 511;  // 9 bits

// The layer 4 header's length, or 0 when the packet does not hold one in its first segment.
uint32_t l4_header_length(const rte_mbuf& packet, const net::L3& l3) noexcept {
  uint32_t length = 0;
  switch (l3.protocol) {
    case net::kProtoTcp: {
      const auto* tcp = net::header_at<net::TcpHeader>(packet, l3.l4_offset);
      if (tcp == nullptr) return 0;
      length = (tcp->data_offset >> 4) * 4u;
      if (length < sizeof *tcp) return 0;
      break;
    }
    case net::kProtoUdp:
      length = sizeof(net::UdpHeader);
      break;
    case net::kProtoSctp:
      length = sizeof(net::SctpHeader);
      break;
    default:
      return 0;
  }
  return l3.l4_offset + length <= packet.data_len && length <= l3.l4_length() ? length : 0;
}

uint64_t checksum_flag(uint8_t protocol) noexcept {
  if (protocol == net::kProtoTcp) return RTE_MBUF_F_TX_TCP_CKSUM;
  if (protocol == net::kProtoUdp) return RTE_MBUF_F_TX_UDP_CKSUM;
  return RTE_MBUF_F_TX_SCTP_CKSUM;
}

bool is_in_tunnel(const rte_mbuf& packet) noexcept {
  return (packet.ol_flags & RTE_MBUF_F_TX_TUNNEL_MASK) != 0;
}

bool takes_tunnel_tso(const rte_mbuf& packet, const TxCaps& caps) noexcept {
  const uint64_t tunnel = packet.ol_flags & RTE_MBUF_F_TX_TUNNEL_MASK;
  return tunnel == RTE_MBUF_F_TX_TUNNEL_VXLAN ? caps.vxlan_tso : caps.geneve_tso;
}

}  // namespace

uint32_t l4_length(const rte_mbuf& packet) noexcept {
  if ((packet.ol_flags & RTE_MBUF_F_TX_IPV4) != 0) {
    const auto* ip = rte_pktmbuf_mtod_offset(&packet, const net::Ipv4Header*, packet.l2_len);
    return ip->total_length.host() - packet.l3_len;
  }
  const auto* ip = rte_pktmbuf_mtod_offset(&packet, const net::Ipv6Header*, packet.l2_len);
  return ip->payload_length.host() + uint32_t{sizeof *ip} - packet.l3_len;
}

bool adopt_offload_request(rte_mbuf& packet, const PacketMeta& meta) noexcept {
  const bool is_partial = (packet.ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE;
  const bool is_super = (packet.ol_flags & RTE_MBUF_F_RX_LRO) != 0;
  const uint16_t segment_size = packet.tso_segsz;
  clear_offload_request(packet);
  packet.tx_offload = 0;
  if (!is_partial) return !is_super;  // virtio 1.2, 5.1.6.2: a super frame needs a partial checksum
  const auto l3 = net::inspect_l3(packet, meta.ether_type, meta.l3_offset);
  if (!l3 || l3->is_fragment) return false;
  const uint32_t l3_length = l3->l4_offset - meta.l3_offset;
  const uint32_t l4_header = l4_header_length(packet, *l3);
  if (l4_header == 0 || l3_length > kMaxL3Length || meta.l3_offset > kMaxL2Length) return false;
  if (is_super && (l3->protocol != net::kProtoTcp || segment_size < kMinSegmentSize)) return false;
  // Padding behind a super frame would go round the MTU.
  if (is_super && packet.pkt_len != l3->end) return false;

  packet.l2_len = meta.l3_offset;
  packet.l3_len = l3_length & kMaxL3Length;
  packet.l4_len = static_cast<uint8_t>(l4_header);
  packet.ol_flags |= checksum_flag(l3->protocol);
  packet.ol_flags |= meta.ether_type == net::kEtherTypeIpv4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
  if (is_super && l3->l4_length() - l4_header > segment_size) {
    packet.ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
    packet.tso_segsz = segment_size;
  }
  return true;
}

bool takes_checksum(const rte_mbuf& packet, const TxCaps& caps) noexcept {
  if ((packet.ol_flags & RTE_MBUF_F_TX_OUTER_UDP_CKSUM) != 0 && !caps.outer_checksum) return false;
  if ((packet.ol_flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_SCTP_CKSUM) return false;
  return is_in_tunnel(packet) ? caps.tunnel_checksum : caps.checksum;
}

bool fits(const rte_mbuf& packet, const TxCaps& caps) noexcept {
  if (packet.nb_segs > 1 && !caps.multi_segment) return false;
  if (!has_open_request(packet)) return true;
  if (!takes_checksum(packet, caps)) return false;
  if ((packet.ol_flags & RTE_MBUF_F_TX_TCP_SEG) == 0) return true;
  if (is_in_tunnel(packet) && !takes_tunnel_tso(packet, caps)) return false;
  if ((packet.ol_flags & RTE_MBUF_F_TX_IPV4) != 0 ? !caps.tso4 : !caps.tso6) return false;
  const auto* tcp = rte_pktmbuf_mtod_offset(&packet, const net::TcpHeader*, packet.l2_len + packet.l3_len);
  return caps.tso_ecn || (tcp->flags & net::kTcpCwr) == 0;
}

void complete_checksum(rte_mbuf& packet) noexcept {
  const uint64_t request = packet.ol_flags & RTE_MBUF_F_TX_L4_MASK;
  if (request == RTE_MBUF_F_TX_L4_NO_CKSUM) return clear_offload_request(packet);
  const uint32_t offset = packet.l2_len + packet.l3_len;
  const uint32_t length = l4_length(packet);
  if (request == RTE_MBUF_F_TX_SCTP_CKSUM) {
    auto* sctp = rte_pktmbuf_mtod_offset(&packet, net::SctpHeader*, offset);
    sctp->checksum = be32_t{};
    sctp->checksum = be32_t::from_raw(~net::crc32c_chain(packet, offset, length, ~uint32_t{0}));
  } else {
    // The field holds the pseudo header's sum, so that summing it up with the rest is all there is to do.
    const be16_t checksum = be16_t::from_raw(net::complement(net::sum_chain(packet, offset, length)));
    if (request == RTE_MBUF_F_TX_TCP_CKSUM)
      rte_pktmbuf_mtod_offset(&packet, net::TcpHeader*, offset)->checksum = checksum;
    else  // RFC 768: 0 would say that there is none
      rte_pktmbuf_mtod_offset(&packet, net::UdpHeader*, offset)->checksum =
          checksum.raw() == 0 ? be16_t(0xffff) : checksum;
  }
  if ((packet.ol_flags & RTE_MBUF_F_TX_OUTER_UDP_CKSUM) != 0)
    complete_outer_checksum(packet, packet.outer_l2_len, packet.outer_l2_len + packet.outer_l3_len);
  clear_offload_request(packet);
}

void complete_outer_checksum(rte_mbuf& packet, uint32_t l3_offset, uint32_t udp_offset) noexcept {
  const auto* ip = rte_pktmbuf_mtod_offset(&packet, const net::Ipv6Header*, l3_offset);
  auto* udp = rte_pktmbuf_mtod_offset(&packet, net::UdpHeader*, udp_offset);
  const uint32_t length = udp->length.host();
  udp->checksum = be16_t{};
  const net::Sum sum =
      net::add_sums(net::pseudo_header_sum(ip->source, ip->destination, ip->next_header, length),
                    net::sum_chain(packet, udp_offset, length));
  udp->checksum = sum == 0xffff ? be16_t(0xffff) : be16_t::from_raw(net::complement(sum));  // RFC 768
}

rte_mbuf* copy_packet(const rte_mbuf& packet, rte_mempool& pool) noexcept {
  return rte_pktmbuf_copy(&packet, &pool, 0, UINT32_MAX);
}

bool push_vlan(rte_mbuf& packet, uint16_t tci) noexcept {
  char* start = rte_pktmbuf_prepend(&packet, sizeof(net::VlanHeader));
  if (start == nullptr) return false;
  std::memmove(start, start + sizeof(net::VlanHeader), 2 * sizeof(MacAddress));
  auto* ether = rte_pktmbuf_mtod(&packet, net::EtherHeader*);
  ether->ether_type = be16_t(net::kEtherTypeVlan);
  // The tag's second half is the frame's old EtherType, which has not moved.
  rte_pktmbuf_mtod_offset(&packet, net::VlanHeader*, sizeof *ether)->tci = be16_t(tci);
  if (has_open_request(packet)) packet.l2_len += sizeof(net::VlanHeader);
  if (is_in_tunnel(packet)) packet.outer_l2_len += sizeof(net::VlanHeader);
  return true;
}

void pop_vlan(rte_mbuf& packet) noexcept {
  char* start = rte_pktmbuf_mtod(&packet, char*);
  std::memmove(start + sizeof(net::VlanHeader), start, 2 * sizeof(MacAddress));
  rte_pktmbuf_adj(&packet, sizeof(net::VlanHeader));
  if (has_open_request(packet)) packet.l2_len -= sizeof(net::VlanHeader);
  if (is_in_tunnel(packet)) packet.outer_l2_len -= sizeof(net::VlanHeader);
}

}  // namespace podswitch
