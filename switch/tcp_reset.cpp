// SPDX-License-Identifier: Apache-2.0
#include "switch/tcp_reset.h"

#include <utility>

#include "switch/net/checksum.h"
#include "switch/net/headers.h"
#include "switch/net/mbuf_view.h"
#include "switch/offload.h"
#include "switch/trim.h"

namespace podswitch {
namespace {

constexpr uint8_t kTtl = 64;

struct Numbers {
  be32_t sequence, acknowledgement;
  uint8_t flags;
};

// To a segment without ACK the reset acknowledges all that it holds; SYN and FIN count as a byte each.
Numbers numbers_for(const net::TcpHeader& tcp, uint32_t payload) noexcept {
  if ((tcp.flags & net::kTcpAck) != 0) return {tcp.acknowledgement, be32_t{}, net::kTcpRst};
  const uint32_t length = payload + ((tcp.flags & net::kTcpSyn) != 0) + ((tcp.flags & net::kTcpFin) != 0);
  return {be32_t{}, be32_t(tcp.sequence.host() + length), net::kTcpRst | net::kTcpAck};
}

void write_tcp(net::TcpHeader& tcp, const Numbers& numbers) noexcept {
  const auto source_port = tcp.destination_port;
  tcp = {.source_port = source_port,
         .destination_port = tcp.source_port,
         .sequence = numbers.sequence,
         .acknowledgement = numbers.acknowledgement,
         .data_offset = sizeof tcp / 4 << 4,
         .flags = numbers.flags,
         .window = {},
         .checksum = {},
         .urgent = {}};
}

be16_t tcp_checksum(const net::TcpHeader& tcp, net::Sum pseudo_header) noexcept {
  return be16_t::from_raw(net::complement(net::add_sums(pseudo_header, net::sum_bytes(&tcp, sizeof tcp))));
}

void finish_v4(net::Ipv4Header& ip, net::TcpHeader& tcp) noexcept {
  std::swap(ip.source, ip.destination);
  ip.version_ihl = 0x45;
  ip.tos = 0;
  ip.total_length = be16_t(sizeof ip + sizeof tcp);
  ip.id = {};
  ip.fragment = be16_t(net::kIpv4DontFragment);
  ip.ttl = kTtl;
  ip.checksum = {};
  ip.checksum = be16_t::from_raw(net::complement(net::sum_bytes(&ip, sizeof ip)));
  tcp.checksum =
      tcp_checksum(tcp, net::pseudo_header_sum(ip.source, ip.destination, net::kProtoTcp, sizeof tcp));
}

void finish_v6(net::Ipv6Header& ip, net::TcpHeader& tcp) noexcept {
  std::swap(ip.source, ip.destination);
  ip.version_class_label = be32_t(6u << 28);
  ip.payload_length = be16_t(sizeof tcp);
  ip.next_header = net::kProtoTcp;
  ip.hop_limit = kTtl;
  tcp.checksum =
      tcp_checksum(tcp, net::pseudo_header_sum(ip.source, ip.destination, net::kProtoTcp, sizeof tcp));
}

}  // namespace

bool make_tcp_reset(rte_mbuf& packet, uint16_t l3_offset, const net::L3& l3) noexcept {
  const auto* tcp = net::header_at<net::TcpHeader>(packet, l3.l4_offset);
  if (tcp == nullptr || l3.protocol != net::kProtoTcp || l3.is_fragment || net::is_shared(packet))
    return false;
  const uint32_t header_length = (tcp->data_offset >> 4) * 4u;
  if (header_length < sizeof *tcp || header_length > l3.l4_length() || (tcp->flags & net::kTcpRst) != 0)
    return false;
  const bool is_v4 = *rte_pktmbuf_mtod_offset(&packet, const uint8_t*, l3_offset) >> 4 == 4;
  const Numbers numbers = numbers_for(*tcp, l3.l4_length() - header_length);
  net::TcpHeader answer = *tcp;
  write_tcp(answer, numbers);
  clear_offload_request(packet);
  packet.tx_offload = 0;
  packet.packet_type = 0;
  // Options and extension headers go.
  const uint32_t ip_length = is_v4 ? sizeof(net::Ipv4Header) : sizeof(net::Ipv6Header);
  auto* place = rte_pktmbuf_mtod_offset(&packet, net::TcpHeader*, l3_offset + ip_length);
  *place = answer;
  if (is_v4)
    finish_v4(*rte_pktmbuf_mtod_offset(&packet, net::Ipv4Header*, l3_offset), *place);
  else
    finish_v6(*rte_pktmbuf_mtod_offset(&packet, net::Ipv6Header*, l3_offset), *place);
  trim(packet, l3_offset + ip_length + uint32_t{sizeof answer});
  return true;
}

}  // namespace podswitch
