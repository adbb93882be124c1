// SPDX-License-Identifier: Apache-2.0
#include "switch/stages/next_hop.h"

#include <cstring>

#include "switch/net/flow_hash.h"
#include "switch/net/headers.h"

namespace podswitch::stages {
namespace {

// Ethernet padding is of the link that it came by.
void take_padding_off(rte_mbuf& packet, uint32_t end) noexcept {
  if (packet.pkt_len > end) rte_pktmbuf_trim(&packet, static_cast<uint16_t>(packet.pkt_len - end));
}

void encapsulate(const NextHop& hop, rte_mbuf& packet, PacketMeta& meta, uint32_t end) noexcept {
  take_padding_off(packet, end);
  // RFC 6864: with DF set the outer id means nothing.
  const InnerPacket inner{.ether_type = meta.ether_type,
                          .l3_offset = meta.l3_offset,
                          .ip_id = 0,
                          .flow_hash = net::flow_hash(packet, meta.ether_type, meta.l3_offset)};
  if (!hop.tunnel.encapsulate(packet, inner)) return meta.drop(DropReason::NoBuffer);
  meta.forward(hop.port);
}

}  // namespace

void hand_to(const NextHop& hop, rte_mbuf& packet, PacketMeta& meta, uint32_t end) noexcept {
  if (hop.kind == NextHop::Kind::Tunnel) return encapsulate(hop, packet, meta, end);
  if (hop.kind == NextHop::Kind::Unresolved || hop.port == kNoPort)
    return meta.drop(DropReason::NextHopUnresolved);
  std::memcpy(rte_pktmbuf_mtod(&packet, void*), hop.macs.data(), hop.macs.size());
  meta.fid = hop.fid;
  meta.forward(hop.port);
}

}  // namespace podswitch::stages
