// SPDX-License-Identifier: Apache-2.0
// segment() of switch/offload.h. Own code, because rte_gso of DPDK 22.11 knows no TCP over IPv6.
#include <algorithm>
#include <cstring>

#include "switch/chain_copy.h"
#include "switch/net/checksum.h"
#include "switch/net/headers.h"
#include "switch/offload.h"

namespace podswitch {
namespace {

// What all segments of one frame share.
struct Plan {
  uint32_t header_length;  // layers 2 to 4
  uint32_t payload_length;
  bool is_ipv4;
  net::Sum seed;  // the pseudo header's sum, without the length
};

uint32_t payload_length_of(const rte_mbuf& packet) noexcept {
  return l4_length(packet) - packet.l4_len;
}

Plan plan_of(const rte_mbuf& packet) noexcept {
  Plan plan{};
  plan.header_length = packet.l2_len + packet.l3_len + packet.l4_len;
  plan.is_ipv4 = (packet.ol_flags & RTE_MBUF_F_TX_IPV4) != 0;
  plan.payload_length = payload_length_of(packet);
  const auto* tcp = rte_pktmbuf_mtod_offset(&packet, const net::TcpHeader*, packet.l2_len + packet.l3_len);
  // The sender's sum rather than one of our own: behind a routing header only the sender's has the final
  // destination.
  const be16_t full_length(static_cast<uint16_t>(packet.l4_len + plan.payload_length));
  plan.seed = net::add_sums(tcp->checksum.raw(), net::complement(full_length.raw()));
  return plan;
}

void fix_ipv4(net::Ipv4Header& ip, uint32_t header_length, uint32_t length, uint16_t index) noexcept {
  ip.total_length = be16_t(static_cast<uint16_t>(length));
  ip.id = be16_t(static_cast<uint16_t>(ip.id.host() + index));
  ip.checksum = be16_t{};
  ip.checksum = be16_t::from_raw(net::complement(net::sum_bytes(&ip, header_length)));
}

// The outer headers of a piece whose inner ones are right already. The piece has no padding.
void fix_outer(const rte_mbuf& source, rte_mbuf& piece, uint16_t index) noexcept {
  if ((source.ol_flags & RTE_MBUF_F_TX_TUNNEL_MASK) == 0) return;
  const uint32_t l3_offset = source.outer_l2_len;
  const uint32_t udp_offset = l3_offset + source.outer_l3_len;
  auto* udp = rte_pktmbuf_mtod_offset(&piece, net::UdpHeader*, udp_offset);
  udp->length = be16_t(static_cast<uint16_t>(piece.pkt_len - udp_offset));
  if ((source.ol_flags & RTE_MBUF_F_TX_OUTER_IPV4) != 0)
    fix_ipv4(*rte_pktmbuf_mtod_offset(&piece, net::Ipv4Header*, l3_offset), source.outer_l3_len,
             piece.pkt_len - l3_offset, index);
  else
    rte_pktmbuf_mtod_offset(&piece, net::Ipv6Header*, l3_offset)->payload_length = udp->length;
  if ((source.ol_flags & RTE_MBUF_F_TX_OUTER_UDP_CKSUM) != 0)
    complete_outer_checksum(piece, l3_offset, udp_offset);
}

// `source` has the lengths that `piece`, a copy of its headers with `size` bytes of payload, lacks.
void fix_headers(const rte_mbuf& source, const Plan& plan, rte_mbuf& piece, uint16_t index, uint32_t start,
                 uint32_t size) noexcept {
  const uint32_t l3_length = source.l3_len;
  const uint32_t l4_offset = source.l2_len + l3_length;
  const uint32_t l4_size = source.l4_len + size;
  if (plan.is_ipv4) {
    fix_ipv4(*rte_pktmbuf_mtod_offset(&piece, net::Ipv4Header*, source.l2_len), l3_length,
             l3_length + l4_size, index);
  } else {
    rte_pktmbuf_mtod_offset(&piece, net::Ipv6Header*, source.l2_len)->payload_length =
        be16_t(static_cast<uint16_t>(l3_length - sizeof(net::Ipv6Header) + l4_size));
  }
  auto* tcp = rte_pktmbuf_mtod_offset(&piece, net::TcpHeader*, l4_offset);
  tcp->sequence = be32_t(tcp->sequence.host() + start);
  if (start > 0) tcp->flags &= static_cast<uint8_t>(~net::kTcpCwr);  // RFC 3168 section 6.1.2
  if (start + size < plan.payload_length) tcp->flags &= static_cast<uint8_t>(~(net::kTcpFin | net::kTcpPsh));
  const be16_t length(static_cast<uint16_t>(l4_size));
  tcp->checksum = be16_t::from_raw(net::add_sums(plan.seed, length.raw()));
  tcp->checksum = be16_t::from_raw(net::complement(net::sum_chain(piece, l4_offset, l4_size)));
  fix_outer(source, piece, index);
}

rte_mbuf* make_piece(const rte_mbuf& source, const Plan& plan, rte_mempool& pool, ChainReader& payload,
                     uint32_t size) noexcept {
  rte_mbuf* piece = rte_pktmbuf_alloc(&pool);
  if (piece == nullptr) return nullptr;
  piece->port = source.port;
  piece->vlan_tci = source.vlan_tci;
  char* headers = rte_pktmbuf_append(piece, static_cast<uint16_t>(plan.header_length));
  if (headers != nullptr) {
    std::memcpy(headers, rte_pktmbuf_mtod(&source, const char*), plan.header_length);
    if (append_copy(*piece, pool, payload, size)) return piece;
  }
  rte_pktmbuf_free(piece);
  return nullptr;
}

}  // namespace

uint16_t segment_count(const rte_mbuf& packet) noexcept {
  if ((packet.ol_flags & RTE_MBUF_F_TX_TCP_SEG) == 0) return 1;
  const uint32_t payload = payload_length_of(packet);
  return static_cast<uint16_t>(std::max(1u, (payload + packet.tso_segsz - 1) / packet.tso_segsz));
}

uint16_t segment(const rte_mbuf& packet, rte_mempool& pool, rte_mbuf** out, uint16_t max) noexcept {
  const uint16_t count = segment_count(packet);
  if (count > max) return 0;
  const Plan plan = plan_of(packet);
  ChainReader payload(packet, plan.header_length);
  uint32_t start = 0;
  for (uint16_t i = 0; i < count; ++i) {
    const uint32_t size = std::min<uint32_t>(packet.tso_segsz, plan.payload_length - start);
    out[i] = make_piece(packet, plan, pool, payload, size);
    if (out[i] == nullptr) {
      rte_pktmbuf_free_bulk(out, i);
      return 0;
    }
    fix_headers(packet, plan, *out[i], i, start, size);
    start += size;
  }
  return count;
}

}  // namespace podswitch
