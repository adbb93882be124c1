// SPDX-License-Identifier: Apache-2.0
#include "switch/stages/answer.h"

#include "switch/net/mbuf_view.h"
#include "switch/stages/claim.h"
#include "switch/stages/stages.h"

namespace podswitch::stages {
namespace {

constexpr uint64_t kBroadcast = 0xffff'ffff'ffff;
constexpr uint64_t kGroupBit = 1;  // of the first byte on the wire

// Whether a look at all of an IP packet's headers is worth it: most of what the gateway gets is to be routed,
// and looked at there.
bool may_be_icmp(const rte_mbuf& packet, const PacketMeta& meta) noexcept {
  if (meta.ether_type == net::kEtherTypeIpv4) {
    const auto* ip = net::header_at<net::Ipv4Header>(packet, meta.l3_offset);
    return ip != nullptr && ip->protocol == net::kProtoIcmp;
  }
  const auto* ip = net::header_at<net::Ipv6Header>(packet, meta.l3_offset);
  return ip != nullptr && ip->next_header != net::kProtoTcp && ip->next_header != net::kProtoUdp;
}

void answer_icmp(rte_mbuf& packet, PacketMeta& meta, PortId asker, const Snapshot& snapshot,
                 Local& local) noexcept {
  const auto l3 = net::inspect_l3(packet, meta.ether_type, meta.l3_offset);
  if (!l3) return;
  if (meta.ether_type == net::kEtherTypeIpv4) return answer_ping4(packet, meta, *l3, asker, snapshot);
  answer_solicitation(packet, meta, *l3, asker, Asked::Gateway, snapshot, local);
  if (meta.verdict == Verdict::Undecided) answer_ping6(packet, meta, *l3, asker, snapshot);
}

void answer_for_gateway(rte_mbuf& packet, PacketMeta& meta, PortId asker, const Snapshot& snapshot,
                        Local& local) noexcept {
  const bool is_ip = meta.ether_type == net::kEtherTypeIpv4 || meta.ether_type == net::kEtherTypeIpv6;
  // Behind a further tag is a network of the pods' own, where the gateway is not.
  if (meta.l3_offset == sizeof(net::EtherHeader)) {
    if (meta.ether_type == net::kEtherTypeArp) {
      answer_arp(packet, meta, asker, Asked::Gateway, snapshot, local);
    } else if (is_ip && may_be_icmp(packet, meta)) {
      answer_icmp(packet, meta, asker, snapshot, local);
    }
  }
  if (meta.verdict != Verdict::Undecided) return;
  if (is_ip && meta.l3_offset == sizeof(net::EtherHeader))
    meta.verdict = Verdict::Route;
  else
    meta.drop(DropReason::GatewayNotRouted);
}

void answer_group(rte_mbuf& packet, PacketMeta& meta, PortId asker, const Snapshot& snapshot,
                  Local& local) noexcept {
  if (!may_be_icmp(packet, meta)) return;
  const auto l3 = net::inspect_l3(packet, meta.ether_type, meta.l3_offset);
  if (!l3) return;
  answer_solicitation(packet, meta, *l3, asker, Asked::Everyone, snapshot, local);
  if (meta.verdict == Verdict::Undecided) answer_router_solicitation(packet, meta, *l3, asker, snapshot);
}

// The switch as a host of the underlay. Fragments of pings are not answered: the later ones do not say what
// they are, and two switches would send one to and fro for ever.
void answer_link(rte_mbuf& packet, PacketMeta& meta, PortId uplink, const Snapshot& snapshot,
                 Local& local) noexcept {
  const uint64_t destination = mac_of_key(meta.destination).as_u64();
  const bool is_for_us = destination == snapshot.tunnel.uplink_mac || (destination & kGroupBit) != 0;
  if (!is_for_us || meta.l3_offset != sizeof(net::EtherHeader)) return;
  if (meta.ether_type == net::kEtherTypeArp)
    return answer_arp(packet, meta, uplink, Asked::Gateway, snapshot, local);
  const bool is_ip = meta.ether_type == net::kEtherTypeIpv4 || meta.ether_type == net::kEtherTypeIpv6;
  if (!is_ip || !may_be_icmp(packet, meta)) return;
  const auto l3 = net::inspect_l3(packet, meta.ether_type, meta.l3_offset);
  if (l3 && !l3->is_fragment) answer_icmp(packet, meta, uplink, snapshot, local);
}

}  // namespace

void answer(Burst& burst, const Snapshot& snapshot, Local& local) noexcept {
  if (snapshot.addresses.size() == 0 && !snapshot.has_gateway && snapshot.tunnel.stretched.empty()) return;
  const PortId asker = burst.in_port;
  if (snapshot.ports[asker].is_uplink) {  // the gateway is the pods', not the underlay's
    if (!snapshot.answers_underlay) return;
    return for_each_undecided(burst, [&](rte_mbuf& packet, PacketMeta& meta) noexcept {
      answer_link(packet, meta, asker, snapshot, local);
    });
  }
  const uint64_t gateway = snapshot.gateway_mac.as_u64();
  for_each_undecided(burst, [&](rte_mbuf& packet, PacketMeta& meta) noexcept {
    const uint64_t destination = mac_of_key(meta.destination).as_u64();
    if (snapshot.has_gateway && destination == gateway) [[unlikely]] {
      answer_for_gateway(packet, meta, asker, snapshot, local);
      burst.to_route += meta.verdict == Verdict::Route ? 1 : 0;
      return;
    }
    if ((destination & kGroupBit) == 0 || meta.l3_offset != sizeof(net::EtherHeader)) return;
    if (snapshot.fids[meta.fid].vni != 0) note_claim_here(packet, meta, local);
    if (meta.ether_type == net::kEtherTypeArp && destination == kBroadcast)
      answer_arp(packet, meta, asker, Asked::Everyone, snapshot, local);
    else if (meta.ether_type == net::kEtherTypeIpv6)
      answer_group(packet, meta, asker, snapshot, local);
  });
}

}  // namespace podswitch::stages
