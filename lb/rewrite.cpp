// SPDX-License-Identifier: Apache-2.0
#include "lb/rewrite.h"

#include <cstring>

#include "switch/net/mbuf_view.h"

namespace podswitch {
namespace {

constexpr uint64_t kOpenRequest = RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG;

bool is_partial(const rte_mbuf& packet) noexcept {
  return (packet.ol_flags & kOpenRequest) != 0;
}

void write_addresses(rte_mbuf& packet, uint16_t l3_offset, bool is_v6, const Rewrite& change) noexcept {
  if (is_v6) {
    auto* ip = rte_pktmbuf_mtod_offset(&packet, net::Ipv6Header*, l3_offset);
    std::memcpy(ip->source.bytes.data(), &change.to.addresses[0], sizeof ip->source);
    std::memcpy(ip->destination.bytes.data(), &change.to.addresses[2], sizeof ip->destination);
    return;
  }
  auto* ip = rte_pktmbuf_mtod_offset(&packet, net::Ipv4Header*, l3_offset);
  std::memcpy(ip->source.bytes.data(), &change.to.addresses[0], 2 * sizeof ip->source);
  ip->checksum = be16_t::from_raw(adjusted(ip->checksum.raw(), change.address_delta));
}

template <typename Header>
void write_ports(Header& header, uint32_t ports) noexcept {
  std::memcpy(static_cast<void*>(&header), &ports, sizeof ports);
}

bool rewrite_tcp(rte_mbuf& packet, const net::L3& l3, const Rewrite& change) noexcept {
  auto* tcp = net::header_at<net::TcpHeader>(packet, l3.l4_offset);
  if (tcp == nullptr || l3.l4_length() < sizeof *tcp) return false;
  tcp->checksum =
      be16_t::from_raw(is_partial(packet) ? net::add_sums(tcp->checksum.raw(), change.address_delta)
                                          : adjusted(tcp->checksum.raw(), change.full_delta));
  write_ports(*tcp, change.to.ports);
  return true;
}

bool rewrite_udp(rte_mbuf& packet, const net::L3& l3, const Rewrite& change) noexcept {
  auto* udp = net::header_at<net::UdpHeader>(packet, l3.l4_offset);
  if (udp == nullptr || l3.l4_length() < sizeof *udp) return false;
  udp->checksum =
      be16_t::from_raw(is_partial(packet) ? net::add_sums(udp->checksum.raw(), change.address_delta)
                                          : adjusted_udp(udp->checksum.raw(), change.full_delta));
  write_ports(*udp, change.to.ports);
  return true;
}

// The CRC covers the ports, not the addresses. What it was off by before it is off by afterwards.
bool rewrite_sctp(rte_mbuf& packet, const net::L3& l3, const Rewrite& change) noexcept {
  auto* sctp = net::header_at<net::SctpHeader>(packet, l3.l4_offset);
  if (sctp == nullptr || l3.l4_length() < sizeof *sctp) return false;
  uint32_t ports;
  std::memcpy(&ports, sctp, sizeof ports);
  if (is_partial(packet) || ports == change.to.ports) {
    write_ports(*sctp, change.to.ports);
    return true;
  }
  if (l3.is_fragment) return false;
  const auto crc = [&] { return ~net::crc32c_chain(packet, l3.l4_offset, l3.l4_length(), ~uint32_t{0}); };
  const uint32_t sent = sctp->checksum.raw();
  sctp->checksum = be32_t{};
  const uint32_t before = crc();
  write_ports(*sctp, change.to.ports);
  sctp->checksum = be32_t::from_raw(sent ^ before ^ crc());
  return true;
}

}  // namespace

Rewrite make_rewrite(const FlowKey& from, const FlowKey& to) noexcept {
  const net::Sum addresses = net::add_sums(to.address_sum(), net::complement(from.address_sum()));
  const net::Sum ports = net::add_sums(to.port_sum(), net::complement(from.port_sum()));
  return {to, addresses, net::add_sums(addresses, ports)};
}

bool rewrite(rte_mbuf& packet, uint16_t l3_offset, const net::L3& l3, bool is_v6,
             const Rewrite& change) noexcept {
  if (l3.is_first) {
    bool is_done = false;
    if (l3.protocol == net::kProtoTcp) is_done = rewrite_tcp(packet, l3, change);
    if (l3.protocol == net::kProtoUdp) is_done = rewrite_udp(packet, l3, change);
    if (l3.protocol == net::kProtoSctp) is_done = rewrite_sctp(packet, l3, change);
    if (!is_done) return false;
  }
  write_addresses(packet, l3_offset, is_v6, change);
  return true;
}

}  // namespace podswitch
