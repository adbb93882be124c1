// SPDX-License-Identifier: Apache-2.0
#include "switch/net/headers.h"
#include "switch/offload.h"
#include "switch/stages/stages.h"

namespace podswitch::stages {
namespace {

constexpr int kInnerTags = 2;  // looked through behind the one that decides the VLAN

bool is_tag(uint16_t ether_type) noexcept {
  return ether_type == net::kEtherTypeVlan || ether_type == net::kEtherTypeQinQ;
}

// A trunk port's frame: takes its tag off and finds the filtering id. The priority bits stay in vlan_tci.
bool take_tag(rte_mbuf& packet, PacketMeta& meta, const PortView& port) noexcept {
  if (meta.ether_type != net::kEtherTypeVlan ||
      packet.data_len < sizeof(net::EtherHeader) + sizeof(net::VlanHeader)) {
    meta.drop(is_tag(meta.ether_type) ? DropReason::VlanNotAllowed : DropReason::VlanUntagged);
    return false;
  }
  const auto* tag = rte_pktmbuf_mtod_offset(&packet, const net::VlanHeader*, sizeof(net::EtherHeader));
  const uint16_t tci = tag->tci.host();
  meta.ether_type = tag->ether_type.host();
  meta.fid = port.trunk_fids[tci % kVlanCount];
  if (meta.fid == kNoFid) {
    meta.drop(tci % kVlanCount == 0 ? DropReason::VlanUntagged : DropReason::VlanNotAllowed);
    return false;
  }
  pop_vlan(packet);
  packet.vlan_tci = tci;
  return true;
}

void look_through_tags(const rte_mbuf& packet, PacketMeta& meta) noexcept {
  for (int i = 0; i < kInnerTags && is_tag(meta.ether_type); ++i) {
    if (packet.data_len < meta.l3_offset + sizeof(net::VlanHeader)) return meta.drop(DropReason::Malformed);
    const auto* tag = rte_pktmbuf_mtod_offset(&packet, const net::VlanHeader*, meta.l3_offset);
    meta.ether_type = tag->ether_type.host();
    meta.l3_offset += sizeof(net::VlanHeader);
  }
}

bool has_offload_request(const rte_mbuf& packet) noexcept {
  return (packet.ol_flags & RTE_MBUF_F_RX_LRO) != 0 ||
         (packet.ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE;
}

void parse_one(rte_mbuf& packet, PacketMeta& meta, const PortView& port) noexcept {
  meta.verdict = Verdict::Undecided;
  if (packet.data_len < sizeof(net::EtherHeader)) [[unlikely]] {
    meta.source = meta.destination = 0;
    return meta.drop(DropReason::Malformed);
  }
  const auto* ether = rte_pktmbuf_mtod(&packet, const net::EtherHeader*);
  meta.ether_type = ether->ether_type.host();
  meta.l3_offset = sizeof(net::EtherHeader);
  meta.fid = port.fid;
  const uint64_t destination = ether->destination.as_u64();
  const uint64_t source = ether->source.as_u64();
  if (port.vlan_mode == VlanMode::Trunk) [[unlikely]] {
    if (!take_tag(packet, meta, port)) return;
    look_through_tags(packet, meta);
  } else if (is_tag(meta.ether_type)) [[unlikely]] {
    return meta.drop(DropReason::VlanTagged);
  }
  meta.source = fdb_key(source, meta.fid);
  meta.destination = fdb_key(destination, meta.fid);
  constexpr uint64_t kGroupBit = 1;  // of the first byte on the wire
  if ((source & kGroupBit) != 0 || source == 0) [[unlikely]]
    return meta.drop(DropReason::SourceMacInvalid);
  if (has_offload_request(packet) && !adopt_offload_request(packet, meta)) [[unlikely]]
    meta.drop(DropReason::OffloadInvalid);
}

}  // namespace

void parse(Burst& burst, const Snapshot& snapshot, Local& local) noexcept {
  const PortView& port = snapshot.ports[burst.in_port];
  burst.begin();
  uint64_t last_source = 0;
  uint64_t last_destination = 0;
  Fdb::Place source_place{};
  Fdb::Place destination_place{};
  uint64_t bytes = 0;
  for (uint16_t i = 0; i < burst.count; ++i) {
    rte_mbuf& packet = *burst.packets[i];
    PacketMeta& meta = burst.meta[i];
    bytes += packet.pkt_len;
    packet.port = burst.in_port;  // the egress counts its drops at the port of origin
    parse_one(packet, meta, port);
    if (meta.verdict != Verdict::Undecided) continue;
    if (meta.destination != last_destination) {
      destination_place = local.fdb->place_of(last_destination = meta.destination);
      local.fdb->prefetch(destination_place);
    }
    burst.destination_place[i] = destination_place;
    if (port.owns_mac) continue;
    if (meta.source != last_source) {
      source_place = local.fdb->place_of(last_source = meta.source);
      local.fdb->prefetch(source_place);
    }
    burst.source_place[i] = source_place;
  }
  PortCounters& counters = (*local.ports)[burst.in_port];
  counters.rx_packets.add(burst.count);
  counters.rx_bytes.add(bytes);
}

}  // namespace podswitch::stages
