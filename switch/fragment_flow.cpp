// SPDX-License-Identifier: Apache-2.0
#include "switch/fragment_flow.h"

namespace podswitch {
namespace {

// Noted without ports, too: only an IPv6 datagram's first fragment says what its protocol is.
FragmentPorts note_first(const rte_mbuf& packet, const FragmentKey& key, const net::L3& l3,
                         Local& local) noexcept {
  const FragmentPorts ports = ports_of(packet, l3).value_or(FragmentPorts{0, 0, l3.protocol});
  note_fragment_ports(key, ports, local);
  return ports;
}

}  // namespace

void note_fragment_ports(const FragmentKey& key, const FragmentPorts& ports, Local& local) noexcept {
  const FragmentTable::Outcome outcome = local.fragments->insert(key, ports, local.now_seconds);
  if (outcome == FragmentTable::Outcome::Evicted) local.fragments_evicted.add(1);
  if (outcome == FragmentTable::Outcome::Busy) local.fragments_busy.add(1);
}

uint32_t fragment_flow_hash(const rte_mbuf& packet, const PacketMeta& meta, const net::L3& l3,
                            Local& local) noexcept {
  const FragmentKey key = fragment_key(packet, l3, meta.l3_offset, meta.fid);
  const auto ports =
      l3.is_first ? note_first(packet, key, l3, local) : local.fragments->find(key, local.now_seconds);
  if (!ports) return net::flow_hash(packet, meta.ether_type, meta.l3_offset);
  return net::flow_hash(packet, meta.ether_type, meta.l3_offset, ports->protocol, ports->source,
                        ports->destination);
}

}  // namespace podswitch
