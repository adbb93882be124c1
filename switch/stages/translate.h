// SPDX-License-Identifier: Apache-2.0
// The translate stage in pieces: translate_plain.cpp goes over a burst and does what most packets need,
// translate.cpp translates what else belongs to a flow, translate_begin.cpp decides about what belongs to
// none, translate_fragment.cpp and translate_icmp.cpp know fragments and ICMP errors. Made for one burst, by
// the worker that owns it.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>

#include "lb/flow_table.h"
#include "lb/rewrite.h"
#include "lb/service_table.h"
#include "switch/burst.h"
#include "switch/local.h"
#include "switch/net/l3.h"
#include "switch/snapshot.h"

namespace podswitch::stages {

class Translator {
 public:
  Translator(Burst& burst, const Snapshot& snapshot, Local& local) noexcept
      : burst_(burst),
        snapshot_(snapshot),
        local_(local),
        flows_(*local.flows),
        now_(local.now_seconds),
        from_underlay_(snapshot.ports[burst.in_port].is_uplink) {}

  void run() noexcept;
  // `packet` has become an ICMP error about what the route stage could not send: it shall tell the sender of
  // that about the packet as he knows it.
  void translate_error(rte_mbuf& packet, PacketMeta& meta) noexcept;

 private:
  // How a packet is looked at.
  enum class Path : uint8_t {
    None,     // not at all
    Plain,    // IPv4, no options, no fragment, all headers in the first segment: in registers
    Fetched,  // fully, but what that needs of the flow table is on its way: IPv6
    Full,
  };
  struct Look {
    uint64_t hash;
    uint64_t addresses;
    uint32_t ports;
    uint32_t scope;
    FlowSlot slot;  // that the index names first; kNoFlow: none
  };

  // translate_plain.cpp
  Path look_at(const rte_mbuf& packet, const PacketMeta& meta, Look& look) const noexcept;
  Path look_at_v6(const rte_mbuf& packet, const PacketMeta& meta, Look& look) const noexcept;
  bool finish(rte_mbuf& packet, PacketMeta& meta, uint16_t index, const Look& look) noexcept;
  bool leads_on_plainly(const NextHop& hop, const rte_mbuf& packet, const net::Ipv4Header& ip) const noexcept;

  // translate.cpp
  void translate_fully(rte_mbuf& packet, PacketMeta& meta) noexcept;
  // What belongs to no flow begins one, where it may.
  void follow(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, const FlowKey& key) noexcept;
  // False: there is no such flow (any more).
  bool follow_flow(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, const FlowKey& key) noexcept;
  bool keep_alive(const FlowTable::Found& found, uint64_t activity, uint8_t protocol,
                  FlowEvent event) noexcept;
  void apply(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, const FlowKey& from,
             const FlowTable::Found& found) noexcept;
  void find_hop(PacketMeta& meta, const FlowTable::Found& found, uint64_t known, uint16_t index,
                const IpAddress& destination) noexcept;
  uint16_t index_of(const PacketMeta& meta) const noexcept {
    return static_cast<uint16_t>(&meta - burst_.meta.data());
  }
  const ServiceTable& services(const PacketMeta& meta) const noexcept {
    return *snapshot_.fids[meta.fid].services;
  }

  // translate_begin.cpp
  void begin(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, const FlowKey& key) noexcept;
  // Whether begin() may have anything to do: most of what belongs to no flow belongs to no service.
  bool may_begin(const PacketMeta& meta, const IpAddress& destination, uint8_t protocol,
                 uint16_t port) const noexcept;
  void go_to_service(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, const FlowKey& key,
                     const Service& service) noexcept;
  void track(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, const FlowKey& key) noexcept;
  FlowTable::Outcome insert(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3,
                            const NewFlow& flow) noexcept;
  void refuse_other(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3) noexcept;
  void refuse(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, DropReason reason) noexcept;

  // translate_fragment.cpp
  void translate_fragment(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3) noexcept;

  // translate_icmp.cpp
  void translate_icmp(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3) noexcept;
  bool find_quoted(const PacketMeta& meta, const FlowKey& quoted, FlowKey& original) noexcept;

  Burst& burst_;
  const Snapshot& snapshot_;
  Local& local_;
  FlowTable& flows_;
  const uint32_t now_;
  const bool from_underlay_;
};

// The tuple of a packet that holds the start of layer 4, which is TCP, UDP or SCTP. False: it is not, or the
// first segment does not hold its header.
bool read_tuple(const rte_mbuf& packet, uint16_t l3_offset, bool is_v6, const net::L3& l3, uint16_t network,
                FlowKey& key) noexcept;
// An IPv4 address in an IPv6 packet, which is on no wire (RFC 4291 section 2.5.5.2): here it would pass for
// the IPv4 address itself.
inline bool has_mapped(const FlowKey& v6) noexcept {
  return v6.source().is_v4() || v6.destination().is_v4();
}
FlowEvent read_event(const rte_mbuf& packet, const net::L3& l3) noexcept;

}  // namespace podswitch::stages
