// SPDX-License-Identifier: Apache-2.0
// Notes who is who in the underlay: senders of ARP packets and of neighbour discovery on an uplink. The
// frames go on to the node's own stack, which has the same addresses and resolves for itself.
#include "switch/net/headers.h"
#include "switch/net/l3.h"
#include "switch/net/mbuf_view.h"
#include "switch/net/nd.h"
#include "switch/stages/stages.h"

namespace podswitch::stages {
namespace {

void post(Local& local, const IpAddress& ip, const MacAddress& mac) noexcept {
  if (mac.is_zero() || mac.is_multicast()) return;
  if (!local.heard->push({ip, mac})) local.heard_full.add(1);  // whom it is about is asked again
}

void listen_arp(const rte_mbuf& packet, const PacketMeta& meta, Local& local) noexcept {
  const auto* arp = net::header_at<net::ArpPacket>(packet, meta.l3_offset);
  if (arp == nullptr || arp->hardware_type != be16_t(1) ||
      arp->protocol_type != be16_t(net::kEtherTypeIpv4) || arp->hardware_length != 6 ||
      arp->protocol_length != 4 || arp->sender_ip.is_unspecified())
    return;
  post(local, IpAddress(arp->sender_ip), arp->sender_mac);
}

// An advertisement is about its target, a solicitation about its sender (RFC 4861 sections 7.2.3, 7.2.5).
void listen_nd(const rte_mbuf& packet, const PacketMeta& meta, Local& local) noexcept {
  const auto* ip = net::header_at<net::Ipv6Header>(packet, meta.l3_offset);
  if (ip == nullptr || ip->next_header != net::kProtoIcmpv6 || ip->hop_limit != 255) return;
  const auto l3 = net::inspect_l3(packet, meta.ether_type, meta.l3_offset);
  if (!l3 || !l3->is_first) return;
  const auto* message = net::header_at<net::NdNeighbour>(packet, l3->l4_offset);
  if (message == nullptr) return;
  const bool is_advert = message->icmp.type == net::kNdNeighbourAdvert;
  if (!is_advert && message->icmp.type != net::kNdNeighbourSolicit) return;
  const uint8_t wanted = is_advert ? net::kNdOptionTargetMac : net::kNdOptionSourceMac;
  const Ipv6Address about = is_advert ? message->target : ip->source;
  if (about.is_unspecified()) return;
  net::for_each_link_layer_option(packet, *l3, sizeof *message, [&](const net::NdLinkLayerOption& option) {
    if (option.type == wanted) post(local, IpAddress(about), option.mac);
  });
}

}  // namespace

void listen(Burst& burst, const Snapshot& snapshot, Local& local) noexcept {
  if (!snapshot.ports[burst.in_port].is_uplink) return;
  for_each_undecided(burst, [&](rte_mbuf& packet, PacketMeta& meta) noexcept {
    if (meta.ether_type == net::kEtherTypeArp)
      listen_arp(packet, meta, local);
    else if (meta.ether_type == net::kEtherTypeIpv6)
      listen_nd(packet, meta, local);
  });
}

}  // namespace podswitch::stages
