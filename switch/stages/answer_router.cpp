// SPDX-License-Identifier: Apache-2.0
// Router solicitations (RFC 4861 section 6.2.6). The answer goes to the asker alone and at once: the delay
// that the RFC wants is there to keep routers on one link apart, and here is one.
#include "switch/net/headers.h"
#include "switch/net/mbuf_view.h"
#include "switch/router_advertisement.h"
#include "switch/stages/answer.h"

namespace podswitch::stages {

void answer_router_solicitation(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, PortId asker,
                                const Snapshot& snapshot) noexcept {
  const uint16_t mtu = snapshot.ports[asker].advertised_mtu;
  if (mtu == 0 || l3.protocol != net::kProtoIcmpv6 || !l3.is_first) return;
  const auto* solicitation = net::header_at<net::NdRouterSolicitation>(packet, l3.l4_offset);
  if (solicitation == nullptr || solicitation->icmp.type != net::kNdRouterSolicit) return;
  const auto* ip = net::header_at<net::Ipv6Header>(packet, meta.l3_offset);
  if (!is_valid_solicitation(packet, l3, *ip, sizeof *solicitation)) return meta.drop(DropReason::Malformed);
  const Ipv6Address source = ip->source;
  if (!resize(packet, sizeof(net::EtherHeader) + sizeof(RouterAdvertisement)))
    return meta.drop(DropReason::NoBuffer);
  *net::header_at<RouterAdvertisement>(packet, meta.l3_offset) =
      make_router_advertisement(snapshot.gateway_mac, snapshot.router_lifetime_seconds, mtu,
                                source.is_unspecified() ? kAllNodes : source);
  send_back(packet, meta, asker, snapshot.gateway_mac,
            source.is_unspecified() ? kAllNodesMac : mac_of_key(meta.source));
}

}  // namespace podswitch::stages
