// SPDX-License-Identifier: Apache-2.0
// Packets of flows in general: any protocol and header. What most packets are is done in registers by
// translate_plain.cpp; this is for the rest, and says what it means.
#include "switch/stages/translate.h"

#include <cstring>

#include "switch/net/headers.h"
#include "switch/net/mbuf_view.h"
#include "switch/stages/stages.h"

namespace podswitch::stages {
namespace {

// The last chunks of a packet that matter come first or behind a SACK.
constexpr int kChunksLookedAt = 4;

uint8_t important_chunk(const rte_mbuf& packet, uint32_t offset, uint32_t end) noexcept {
  struct Chunk {
    uint8_t type, flags;
    be16_t length;
  };
  for (int i = 0; i < kChunksLookedAt && offset + sizeof(Chunk) <= end; ++i) {
    const auto* chunk = net::header_at<Chunk>(packet, offset);
    if (chunk == nullptr) break;
    switch (chunk->type) {
      case kSctpInit:
      case kSctpInitAck:
      case kSctpAbort:
      case kSctpShutdown:
      case kSctpShutdownAck:
      case kSctpCookieEcho:
      case kSctpCookieAck:
      case kSctpShutdownComplete:
        return chunk->type;
      default:
        break;
    }
    const uint32_t length = chunk->length.host();
    if (length < sizeof(Chunk)) break;
    offset += (length + 3) / 4 * 4;
  }
  return 0;
}

}  // namespace

bool read_tuple(const rte_mbuf& packet, uint16_t l3_offset, bool is_v6, const net::L3& l3, uint16_t network,
                FlowKey& key) noexcept {
  size_t header = 0;
  if (l3.protocol == net::kProtoTcp) header = sizeof(net::TcpHeader);
  if (l3.protocol == net::kProtoUdp) header = sizeof(net::UdpHeader);
  if (l3.protocol == net::kProtoSctp) header = sizeof(net::SctpHeader);
  if (header == 0 || l3.l4_offset + header > packet.data_len || l3.l4_length() < header) return false;
  const auto* at = rte_pktmbuf_mtod(&packet, const uint8_t*);
  std::memcpy(&key.ports, at + l3.l4_offset, sizeof key.ports);
  if (is_v6)
    std::memcpy(key.addresses.data(), at + l3_offset + offsetof(net::Ipv6Header, source), 32);
  else
    std::memcpy(key.addresses.data(), at + l3_offset + offsetof(net::Ipv4Header, source), 8);
  key.scope = FlowScope::make(l3.protocol, is_v6, network);
  return true;
}

FlowEvent read_event(const rte_mbuf& packet, const net::L3& l3) noexcept {
  FlowEvent event;
  if (l3.protocol == net::kProtoTcp) {
    if (const auto* tcp = net::header_at<net::TcpHeader>(packet, l3.l4_offset)) event.tcp_flags = tcp->flags;
  } else if (l3.protocol == net::kProtoSctp) {
    event.sctp_chunk = important_chunk(packet, l3.l4_offset + uint32_t{sizeof(net::SctpHeader)}, l3.end);
  }
  return event;
}

// The next hop by the flow, as long as the routes are those that it was found in.
void Translator::find_hop(PacketMeta& meta, const FlowTable::Found& found, uint64_t known, uint16_t index,
                          const IpAddress& destination) noexcept {
  NextHopId id = static_cast<NextHopId>(known & 0xffff);
  if (known >> 32 != snapshot_.routes_version) [[unlikely]] {
    const Lpm* routes = snapshot_.fids[meta.fid].routes;
    if (routes == nullptr) return;
    id = destination.is_v4() ? routes->find(destination.v4()) : routes->find(destination.v6);
    if (id == kNoRoute) return;
    flows_.set_hop(found.slot, found.direction, uint64_t{snapshot_.routes_version} << 32 | id);
  }
  burst_.hops[index] = &(*snapshot_.next_hops)[id];
  burst_.with_hop |= 1u << index;
}

// False: the flow is no more, and this packet may begin another one.
bool Translator::keep_alive(const FlowTable::Found& found, uint64_t activity, uint8_t protocol,
                            FlowEvent event) noexcept {
  const FlowState state = flow::state_of(activity);
  const bool begins_anew =
      is_over(state) && found.direction == FlowDirection::Original && begins_connection(protocol, event);
  if (begins_anew || flows_.is_expired(activity, now_)) {
    flows_.remove(found.slot, found.sequence, local_.flow_worker.slots);
    return false;
  }
  const FlowState next = next_state(state, found.direction, event);
  if (next != state || flow::last_seen(activity) != now_)
    flows_.touch(found.slot, activity, flow::activity_of(next, now_));
  return true;
}

void Translator::translate_fully(rte_mbuf& packet, PacketMeta& meta) noexcept {
  const auto l3 = net::inspect_l3(packet, meta.ether_type, meta.l3_offset);
  if (!l3 || l3->has_routing) return;
  if (l3->is_fragment) return translate_fragment(packet, meta, *l3);
  const bool is_v6 = meta.ether_type == net::kEtherTypeIpv6;
  if (l3->protocol == (is_v6 ? net::kProtoIcmpv6 : net::kProtoIcmp)) return translate_icmp(packet, meta, *l3);
  FlowKey key;
  if (read_tuple(packet, meta.l3_offset, is_v6, *l3, snapshot_.fids[meta.fid].network, key))
    return follow(packet, meta, *l3, key);
  refuse_other(packet, meta, *l3);
}

void Translator::follow(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, const FlowKey& key) noexcept {
  if (!follow_flow(packet, meta, l3, key)) begin(packet, meta, l3, key);
}

bool Translator::follow_flow(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3,
                             const FlowKey& key) noexcept {
  const FlowTable::Found found = flows_.find(flows_.hash(key), key);
  if (!found) return false;
  const uint64_t activity = flows_.record(found.slot).activity.load(std::memory_order_relaxed);
  const FlowEvent event = l3.is_first ? read_event(packet, l3) : FlowEvent{};
  if (!keep_alive(found, activity, key.protocol(), event)) return false;
  apply(packet, meta, l3, key, found);
  return true;
}

void Translator::apply(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, const FlowKey& from,
                       const FlowTable::Found& found) noexcept {
  const FlowRecord& record = flows_.record(found.slot);
  const Rewrite change = make_rewrite(from, flows_.translated(found));
  const uint64_t hop = record.hops[static_cast<size_t>(found.direction)].load(std::memory_order_relaxed);
  const ServiceId service = record.service.load(std::memory_order_relaxed);
  // It went while we looked: as good as a table without room.
  if (!flows_.is_same(found)) return meta.drop(DropReason::FlowTableFull);
  if (service != kNoService) local_.service_counters->add(service, packet.pkt_len);
  if (change.to != from) {
    if (!rewrite(packet, meta.l3_offset, l3, from.is_v6(), change))
      return meta.drop(DropReason::FlowUntranslatable);
    burst_.translated |= 1u << index_of(meta);
  }
  if (meta.verdict == Verdict::Route) find_hop(meta, found, hop, index_of(meta), change.to.destination());
}

void translate(Burst& burst, const Snapshot& snapshot, Local& local) noexcept {
  Translator(burst, snapshot, local).run();
}

}  // namespace podswitch::stages
