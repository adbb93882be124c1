// SPDX-License-Identifier: Apache-2.0
// What the files of the answer stage share. Each function turns a request into its reply in place and sends
// it back to where it came from, drops it when it is wrong, or leaves it undecided when it is not the
// switch's to answer. Called by a worker on its own packets.
#pragma once

#include <rte_mbuf.h>

#include <optional>

#include "switch/burst.h"
#include "switch/local.h"
#include "switch/net/headers.h"
#include "switch/net/l3.h"
#include "switch/offload.h"
#include "switch/snapshot.h"

namespace podswitch::stages {

// Whose requests a packet may reach: a broadcast every port's, one sent to the switch itself only the
// switch's own: its gateway's, and on the uplink's link its own addresses.
enum class Asked : uint8_t { Everyone, Gateway };

inline constexpr PortId kElsewhere = kMaxPorts;  // an owner's port: on another node

// Who has `ip` on another node, when that is known well enough to answer for him: a question less that is
// sent to every node. `asker`: FDB key. Who has moved here may ask whether his own address is taken.
inline std::optional<AddressTable::Owner> owner_elsewhere(const Snapshot& snapshot, Local& local, Fid fid,
                                                          const IpAddress& ip, uint64_t asker) noexcept {
  if (snapshot.fids[fid].vni == 0) return std::nullopt;
  const auto mac = local.neighbours->find(fid, ip);
  if (!mac) return std::nullopt;
  const uint64_t key = fdb_key(mac->as_u64(), fid);
  if (key == asker || !local.remote_fdb->find(key)) return std::nullopt;
  local.neighbour_answers.add(1);
  return AddressTable::Owner{*mac, kElsewhere};
}

// The owner of `ip`, unless it is the asker itself (what it hears about its own address would be a
// conflict) or was not asked.
inline std::optional<AddressTable::Owner> owner_to_answer_for(const Snapshot& snapshot, Local& local,
                                                              const PacketMeta& meta, const IpAddress& ip,
                                                              PortId asker, Asked asked) noexcept {
  const AddressTable::Owner* owner = snapshot.addresses.find(meta.fid, ip);
  if (owner == nullptr && asked == Asked::Everyone)
    return owner_elsewhere(snapshot, local, meta.fid, ip, meta.source);
  if (owner == nullptr || owner->port == asker) return std::nullopt;
  if (asked == Asked::Gateway && owner->port != kNoPort) return std::nullopt;
  return *owner;
}

inline void send_back(rte_mbuf& packet, PacketMeta& meta, PortId port, const MacAddress& from,
                      const MacAddress& to) noexcept {
  auto* ether = rte_pktmbuf_mtod(&packet, net::EtherHeader*);
  ether->destination = to;
  ether->source = from;
  clear_offload_request(packet);
  meta.forward(port);
}

// What RFC 4861 sections 6.1.1 and 7.1.1 ask of both kinds of solicitation, whose type is known.
bool is_valid_solicitation(const rte_mbuf& packet, const net::L3& l3, const net::Ipv6Header& ip,
                           uint32_t fixed_length) noexcept;
// Makes the frame exactly so long. False: no room.
bool resize(rte_mbuf& packet, uint16_t length) noexcept;

void answer_arp(rte_mbuf& packet, PacketMeta& meta, PortId asker, Asked asked, const Snapshot& snapshot,
                Local& local) noexcept;
// `l3`: what is at meta.l3_offset.
void answer_solicitation(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, PortId asker, Asked asked,
                         const Snapshot& snapshot, Local& local) noexcept;
// The gateway answers as a router where the port hears advertisements.
void answer_router_solicitation(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, PortId asker,
                                const Snapshot& snapshot) noexcept;
// Makes an echo request's reply of it, in place: IP addresses, TTL and type; or of a later fragment of one.
// False: it is none, and nothing has changed. `meta` has ether_type and l3_offset of a whole header.
bool make_echo_reply(rte_mbuf& packet, const PacketMeta& meta, const net::L3& l3) noexcept;
// Echo requests to the gateway, or to an own address on the link; whole or in fragments.
void answer_ping4(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, PortId asker,
                  const Snapshot& snapshot) noexcept;
void answer_ping6(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, PortId asker,
                  const Snapshot& snapshot) noexcept;

}  // namespace podswitch::stages
