// SPDX-License-Identifier: Apache-2.0
#include "pmd/eth_offload.h"

#include <string_view>

#include "switch/net/checksum.h"
#include "switch/net/headers.h"

namespace podswitch {
namespace {

bool is_in_tunnel(const rte_mbuf& packet) noexcept {
  return (packet.ol_flags & RTE_MBUF_F_TX_TUNNEL_MASK) != 0;
}

net::TcpHeader& tcp_of(rte_mbuf& packet) noexcept {
  return *rte_pktmbuf_mtod_offset(&packet, net::TcpHeader*, packet.l2_len + packet.l3_len);
}

// The length that the pseudo header's sum covers inside the switch, and for a driver does not.
net::Sum length_in_sum(const rte_mbuf& packet) noexcept {
  return be16_t(static_cast<uint16_t>(l4_length(packet))).raw();
}

void forget_ipv4_checksum(rte_mbuf& packet, uint32_t offset) noexcept {
  rte_pktmbuf_mtod_offset(&packet, net::Ipv4Header*, offset)->checksum = be16_t{};
}

// The pseudo header's sum, for segmentation without the length: what drivers find there.
void prepare_outer_checksum(rte_mbuf& packet) noexcept {
  const auto* ip = rte_pktmbuf_mtod_offset(&packet, const net::Ipv6Header*, packet.outer_l2_len);
  const uint32_t udp_offset = packet.outer_l2_len + packet.outer_l3_len;
  auto* udp = rte_pktmbuf_mtod_offset(&packet, net::UdpHeader*, udp_offset);
  const uint32_t length = (packet.ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0 ? 0 : udp->length.host();
  udp->checksum =
      be16_t::from_raw(net::pseudo_header_sum(ip->source, ip->destination, ip->next_header, length));
}

constexpr uint64_t kHeaderChecksums = RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_OUTER_IP_CKSUM;

}  // namespace

EthTxOffloads tx_offloads_of(const rte_eth_dev_info& info) {
  const uint64_t can = info.tx_offload_capa;
  EthTxOffloads out;
  const auto take = [&](uint64_t flags, bool is_wanted = true) {
    if (!is_wanted || (can & flags) != flags) return false;
    out.flags |= flags;
    return true;
  };
  TxCaps& caps = out.caps;
  caps.multi_segment = take(RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
  caps.checksum = take(RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM);
  // DPDK has no flag for inner checksums: who knows outer headers, knows inner ones.
  caps.tunnel_checksum = take(RTE_ETH_TX_OFFLOAD_OUTER_IPV4_CKSUM, caps.checksum);
  caps.outer_checksum = take(RTE_ETH_TX_OFFLOAD_OUTER_UDP_CKSUM, caps.tunnel_checksum);
  caps.tso4 =
      take(RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM, caps.checksum && caps.multi_segment);
  // net_tap cuts by rte_gso, which knows no TCP over IPv6 (22.11).
  const std::string_view driver = info.driver_name == nullptr ? "" : info.driver_name;
  caps.tso6 = caps.tso4 && driver != "net_tap";
  const bool has_tunnel_tso = caps.tunnel_checksum && caps.tso4;
  caps.vxlan_tso = take(RTE_ETH_TX_OFFLOAD_VXLAN_TNL_TSO, has_tunnel_tso);
  caps.geneve_tso = take(RTE_ETH_TX_OFFLOAD_GENEVE_TNL_TSO, has_tunnel_tso);
  return out;
}

void to_device_form(rte_mbuf& packet) noexcept {
  if ((packet.ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0) {
    be16_t& sum = tcp_of(packet).checksum;
    sum = be16_t::from_raw(net::add_sums(sum.raw(), net::complement(length_in_sum(packet))));
    if ((packet.ol_flags & RTE_MBUF_F_TX_IPV4) != 0) {
      forget_ipv4_checksum(packet, packet.l2_len);
      packet.ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
    }
    if ((packet.ol_flags & RTE_MBUF_F_TX_OUTER_IPV4) != 0) {
      forget_ipv4_checksum(packet, packet.outer_l2_len);
      packet.ol_flags |= RTE_MBUF_F_TX_OUTER_IP_CKSUM;
    }
  }
  if ((packet.ol_flags & RTE_MBUF_F_TX_OUTER_UDP_CKSUM) != 0) prepare_outer_checksum(packet);
  if (is_in_tunnel(packet)) packet.l2_len -= packet.outer_l2_len + packet.outer_l3_len;
}

void from_device_form(rte_mbuf& packet) noexcept {
  if (is_in_tunnel(packet)) packet.l2_len += packet.outer_l2_len + packet.outer_l3_len;
  packet.ol_flags &= ~kHeaderChecksums;
  if ((packet.ol_flags & RTE_MBUF_F_TX_TCP_SEG) == 0) return;
  be16_t& sum = tcp_of(packet).checksum;
  sum = be16_t::from_raw(net::add_sums(sum.raw(), length_in_sum(packet)));
}

}  // namespace podswitch
