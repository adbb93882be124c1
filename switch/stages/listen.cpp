// SPDX-License-Identifier: Apache-2.0
// Notes who is who in the underlay: senders of ARP packets and of neighbour discovery on an uplink. The
// frames go on to the node's own stack, which has the same addresses and resolves for itself. And what fits
// on the way to other tunnel ends, when a router says that a packet of ours was too big (RFC 1191, RFC 8201).
#include <algorithm>

#include "switch/net/checksum.h"
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

// What is written into tables is not believed with a wrong checksum. `seed`: of IPv6's pseudo header.
bool is_icmp_whole(const rte_mbuf& packet, const net::L3& l3, net::Sum seed = 0) noexcept {
  return net::add_sums(seed, net::sum_chain(packet, l3.l4_offset, l3.l4_length())) == net::Sum{0xffff};
}

// What a router quotes of a packet that we sent: as much as there is, but an IP header and the UDP ports.
// Only who has seen one of our tunnel packets knows what to write here.
template <typename Header>
const Header* quoted_tunnel(const rte_mbuf& packet, const net::L3& l3, const TunnelView& view) noexcept {
  const uint32_t start = l3.l4_offset + sizeof(net::IcmpErrorHeader);
  if (l3.end < start + sizeof(Header) + sizeof(net::UdpHeader)) return nullptr;
  const auto* ip = net::header_at<Header>(packet, start);
  const auto* udp = net::header_at<net::UdpHeader>(packet, start + sizeof(Header));
  if (ip == nullptr || udp == nullptr || udp->destination_port != be16_t(view.udp_port) ||
      !view.own_vteps.find(IpAddress(ip->source)) || !view.vteps.find(IpAddress(ip->destination)))
    return nullptr;
  return ip;
}

template <typename Header>
void post_path_mtu(const Header& ip, uint32_t mtu, Local& local) noexcept {
  constexpr uint32_t kMax = UINT16_MAX, kUnsaid = 1;  // RFC 1191 section 5: an old router does not say it
  const auto path_mtu = static_cast<uint16_t>(mtu == 0 ? kUnsaid : std::min(mtu, kMax));
  if (!local.heard->push({IpAddress(ip.destination), {}, path_mtu})) local.heard_full.add(1);
}

void listen_icmp4(const rte_mbuf& packet, const PacketMeta& meta, const TunnelView& view,
                  Local& local) noexcept {
  constexpr uint8_t kNeedsFragmentation = 4;
  const auto* outer = net::header_at<net::Ipv4Header>(packet, meta.l3_offset);
  if (outer == nullptr || outer->protocol != net::kProtoIcmp) return;
  const auto l3 = net::inspect_l3(packet, meta.ether_type, meta.l3_offset);
  if (!l3 || l3->is_fragment) return;
  const auto* error = net::header_at<net::IcmpErrorHeader>(packet, l3->l4_offset);
  if (error == nullptr || error->icmp.type != net::kIcmpUnreachable ||
      error->icmp.code != kNeedsFragmentation)
    return;
  const auto* ip = quoted_tunnel<net::Ipv4Header>(packet, *l3, view);
  constexpr uint8_t kNoOptions = 0x45;
  if (ip == nullptr || ip->version_ihl != kNoOptions || ip->protocol != net::kProtoUdp ||
      !is_icmp_whole(packet, *l3))
    return;
  post_path_mtu(*ip, error->mtu.host() & UINT16_MAX, local);
}

void listen_icmp6(const rte_mbuf& packet, const net::L3& l3, const TunnelView& view, Local& local) noexcept {
  const auto* error = net::header_at<net::IcmpErrorHeader>(packet, l3.l4_offset);
  if (error == nullptr || error->icmp.type != net::kIcmpv6TooBig) return;
  const auto* ip = quoted_tunnel<net::Ipv6Header>(packet, l3, view);
  if (ip != nullptr && ip->next_header == net::kProtoUdp) post_path_mtu(*ip, error->mtu.host(), local);
}

// An advertisement is about its target, a solicitation about its sender (RFC 4861 sections 7.2.3, 7.2.5).
void listen_nd(const rte_mbuf& packet, const net::Ipv6Header* ip, const net::L3& l3, Local& local) noexcept {
  if (ip->hop_limit != 255) return;
  const auto* message = net::header_at<net::NdNeighbour>(packet, l3.l4_offset);
  if (message == nullptr) return;
  const bool is_advert = message->icmp.type == net::kNdNeighbourAdvert;
  if (!is_advert && message->icmp.type != net::kNdNeighbourSolicit) return;
  const uint8_t wanted = is_advert ? net::kNdOptionTargetMac : net::kNdOptionSourceMac;
  const Ipv6Address about = is_advert ? message->target : ip->source;
  if (about.is_unspecified()) return;
  net::for_each_link_layer_option(packet, l3, sizeof *message, [&](const net::NdLinkLayerOption& option) {
    if (option.type == wanted) post(local, IpAddress(about), option.mac);
  });
}

bool is_about_neighbours_or_mtu(uint8_t type) noexcept {
  return type == net::kIcmpv6TooBig || type == net::kNdNeighbourAdvert || type == net::kNdNeighbourSolicit;
}

void listen_v6(const rte_mbuf& packet, const PacketMeta& meta, const TunnelView& view,
               Local& local) noexcept {
  const auto* ip = net::header_at<net::Ipv6Header>(packet, meta.l3_offset);
  if (ip == nullptr || ip->next_header != net::kProtoIcmpv6) return;
  const auto l3 = net::inspect_l3(packet, meta.ether_type, meta.l3_offset);
  if (!l3 || l3->is_fragment) return;
  const auto* icmp = net::header_at<net::IcmpHeader>(packet, l3->l4_offset);
  if (icmp == nullptr || !is_about_neighbours_or_mtu(icmp->type)) return;
  const net::Sum seed =
      net::pseudo_header_sum(ip->source, ip->destination, net::kProtoIcmpv6, l3->l4_length());
  if (!is_icmp_whole(packet, *l3, seed)) return;
  if (view.enabled) listen_icmp6(packet, *l3, view, local);
  listen_nd(packet, ip, *l3, local);
}

}  // namespace

void listen(Burst& burst, const Snapshot& snapshot, Local& local) noexcept {
  if (!snapshot.ports[burst.in_port].is_uplink) return;
  for_each_undecided(burst, [&](rte_mbuf& packet, PacketMeta& meta) noexcept {
    if (meta.ether_type == net::kEtherTypeArp)
      listen_arp(packet, meta, local);
    else if (meta.ether_type == net::kEtherTypeIpv6)
      listen_v6(packet, meta, snapshot.tunnel, local);
    else if (meta.ether_type == net::kEtherTypeIpv4 && snapshot.tunnel.enabled)
      listen_icmp4(packet, meta, snapshot.tunnel, local);
  });
}

}  // namespace podswitch::stages
