// SPDX-License-Identifier: Apache-2.0
#include "switch/stages/next_hop.h"

#include <rte_cycles.h>

#include <cstring>

#include "switch/fragment_flow.h"
#include "switch/net/headers.h"
#include "switch/net/mbuf_view.h"
#include "switch/offload.h"
#include "switch/trim.h"

namespace podswitch::stages {
namespace {

void encapsulate(const NextHop& hop, rte_mbuf& packet, PacketMeta& meta, uint32_t flow_hash,
                 IpIds& ip_ids) noexcept {
  const InnerPacket inner{
      .ether_type = meta.ether_type,
      .l3_offset = meta.l3_offset,
      .ip_id = hop.tunnel.needs_ip_id() ? ip_ids.take(segment_count(packet)) : uint16_t{0},
      .flow_hash = flow_hash};
  if (!hop.tunnel.encapsulate(packet, inner)) return meta.drop(DropReason::NoBuffer);
  meta.fid = hop.fid;
  meta.forward(hop.port);
}

void send_plainly(const NextHop& hop, rte_mbuf& packet, PacketMeta& meta) noexcept {
  using Kind = NextHop::Kind;
  if (hop.kind == Kind::Unresolved || hop.kind == Kind::UnderlayUnresolved || hop.port == kNoPort)
    return meta.drop(DropReason::NextHopUnresolved);
  // Link: resolve() has written the destination.
  const size_t first = hop.kind == NextHop::Kind::Link ? sizeof(MacAddress) : 0;
  std::memcpy(rte_pktmbuf_mtod(&packet, char*) + first, hop.macs.data() + first, hop.macs.size() - first);
  meta.fid = hop.fid;
  meta.forward(hop.port);
}

template <typename Header>
IpAddress destination_of(const rte_mbuf& packet, const PacketMeta& meta) noexcept {
  return IpAddress(net::header_at<Header>(packet, meta.l3_offset)->destination);
}
template <typename Header>
IpAddress source_of(const rte_mbuf& packet, const PacketMeta& meta) noexcept {
  return IpAddress(net::header_at<Header>(packet, meta.l3_offset)->source);
}

}  // namespace

Resolved resolve(const NextHop& hop, rte_mbuf& packet, PacketMeta& meta, Local& local) noexcept {
  const bool is_v4 = meta.ether_type == net::kEtherTypeIpv4;
  const IpAddress to =
      is_v4 ? destination_of<net::Ipv4Header>(packet, meta) : destination_of<net::Ipv6Header>(packet, meta);
  if (const auto mac = local.link_hosts->find(hop.fid, to)) {
    if (mac->is_zero()) return Resolved::Silent;
    std::memcpy(rte_pktmbuf_mtod(&packet, void*), mac->bytes.data(), mac->bytes.size());
    return Resolved::Yes;
  }
  const IpAddress from =
      is_v4 ? source_of<net::Ipv4Header>(packet, meta) : source_of<net::Ipv6Header>(packet, meta);
  if (local.wanted_limiter.allow(from, rte_rdtsc())) (void)local.wanted->push(to);
  meta.drop(DropReason::NextHopUnresolved);
  return Resolved::No;
}

void hand_to(const NextHop& hop, rte_mbuf& packet, PacketMeta& meta, const net::L3& l3,
             Local& local) noexcept {
  if (hop.kind != NextHop::Kind::Tunnel) return send_plainly(hop, packet, meta);
  trim(packet, l3.end);  // Ethernet padding is of the link that it came by
  encapsulate(hop, packet, meta, flow_hash_of(packet, meta, l3, local), local.ip_ids);
}

void hand_piece_to(const NextHop& hop, rte_mbuf& piece, PacketMeta& meta, uint32_t flow_hash,
                   IpIds& ip_ids) noexcept {
  if (hop.kind == NextHop::Kind::Tunnel) return encapsulate(hop, piece, meta, flow_hash, ip_ids);
  send_plainly(hop, piece, meta);
}

}  // namespace podswitch::stages
