// SPDX-License-Identifier: Apache-2.0
// Routing (RFC 1812 section 5.2, RFC 8200): what was sent to the switch's own MAC goes to the next hop of the
// longest prefix that holds its destination.
#include <rte_cycles.h>
#include <rte_prefetch.h>

#include <array>

#include "switch/fragment.h"
#include "switch/fragment_flow.h"
#include "switch/icmp_error.h"
#include "switch/net/checksum.h"
#include "switch/net/headers.h"
#include "switch/net/l3.h"
#include "switch/net/mbuf_view.h"
#include "switch/net/ttl.h"
#include "switch/stages/answer.h"
#include "switch/stages/next_hop.h"
#include "switch/stages/stages.h"
#include "switch/stages/translate.h"

namespace podswitch::stages {
namespace {

// Never routed: 0/8, loopback, link-local (RFC 3927 section 2.6.2), group addresses and what is above them.
bool is_routable(const Ipv4Address& ip) noexcept {
  return ip.bytes[0] != 0 && ip.bytes[0] != 127 && ip.bytes[0] < 224 &&
         !(ip.bytes[0] == 169 && ip.bytes[1] == 254);
}
bool is_routable(const Ipv6Address& ip) noexcept {
  static constexpr Ipv6Address kLoopback{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
  return !ip.is_unspecified() && !ip.is_multicast() && !ip.is_link_local() && ip != kLoopback;
}

class Router {
 public:
  Router(Burst& burst, const Snapshot& snapshot, Local& local) noexcept
      : burst_(burst),
        in_(burst.in_port),
        snapshot_(snapshot),
        local_(local),
        from_underlay_(snapshot.ports[burst.in_port].is_uplink) {}

  // The next hop of each packet, fetched while those of the others are looked for: with many nodes they are
  // in no near cache. From the underlay packets go to pods, whose next hops have no template.
  void find_hops(Burst& burst) noexcept {
    for (uint16_t i = 0; i < burst.count; ++i) {
      const PacketMeta& meta = burst.meta[i];
      if (meta.verdict != Verdict::Route) continue;
      if ((burst.with_hop >> i & 1) == 0) burst.hops[i] = hop_of_destination(*burst.packets[i], meta);
      if (burst.hops[i] == nullptr) continue;
      rte_prefetch0(&burst.hops[i]->kind);
      if (!from_underlay_) rte_prefetch0(burst.hops[i]);
    }
  }

  void route(rte_mbuf& packet, PacketMeta& meta, uint16_t index) noexcept {
    hop_ = burst_.hops[index];
    const auto l3 = net::inspect_l3(packet, meta.ether_type, meta.l3_offset);
    if (!l3) return meta.drop(DropReason::Malformed);
    if (meta.ether_type == net::kEtherTypeIpv4)
      route_v4(packet, meta, *l3);
    else
      route_v6(packet, meta, *l3);
  }

 private:
  void route_v4(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3) noexcept {
    auto& ip = *net::header_at<net::Ipv4Header>(packet, meta.l3_offset);
    constexpr net::Sum kRight = 0xffff;
    if (!is_routable(ip.source) || !is_routable(ip.destination) ||
        net::sum_ipv4_header(&ip, (ip.version_ihl & 0xf) * 4u) != kRight)
      return meta.drop(DropReason::RouteInvalid);
    go_on(packet, meta, l3, ip);
  }

  void route_v6(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3) noexcept {
    auto& ip = *net::header_at<net::Ipv6Header>(packet, meta.l3_offset);
    if (!is_routable(ip.source) || !is_routable(ip.destination)) return meta.drop(DropReason::RouteInvalid);
    go_on(packet, meta, l3, ip);
  }

  // An error quotes the packet as it was received: nothing is changed before the last thing that may fail.
  template <typename Header>
  void go_on(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, Header& ip) noexcept {
    const NextHop* hop = hop_;
    // RFC 1812 section 4.2.2.9: what has arrived has arrived.
    if (hops_left(ip) <= 1 && (hop == nullptr || hop->kind != NextHop::Kind::Self))
      return fail(packet, meta, DropReason::TtlExpired, IcmpError::TimeExceeded);
    if (hop == nullptr || !leads_on(*hop)) return refuse(packet, meta, l3, hop);
    if (hop->kind == NextHop::Kind::Link && !from_underlay_ && !find_host(*hop, packet, meta)) return;
    if (!fits_hop(packet, l3, meta, hop->mtu)) [[unlikely]]
      return cut(packet, meta, l3, ip, *hop);
    (void)net::decrement_ttl(ip);  // seen to be above 1
    send(packet, meta, l3, *hop);
  }
  static uint8_t hops_left(const net::Ipv4Header& ip) noexcept { return ip.ttl; }
  static uint8_t hops_left(const net::Ipv6Header& ip) noexcept { return ip.hop_limit; }

  static bool leads_on(const NextHop& hop) noexcept {
    using Kind = NextHop::Kind;
    return hop.kind == Kind::Pod || hop.kind == Kind::Host || hop.kind == Kind::Underlay ||
           hop.kind == Kind::Tunnel || hop.kind == Kind::Link;
  }
  void refuse(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, const NextHop* hop) noexcept {
    if (hop == nullptr) return fail(packet, meta, DropReason::RouteNone, IcmpError::NetUnreachable);
    if (hop->kind == NextHop::Kind::Self) return answer_for_self(packet, meta, l3);
    if (hop->kind == NextHop::Kind::Unreachable)
      return fail(packet, meta, DropReason::RouteNone, IcmpError::HostUnreachable);
    tell_or_drop(packet, meta, hop->is_silent);
  }
  // Pods of this node are answered before: this one is elsewhere. Its later fragments are not answered, since
  // they do not say what they are: two such gateways would send one to and fro for ever.
  void answer_for_self(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3) noexcept {
    if (l3.is_fragment || !make_echo_reply(packet, meta, l3))
      return fail(packet, meta, DropReason::GatewayNotRouted, IcmpError::PortUnreachable);
    if (!turn_back(packet, meta)) meta.drop(DropReason::GatewayNotRouted);
  }
  // On the uplink's link. False: it is not known, and the packet is done with.
  bool find_host(const NextHop& hop, rte_mbuf& packet, PacketMeta& meta) noexcept {
    const Resolved resolved = resolve(hop, packet, meta, local_);
    if (resolved == Resolved::Silent) tell_or_drop(packet, meta, true);
    return resolved == Resolved::Yes;
  }
  // RFC 1812 section 5.2.7.1, RFC 4443 section 3.1. From the underlay we are nobody's router.
  void tell_or_drop(rte_mbuf& packet, PacketMeta& meta, bool is_silent) noexcept {
    if (!is_silent || from_underlay_) return meta.drop(DropReason::NextHopUnresolved);
    fail(packet, meta, DropReason::NextHopUnresolved, IcmpError::HostUnreachable);
  }

  template <typename Address>
  const NextHop* find(Fid fid, const Address& destination) const noexcept {
    const Lpm* routes = snapshot_.fids[fid].routes;
    if (routes == nullptr) return nullptr;
    const uint32_t id = routes->find(destination);
    return id == kNoRoute ? nullptr : &(*snapshot_.next_hops)[id];
  }

  static bool fits_hop(const rte_mbuf& packet, const net::L3& l3, const PacketMeta& meta,
                       uint16_t mtu) noexcept {
    const bool is_super = (packet.ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0;
    const uint32_t length = is_super ? static_cast<uint32_t>(packet.l3_len + packet.l4_len + packet.tso_segsz)
                                     : l3.end - meta.l3_offset;
    return length <= mtu;
  }

  // RFC 1812 section 4.2.2.7, RFC 8200 section 5.
  template <typename Header>
  void cut(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, Header& ip, const NextHop& hop) noexcept {
    if (!may_cut(ip)) return fail(packet, meta, DropReason::MtuExceeded, IcmpError::TooBig, hop.mtu);
    if (leads_round(hop)) return meta.drop(DropReason::TunnelNotForUs);
    const bool is_super = (packet.ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0;
    if (!is_super && fragment_count(packet, meta.l3_offset, hop.mtu) == 0)
      return meta.drop(DropReason::MtuExceeded);
    (void)net::decrement_ttl(ip);
    meta.verdict = Verdict::Fragment;
    burst_.cuts[static_cast<size_t>(&meta - burst_.meta.data())] = {&hop,
                                                                    flow_hash_of(packet, meta, l3, local_)};
  }
  static bool may_cut(const net::Ipv4Header& ip) noexcept {
    return (ip.fragment.host() & net::kIpv4DontFragment) == 0;
  }
  static bool may_cut(const net::Ipv6Header&) noexcept { return false; }

  // What came from the underlay ends here: nobody sends his traffic round by this node.
  bool leads_round(const NextHop& hop) const noexcept {
    return from_underlay_ && hop.kind != NextHop::Kind::Pod;
  }

  void send(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, const NextHop& hop) noexcept {
    if (leads_round(hop)) return meta.drop(DropReason::TunnelNotForUs);
    hand_to(hop, packet, meta, l3, local_);
  }

  // The packet becomes the error about itself, if one may be sent, and goes to where it came from.
  void fail(rte_mbuf& packet, PacketMeta& meta, DropReason reason, IcmpError error,
            uint16_t mtu = 0) noexcept {
    meta.drop(reason);
    const bool is_v4 = meta.ether_type == net::kEtherTypeIpv4;
    const std::optional<IpAddress>& source = is_v4 ? snapshot_.icmp_source_v4 : snapshot_.icmp_source_v6;
    if (!source || !local_.icmp_limiter.allow(source_of(packet, meta), rte_rdtsc()) ||
        !make_icmp_error(packet, meta.l3_offset, error, *source, mtu))
      return;
    if ((burst_.translated >> (&meta - burst_.meta.data()) & 1) != 0) tell_as_it_was(packet, meta);
    if (!turn_back(packet, meta)) return meta.drop(reason);
    (*local_.ports)[in_].reasons[static_cast<size_t>(reason)].add(1);
  }

  void tell_as_it_was(rte_mbuf& packet, PacketMeta& meta) noexcept {
    Translator(burst_, snapshot_, local_).translate_error(packet, meta);
  }

  // To the sender, as what the packet has become. False: there is no way.
  bool turn_back(rte_mbuf& packet, PacketMeta& meta) noexcept {
    const auto l3 = net::inspect_l3(packet, meta.ether_type, meta.l3_offset);
    const NextHop* hop = l3 ? hop_of_destination(packet, meta) : nullptr;
    if (hop == nullptr) return false;
    if (hop->kind == NextHop::Kind::Link && resolve(*hop, packet, meta, local_) != Resolved::Yes)
      return false;
    hand_to(*hop, packet, meta, *l3, local_);
    return meta.verdict == Verdict::Forward;
  }

  static IpAddress source_of(const rte_mbuf& packet, const PacketMeta& meta) noexcept {
    if (meta.ether_type == net::kEtherTypeIpv4)
      return IpAddress(net::header_at<net::Ipv4Header>(packet, meta.l3_offset)->source);
    return IpAddress(net::header_at<net::Ipv6Header>(packet, meta.l3_offset)->source);
  }

  // nullptr also when there is no whole header.
  const NextHop* hop_of_destination(const rte_mbuf& packet, const PacketMeta& meta) const noexcept {
    if (meta.ether_type == net::kEtherTypeIpv4) {
      const auto* ip = net::header_at<net::Ipv4Header>(packet, meta.l3_offset);
      return ip == nullptr ? nullptr : find(meta.fid, ip->destination);
    }
    const auto* ip = net::header_at<net::Ipv6Header>(packet, meta.l3_offset);
    return ip == nullptr ? nullptr : find(meta.fid, ip->destination);
  }

  Burst& burst_;
  const PortId in_;
  const Snapshot& snapshot_;
  Local& local_;
  const bool from_underlay_;
  const NextHop* hop_ = nullptr;  // of the packet in hand
};

}  // namespace

void route(Burst& burst, const Snapshot& snapshot, Local& local) noexcept {
  if (burst.to_route == burst.settled) return;
  Router router(burst, snapshot, local);
  router.find_hops(burst);
  for (uint16_t i = 0; i < burst.count; ++i)
    if (burst.meta[i].verdict == Verdict::Route) router.route(*burst.packets[i], burst.meta[i], i);
}

}  // namespace podswitch::stages
