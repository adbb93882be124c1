// SPDX-License-Identifier: Apache-2.0
#include "switch/stages/claim.h"

#include "switch/net/headers.h"
#include "switch/net/l3.h"
#include "switch/net/mbuf_view.h"
#include "switch/net/nd.h"

namespace podswitch::stages {
namespace {

void post(Local& local, const ClaimEvent& event) noexcept {
  (void)local.claimed->push(event);
}

std::optional<Claim> read_arp(const rte_mbuf& packet, const PacketMeta& meta) noexcept {
  const auto* arp = net::header_at<net::ArpPacket>(packet, meta.l3_offset);
  if (arp == nullptr || arp->hardware_type != be16_t(1) ||
      arp->protocol_type != be16_t(net::kEtherTypeIpv4) || arp->hardware_length != 6 ||
      arp->protocol_length != 4 || arp->sender_ip.is_unspecified())
    return std::nullopt;
  return Claim{IpAddress(arp->sender_ip), arp->sender_mac, false};
}

std::optional<Claim> read_advertisement(const rte_mbuf& packet, const PacketMeta& meta) noexcept {
  const auto* ip = net::header_at<net::Ipv6Header>(packet, meta.l3_offset);
  if (ip == nullptr || ip->next_header != net::kProtoIcmpv6 || ip->hop_limit != 255) return std::nullopt;
  const auto l3 = net::inspect_l3(packet, meta.ether_type, meta.l3_offset);
  if (!l3 || l3->is_fragment) return std::nullopt;
  const auto* advert = net::header_at<net::NdNeighbour>(packet, l3->l4_offset);
  if (advert == nullptr || advert->icmp.type != net::kNdNeighbourAdvert || advert->icmp.code != 0 ||
      advert->target.is_unspecified() || advert->target.is_multicast() || IpAddress(advert->target).is_v4())
    return std::nullopt;
  std::optional<Claim> claim;
  const bool is_sound =
      net::for_each_link_layer_option(packet, *l3, sizeof *advert, [&](const net::NdLinkLayerOption& option) {
        if (option.type == net::kNdOptionTargetMac)
          claim = Claim{IpAddress(advert->target), option.mac, (advert->flags.host() & net::kNdRouter) != 0};
      });
  return is_sound ? claim : std::nullopt;
}

}  // namespace

std::optional<Claim> read_claim(const rte_mbuf& packet, const PacketMeta& meta) noexcept {
  std::optional<Claim> claim;
  if (meta.ether_type == net::kEtherTypeArp)
    claim = read_arp(packet, meta);
  else if (meta.ether_type == net::kEtherTypeIpv6)
    claim = read_advertisement(packet, meta);
  // Who speaks for somebody else is believed by those who hear it, but not repeated.
  if (claim && claim->mac != mac_of_key(meta.source)) claim.reset();
  return claim;
}

void note_claim_from_tunnel(const rte_mbuf& packet, const PacketMeta& meta, Local& local) noexcept {
  const auto claim = read_claim(packet, meta);
  if (!claim) return;
  const auto known = local.neighbours->peek(meta.fid, claim->ip);
  // An answer for a router must say so, and does best itself.
  const MacAddress news = claim->is_router ? MacAddress{} : claim->mac;
  if (known.value_or(MacAddress{}) != news) post(local, {meta.fid, claim->ip, news});
}

void note_claim_here(const rte_mbuf& packet, const PacketMeta& meta, Local& local) noexcept {
  if (local.neighbours->size() == 0) return;
  const auto claim = read_claim(packet, meta);
  if (claim && local.neighbours->peek(meta.fid, claim->ip)) post(local, {meta.fid, claim->ip, {}});
}

}  // namespace podswitch::stages
