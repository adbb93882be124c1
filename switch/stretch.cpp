// SPDX-License-Identifier: Apache-2.0
#include "switch/stretch.h"

#include "switch/mtu.h"
#include "switch/net/flow_hash.h"
#include "switch/offload.h"

namespace podswitch {

std::optional<DropReason> wrap_frame(rte_mbuf& packet, uint16_t ether_type, uint16_t l3_offset, uint32_t vni,
                                     const NextHop& hop, IpIds& ip_ids) noexcept {
  if (hop.kind != NextHop::Kind::Tunnel) return DropReason::NextHopUnresolved;
  if (!fits_mtu(packet, hop.mtu)) return DropReason::MtuExceeded;
  const InnerPacket inner{
      .ether_type = ether_type,
      .l3_offset = l3_offset,
      .ip_id = hop.tunnel.needs_ip_id() ? ip_ids.take(segment_count(packet)) : uint16_t{0},
      .flow_hash = net::flow_hash(packet, ether_type, l3_offset),
      .vni = vni};
  if (!hop.tunnel.encapsulate(packet, inner)) return DropReason::NoBuffer;
  return std::nullopt;
}

}  // namespace podswitch
