// SPDX-License-Identifier: Apache-2.0
// Packets of known flows: their addresses and ports become those of the other end. A burst is gone over three
// times, so that what it needs of a table with millions of flows is on its way while other packets have
// their turn.
#include "switch/stages/translate.h"

#include <cstring>

#include "switch/net/headers.h"
#include "switch/net/mbuf_view.h"
#include "switch/offload.h"
#include "switch/stages/forward.h"
#include "switch/stages/stages.h"

namespace podswitch::stages {
namespace {

constexpr uint32_t rotated(uint32_t ports) noexcept {
  return ports << 16 | ports >> 16;
}
constexpr uint64_t rotated(uint64_t addresses) noexcept {
  return addresses << 32 | addresses >> 32;
}

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

template <typename Header>
void rewrite_plain_l4(Header& header, bool is_partial, net::Sum addresses, net::Sum full,
                      uint32_t ports) noexcept {
  const uint16_t checksum = header.checksum.raw();
  uint16_t next = is_partial ? net::add_sums(checksum, addresses) : adjusted(checksum, full);
  if constexpr (std::is_same_v<Header, net::UdpHeader>)
    if (!is_partial) next = adjusted_udp(checksum, full);
  header.checksum = be16_t::from_raw(next);
  std::memcpy(static_cast<void*>(&header), &ports, sizeof ports);
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

Translator::Path Translator::look_at(const rte_mbuf& packet, const PacketMeta& meta,
                                     Look& look) const noexcept {
  const bool is_open =
      meta.verdict == Verdict::Route || (meta.verdict == Verdict::Undecided && !is_group(meta.destination));
  if (!is_open || snapshot_.fids[meta.fid].services == nullptr) return Path::None;
  if (meta.ether_type != net::kEtherTypeIpv4)
    return meta.ether_type == net::kEtherTypeIpv6 ? Path::Full : Path::None;
  constexpr uint32_t kUdpEnd = sizeof(net::Ipv4Header) + sizeof(net::UdpHeader);
  constexpr uint32_t kTcpEnd = sizeof(net::Ipv4Header) + sizeof(net::TcpHeader);
  if (packet.data_len < meta.l3_offset + kUdpEnd) return Path::Full;
  const auto& ip = *rte_pktmbuf_mtod_offset(&packet, const net::Ipv4Header*, meta.l3_offset);
  const uint32_t length = ip.total_length.host();
  const uint32_t needed = ip.protocol == net::kProtoTcp ? kTcpEnd : kUdpEnd;
  constexpr uint16_t kFragment = net::kIpv4MoreFragments | net::kIpv4FragmentOffset;
  if ((ip.protocol != net::kProtoUdp && ip.protocol != net::kProtoTcp) || ip.version_ihl != 0x45 ||
      (ip.fragment.host() & kFragment) != 0 || length < needed || meta.l3_offset + length > packet.pkt_len ||
      packet.data_len < meta.l3_offset + needed)
    return Path::Full;
  std::memcpy(&look.addresses, &ip.source, sizeof look.addresses);
  std::memcpy(&look.ports, &ip + 1, sizeof look.ports);
  look.scope = FlowScope::make(ip.protocol, false, snapshot_.fids[meta.fid].network);
  look.hash = flows_.hash_v4(look.addresses, look.ports, look.scope);
  flows_.prefetch_index(look.hash);
  return Path::Plain;
}

void Translator::run() noexcept {
  std::array<Look, kBurstSize> looks;
  std::array<Path, kBurstSize> paths;
  for (uint16_t i = 0; i < burst_.count; ++i)
    paths[i] = look_at(*burst_.packets[i], burst_.meta[i], looks[i]);
  for (uint16_t i = 0; i < burst_.count; ++i)
    if (paths[i] == Path::Plain) flows_.prefetch_record(looks[i].hash, false);
  for (uint16_t i = 0; i < burst_.count; ++i) {
    rte_mbuf& packet = *burst_.packets[i];
    PacketMeta& meta = burst_.meta[i];
    if (paths[i] == Path::None) continue;
    if (paths[i] == Path::Plain && translate_plain(packet, meta, i, looks[i])) continue;
    translate_fully(packet, meta);
  }
}

// False: this needs a closer look.
bool Translator::translate_plain(rte_mbuf& packet, PacketMeta& meta, uint16_t index,
                                 const Look& look) noexcept {
  const FlowTable::Found found = flows_.find_v4(look.hash, look.addresses, look.ports, look.scope);
  auto& ip = *rte_pktmbuf_mtod_offset(&packet, net::Ipv4Header*, meta.l3_offset);
  if (!found) {
    return !may_begin(meta, IpAddress(ip.destination), ip.protocol,
                      __builtin_bswap16(static_cast<uint16_t>(look.ports >> 16)));
  }
  const FlowRecord& record = flows_.record(found.slot);
  const bool is_reply = found.direction == FlowDirection::Reply;
  const uint64_t activity = record.activity.load(std::memory_order_relaxed);
  const uint64_t kind = record.kind.load(std::memory_order_relaxed);
  const uint64_t addresses =
      rotated((is_reply ? record.original : record.reply).load(std::memory_order_relaxed));
  const auto ports =
      rotated(static_cast<uint32_t>(record.ports.load(std::memory_order_relaxed) >> (is_reply ? 0 : 32)));
  const uint64_t hop = record.hops[is_reply ? 1 : 0].load(std::memory_order_relaxed);
  const ServiceId service = record.service.load(std::memory_order_relaxed);
  if (!flows_.is_same(found)) return false;

  const bool is_tcp = ip.protocol == net::kProtoTcp;
  const uint8_t flags = is_tcp ? reinterpret_cast<const net::TcpHeader*>(&ip + 1)->flags : uint8_t{0};
  if (flow::last_seen(activity) != now_ || !is_steady(flow::state_of(activity), found.direction, flags))
    if (!keep_alive(found, activity, ip.protocol, {.tcp_flags = flags})) return false;
  if (service != kNoService) local_.service_counters->add(service, packet.pkt_len);

  if ((kind & flow::kTranslated) != 0) {
    const net::Sum address_delta =
        is_reply ? net::complement(flow::address_delta(kind)) : flow::address_delta(kind);
    const net::Sum full_delta = is_reply ? net::complement(flow::full_delta(kind)) : flow::full_delta(kind);
    std::memcpy(static_cast<void*>(&ip.source), &addresses, sizeof addresses);
    ip.checksum = be16_t::from_raw(adjusted(ip.checksum.raw(), address_delta));
    const bool is_partial = has_open_request(packet);
    if (is_tcp)
      rewrite_plain_l4(*reinterpret_cast<net::TcpHeader*>(&ip + 1), is_partial, address_delta, full_delta,
                       ports);
    else
      rewrite_plain_l4(*reinterpret_cast<net::UdpHeader*>(&ip + 1), is_partial, address_delta, full_delta,
                       ports);
    burst_.translated |= 1u << index;
  }
  if (meta.verdict == Verdict::Route) find_hop(meta, found, hop, index, IpAddress(ip.destination));
  return true;
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
