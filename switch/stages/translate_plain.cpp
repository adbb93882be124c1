// SPDX-License-Identifier: Apache-2.0
// Packets of known flows that are IPv4 with TCP or UDP and nothing special: looked up, translated and routed
// at once. A burst is gone over three times, so that what it needs of a table with millions of flows is on
// its way while other packets have their turn. What differs in anything is left to translate.cpp and the
// route stage.
#include <cstring>

#include "switch/net/headers.h"
#include "switch/offload.h"
#include "switch/stages/forward.h"
#include "switch/stages/next_hop.h"
#include "switch/stages/translate.h"

namespace podswitch::stages {
namespace {

constexpr uint32_t rotated(uint32_t ports) noexcept {
  return ports << 16 | ports >> 16;
}
constexpr uint64_t rotated(uint64_t addresses) noexcept {
  return addresses << 32 | addresses >> 32;
}

template <typename Header>
void rewrite_l4(Header& header, bool is_partial, net::Sum addresses, net::Sum full, uint32_t ports) noexcept {
  const uint16_t checksum = header.checksum.raw();
  uint16_t next;
  if (is_partial)
    next = net::add_sums(checksum, addresses);
  else if constexpr (std::is_same_v<Header, net::UdpHeader>)
    next = adjusted_udp(checksum, full);
  else
    next = adjusted(checksum, full);
  header.checksum = be16_t::from_raw(next);
  std::memcpy(static_cast<void*>(&header), &ports, sizeof ports);
}

}  // namespace

inline Translator::Path Translator::look_at(const rte_mbuf& packet, const PacketMeta& meta,
                                            Look& look) const noexcept {
  const bool is_open =
      meta.verdict == Verdict::Route || (meta.verdict == Verdict::Undecided && !is_group(meta.destination));
  if (!is_open || snapshot_.fids[meta.fid].services == nullptr) return Path::None;
  if (meta.ether_type != net::kEtherTypeIpv4)
    return meta.ether_type == net::kEtherTypeIpv6 ? look_at_v6(packet, meta, look) : Path::None;
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

// Looked at fully later on; what that needs is fetched until then.
inline Translator::Path Translator::look_at_v6(const rte_mbuf& packet, const PacketMeta& meta,
                                               Look& look) const noexcept {
  constexpr uint32_t kEnd = sizeof(net::Ipv6Header) + sizeof(net::UdpHeader);
  if (packet.data_len < meta.l3_offset + kEnd) return Path::Full;
  const auto& ip = *rte_pktmbuf_mtod_offset(&packet, const net::Ipv6Header*, meta.l3_offset);
  if (ip.next_header != net::kProtoUdp && ip.next_header != net::kProtoTcp) return Path::Full;
  FlowKey key;
  std::memcpy(key.addresses.data(), &ip.source, sizeof key.addresses);
  std::memcpy(&key.ports, &ip + 1, sizeof key.ports);
  key.scope = FlowScope::make(ip.next_header, true, snapshot_.fids[meta.fid].network);
  look.hash = flows_.hash(key);
  flows_.prefetch_index(look.hash);
  return Path::Fetched;
}

void Translator::run() noexcept {
  std::array<Look, kBurstSize> looks;
  std::array<Path, kBurstSize> paths;
  for (uint16_t i = 0; i < burst_.count; ++i)
    paths[i] = look_at(*burst_.packets[i], burst_.meta[i], looks[i]);
  for (uint16_t i = 0; i < burst_.count; ++i)
    if (paths[i] == Path::Plain)
      looks[i].slot = flows_.prefetch_record(looks[i].hash);
    else if (paths[i] == Path::Fetched)
      flows_.prefetch_addresses(flows_.prefetch_record(looks[i].hash));
  for (uint16_t i = 0; i < burst_.count; ++i) {
    rte_mbuf& packet = *burst_.packets[i];
    PacketMeta& meta = burst_.meta[i];
    if (paths[i] == Path::None) continue;
    if (paths[i] == Path::Plain && finish(packet, meta, i, looks[i])) continue;
    translate_fully(packet, meta);
  }
}

// False: this needs a closer look, and nothing has changed.
inline bool Translator::finish(rte_mbuf& packet, PacketMeta& meta, uint16_t index,
                               const Look& look) noexcept {
  auto& ip = *rte_pktmbuf_mtod_offset(&packet, net::Ipv4Header*, meta.l3_offset);
  if (look.slot == kNoFlow) {
    // No entry with such a tag in the flow's bucket: mostly there is none at all, and nobody asks for one.
    return !flows_.may_lie_further(look.hash) &&
           !may_begin(meta, IpAddress(ip.destination), ip.protocol,
                      __builtin_bswap16(static_cast<uint16_t>(look.ports >> 16)));
  }
  const FlowRecord& record = flows_.record(look.slot);
  const uint32_t sequence = record.sequence.load(std::memory_order_acquire);
  const uint64_t original = record.original.load(std::memory_order_acquire);
  const uint64_t reply = record.reply.load(std::memory_order_acquire);
  const uint64_t both_ports = record.ports.load(std::memory_order_acquire);
  const uint64_t kind = record.kind.load(std::memory_order_acquire);
  const uint64_t activity = record.activity.load(std::memory_order_acquire);
  const bool is_original = original == look.addresses && static_cast<uint32_t>(both_ports) == look.ports;
  const bool is_reply = reply == look.addresses && static_cast<uint32_t>(both_ports >> 32) == look.ports;
  if (!(is_original | is_reply) || (static_cast<uint32_t>(kind) & flow::kScopeMask) != look.scope)
    return false;
  const uint64_t known = record.hops[is_original ? 0 : 1].load(std::memory_order_acquire);
  const ServiceId service = record.service.load(std::memory_order_acquire);
  if (sequence % 2 != 0 || record.sequence.load(std::memory_order_relaxed) != sequence) return false;

  const auto direction = is_original ? FlowDirection::Original : FlowDirection::Reply;
  const bool is_tcp = ip.protocol == net::kProtoTcp;
  const uint8_t flags = is_tcp ? reinterpret_cast<const net::TcpHeader*>(&ip + 1)->flags : uint8_t{0};
  if (!is_steady(flow::state_of(activity), direction, flags)) return false;
  const bool is_routed = meta.verdict == Verdict::Route;
  const NextHop* hop = nullptr;
  if (is_routed) {
    if (known >> 32 != snapshot_.routes_version) return false;
    hop = &(*snapshot_.next_hops)[known & 0xffff];
    if (!leads_on_plainly(*hop, packet, ip)) return false;
  }
  if (flow::last_seen(activity) != now_) [[unlikely]] {
    if (flows_.is_expired(activity, now_)) return false;
    flows_.touch(look.slot, activity, flow::activity_of(flow::state_of(activity), now_));
  }
  if (service != kNoService) local_.service_counters->add(service, packet.pkt_len);

  const net::Sum flip = is_original ? 0 : 0xffff;  // one's complement: the other way round
  const net::Sum address_delta = flow::address_delta(kind) ^ flip;
  net::Sum header_delta = address_delta;
  if (is_routed) {
    --ip.ttl;
    constexpr net::Sum kOneHopLess = 0xfffe;  // the TTL is the first byte of its word
    header_delta = net::add_sums(header_delta, kOneHopLess);
  }
  const uint64_t addresses = rotated(is_original ? reply : original);
  const uint32_t ports = rotated(static_cast<uint32_t>(is_original ? both_ports >> 32 : both_ports));
  std::memcpy(static_cast<void*>(&ip.source), &addresses, sizeof addresses);
  ip.checksum = be16_t::from_raw(adjusted(ip.checksum.raw(), header_delta));
  const net::Sum full_delta = flow::full_delta(kind) ^ flip;
  const bool is_partial = has_open_request(packet);
  if (is_tcp)
    rewrite_l4(*reinterpret_cast<net::TcpHeader*>(&ip + 1), is_partial, address_delta, full_delta, ports);
  else
    rewrite_l4(*reinterpret_cast<net::UdpHeader*>(&ip + 1), is_partial, address_delta, full_delta, ports);
  burst_.translated |= 1u << index;
  if (!is_routed) return true;
  ++burst_.settled;
  if (hop->kind == NextHop::Kind::Pod) {
    std::memcpy(rte_pktmbuf_mtod(&packet, void*), hop->macs.data(), hop->macs.size());
    meta.fid = hop->fid;
    meta.forward(hop->port);
    return true;
  }
  hand_to(*hop, packet, meta, net::plain_l3(packet, meta.l3_offset), local_);
  return true;
}

// What the route stage would find about most packets; whatever else there is, it is to find itself.
inline bool Translator::leads_on_plainly(const NextHop& hop, const rte_mbuf& packet,
                                         const net::Ipv4Header& ip) const noexcept {
  constexpr net::Sum kRight = 0xffff;
  const bool leads_on =
      hop.kind == NextHop::Kind::Pod || (hop.kind == NextHop::Kind::Tunnel && !from_underlay_);
  return leads_on && ip.ttl > 1 && ip.total_length.host() <= hop.mtu &&
         (packet.ol_flags & RTE_MBUF_F_TX_TCP_SEG) == 0 && net::sum_ipv4_header(&ip, sizeof ip) == kRight;
}

}  // namespace podswitch::stages
