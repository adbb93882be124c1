// SPDX-License-Identifier: Apache-2.0
#include "switch/stages/next_hop.h"

#include <cstring>

#include "switch/fragment_flow.h"
#include "switch/net/headers.h"
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
  meta.forward(hop.port);
}

void send_plainly(const NextHop& hop, rte_mbuf& packet, PacketMeta& meta) noexcept {
  if (hop.kind == NextHop::Kind::Unresolved || hop.port == kNoPort)
    return meta.drop(DropReason::NextHopUnresolved);
  std::memcpy(rte_pktmbuf_mtod(&packet, void*), hop.macs.data(), hop.macs.size());
  meta.fid = hop.fid;
  meta.forward(hop.port);
}

}  // namespace

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
