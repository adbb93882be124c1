// SPDX-License-Identifier: Apache-2.0
// Fragments: only the first one has ports. It leaves them in the workers' fragment table, and the later ones
// follow; a later one that comes first is held for a moment (switch/held_fragments.h).
#include "switch/fragment_flow.h"
#include "switch/net/headers.h"
#include "switch/stages/translate.h"

namespace podswitch::stages {

void Translator::translate_fragment(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3) noexcept {
  const bool is_v6 = meta.ether_type == net::kEtherTypeIpv6;
  const uint16_t network = snapshot_.fids[meta.fid].network;
  const FragmentKey datagram = fragment_key(packet, l3, meta.l3_offset, network);
  if (is_v6 && (datagram.source.is_v4() || datagram.destination.is_v4())) return;  // as has_mapped()
  if (l3.is_first) {
    FlowKey key;
    if (!read_tuple(packet, meta.l3_offset, is_v6, l3, network, key)) return refuse_other(packet, meta, l3);
    const FragmentPorts ports{key.source_port(), key.destination_port(), l3.protocol};
    note_fragment_ports(datagram, ports, local_);
    local_.held.release(datagram);
    return follow(packet, meta, l3, key);
  }
  if (const auto ports = local_.fragments->find(datagram, now_)) {
    net::L3 known = l3;
    known.protocol = ports->protocol;
    const FlowKey key = FlowKey::of(datagram.source, ports->source, datagram.destination, ports->destination,
                                    ports->protocol, network);
    if (follow_flow(packet, meta, known, key)) return;
    // Its first fragment was refused or dropped.
    if (meta.verdict == Verdict::Route && services(meta).may_be_vip(datagram.destination))
      meta.drop(DropReason::ServiceNoConnection);
    return;
  }
  const bool is_of_service =
      (meta.verdict == Verdict::Route && services(meta).may_be_vip(datagram.destination)) ||
      services(meta).endpoints().may_contain(datagram.source);
  if (!is_of_service) return;
  if (!local_.held.hold(packet, meta, burst_.in_port, datagram, now_))
    return meta.drop(DropReason::FragmentEarly);
  meta.verdict = Verdict::Held;
}

}  // namespace podswitch::stages
