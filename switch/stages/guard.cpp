// SPDX-License-Identifier: Apache-2.0
#include "switch/stages/guard.h"

#include "switch/net/mbuf_view.h"
#include "switch/stages/stages.h"

namespace podswitch::stages {
namespace {

Objection judge_arp(const rte_mbuf& packet, const PacketMeta& meta, const Guard& guard) noexcept {
  const auto* arp = net::header_at<net::ArpPacket>(packet, meta.l3_offset);
  if (arp == nullptr) return DropReason::Malformed;
  const bool is_ethernet_ipv4 = arp->hardware_type == be16_t(1) &&
                                arp->protocol_type == be16_t(net::kEtherTypeIpv4) &&
                                arp->hardware_length == 6 && arp->protocol_length == 4;
  if (!is_ethernet_ipv4 || arp->sender_mac != mac_of_key(meta.source)) return DropReason::GuardArp;
  if (!guard.check_ip || contains(guard.v4, arp->sender_ip)) return std::nullopt;
  // RFC 5227 section 2.1: a probe asks without saying who asks, so that nobody's cache learns from it.
  const bool is_probe = arp->sender_ip.is_unspecified() && arp->operation == be16_t(net::kArpRequest);
  if (is_probe) return std::nullopt;
  return DropReason::GuardArp;
}

Objection judge_ipv4(const rte_mbuf& packet, const PacketMeta& meta, const Guard& guard) noexcept {
  if (!net::inspect_l3(packet, meta.ether_type, meta.l3_offset)) return DropReason::Malformed;
  const auto* ip = net::header_at<net::Ipv4Header>(packet, meta.l3_offset);
  if (guard.check_ip && !contains(guard.v4, ip->source)) return DropReason::GuardIpv4;
  return std::nullopt;
}

// What a host without an address yet may send: duplicate address detection (RFC 4862 section 5.4.2; its
// contents are judged after this), router solicitations (RFC 4861 section 4.1) and multicast listener reports
// (RFC 3810 section 5.2.13).
bool may_be_unspecified(const rte_mbuf& packet, const net::L3& l3) noexcept {
  if (l3.is_fragment || l3.protocol != net::kProtoIcmpv6) return false;
  const auto* icmp = net::header_at<net::IcmpHeader>(packet, l3.l4_offset);
  return icmp != nullptr && (icmp->type == net::kNdNeighbourSolicit || icmp->type == net::kNdRouterSolicit ||
                             icmp->type == net::kMldReport || icmp->type == net::kMld2Report);
}

Objection judge_ipv6(const rte_mbuf& packet, const PacketMeta& meta, const Guard& guard) noexcept {
  const auto l3 = net::inspect_l3(packet, meta.ether_type, meta.l3_offset);
  if (!l3) return DropReason::Malformed;
  const auto* ip = net::header_at<net::Ipv6Header>(packet, meta.l3_offset);
  if (guard.check_ip && !owns(guard, ip->source, mac_of_key(meta.source)) &&
      !(ip->source.is_unspecified() && may_be_unspecified(packet, *l3)))
    return DropReason::GuardIpv6;
  if (l3->protocol != net::kProtoIcmpv6 || !l3->is_first) return std::nullopt;
  return judge_icmpv6(packet, *l3, *ip, mac_of_key(meta.source), guard);
}

Objection judge(const rte_mbuf& packet, const PacketMeta& meta, const Guard& guard) noexcept {
  if (guard.mac != 0 && mac_of_key(meta.source).as_u64() != guard.mac) return DropReason::GuardMac;
  switch (meta.ether_type) {
    case net::kEtherTypeIpv4:
      return judge_ipv4(packet, meta, guard);
    case net::kEtherTypeIpv6:
      return judge_ipv6(packet, meta, guard);
    case net::kEtherTypeArp:
      return judge_arp(packet, meta, guard);
    default:
      if (guard.check_ip) return DropReason::GuardEtherType;
      return std::nullopt;
  }
}

}  // namespace

void guard(Burst& burst, const Snapshot& snapshot, Local&) noexcept {
  const Guard* rules = snapshot.ports[burst.in_port].guard;
  if (rules == nullptr) return;
  for_each_undecided(burst, [&](rte_mbuf& packet, PacketMeta& meta) noexcept {
    if (const Objection reason = judge(packet, meta, *rules)) meta.drop(*reason);
  });
}

}  // namespace podswitch::stages
