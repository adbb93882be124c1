// SPDX-License-Identifier: Apache-2.0
// The flow hash of a packet, which later fragments get by their first one: so that all of a flow takes one
// path, whole packets and fragments. Called by a worker on its own packets.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "switch/burst.h"
#include "switch/fragment_table.h"
#include "switch/local.h"
#include "switch/net/flow_hash.h"
#include "switch/net/l3.h"

namespace podswitch {

// What a first fragment says about the later ones, in the workers' table of them; counts what became of it.
void note_fragment_ports(const FragmentKey& key, const FragmentPorts& ports, Local& local) noexcept;

uint32_t fragment_flow_hash(const rte_mbuf& packet, const PacketMeta& meta, const net::L3& l3,
                            Local& local) noexcept;

// `l3`: what is at meta.l3_offset. Notes a first fragment in the worker's table of them. A fragment that
// comes before its first one gets the hash of its addresses alone.
inline uint32_t flow_hash_of(const rte_mbuf& packet, const PacketMeta& meta, const net::L3& l3,
                             Local& local) noexcept {
  if (l3.is_fragment) [[unlikely]]
    return fragment_flow_hash(packet, meta, l3, local);
  return net::flow_hash(packet, meta.ether_type, meta.l3_offset);
}

}  // namespace podswitch
