// SPDX-License-Identifier: Apache-2.0
#include "switch/stages/answer.h"

#include "switch/stages/stages.h"

namespace podswitch::stages {
namespace {

constexpr uint64_t kBroadcast = 0xffff'ffff'ffff;
constexpr uint64_t kGroupBit = 1;  // of the first byte on the wire

void answer_for_gateway(rte_mbuf& packet, PacketMeta& meta, PortId asker, const Snapshot& snapshot) noexcept {
  const bool is_ip = meta.ether_type == net::kEtherTypeIpv4 || meta.ether_type == net::kEtherTypeIpv6;
  // Behind a further tag is a network of the pods' own, where the gateway is not.
  if (meta.l3_offset == sizeof(net::EtherHeader)) {
    if (meta.ether_type == net::kEtherTypeArp) {
      answer_arp(packet, meta, asker, Asked::Gateway, snapshot);
    } else if (meta.ether_type == net::kEtherTypeIpv4) {
      answer_ping4(packet, meta, asker, snapshot);
    } else if (meta.ether_type == net::kEtherTypeIpv6) {
      answer_solicitation(packet, meta, asker, Asked::Gateway, snapshot);
      if (meta.verdict == Verdict::Undecided) answer_ping6(packet, meta, asker, snapshot);
    }
  }
  if (meta.verdict != Verdict::Undecided) return;
  if (is_ip && meta.l3_offset == sizeof(net::EtherHeader))
    meta.verdict = Verdict::Route;
  else
    meta.drop(DropReason::GatewayNotRouted);
}

}  // namespace

void answer(Burst& burst, const Snapshot& snapshot, Local&) noexcept {
  if (snapshot.addresses.size() == 0 && !snapshot.has_gateway) return;
  if (snapshot.ports[burst.in_port].is_uplink) return;  // the gateway is the pods', not the underlay's
  const uint64_t gateway = snapshot.gateway_mac.as_u64();
  const PortId asker = burst.in_port;
  for_each_undecided(burst, [&](rte_mbuf& packet, PacketMeta& meta) noexcept {
    const uint64_t destination = mac_of_key(meta.destination).as_u64();
    if (snapshot.has_gateway && destination == gateway) [[unlikely]] {
      answer_for_gateway(packet, meta, asker, snapshot);
      burst.to_route += meta.verdict == Verdict::Route ? 1 : 0;
      return;
    }
    if ((destination & kGroupBit) == 0 || meta.l3_offset != sizeof(net::EtherHeader)) return;
    if (meta.ether_type == net::kEtherTypeArp && destination == kBroadcast)
      answer_arp(packet, meta, asker, Asked::Everyone, snapshot);
    else if (meta.ether_type == net::kEtherTypeIpv6)
      answer_solicitation(packet, meta, asker, Asked::Everyone, snapshot);
  });
}

}  // namespace podswitch::stages
