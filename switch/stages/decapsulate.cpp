// SPDX-License-Identifier: Apache-2.0
// Takes packets out of the tunnels that end here (RFC 7348, RFC 8926). What comes out is another packet of
// another network: everything that parse found out is found out again.
#include "switch/encap.h"
#include "switch/net/ecn.h"
#include "switch/net/headers.h"
#include "switch/net/l3.h"
#include "switch/net/mbuf_view.h"
#include "switch/net/plain_tunnel.h"
#include "switch/net/tunnel.h"
#include "switch/stages/stages.h"

namespace podswitch::stages {
namespace {

constexpr uint64_t kGroupBit = 1;  // of the first byte on the wire

bool is_ip(uint16_t ether_type) noexcept {
  return ether_type == net::kEtherTypeIpv4 || ether_type == net::kEtherTypeIpv6;
}

using Kind = NextHop::Kind;

// What kind of next hop an address of the packet has in network `fid`.
enum class End { Source, Destination };
template <End end>
Kind kind_of(const rte_mbuf& packet, const PacketMeta& meta, Fid fid, const Snapshot& snapshot) noexcept {
  const Lpm* routes = snapshot.fids[fid].routes;
  if (routes == nullptr) return Kind::None;
  uint32_t id = kNoRoute;
  if (meta.ether_type == net::kEtherTypeIpv4) {
    if (const auto* ip = net::header_at<net::Ipv4Header>(packet, meta.l3_offset))
      id = routes->find(end == End::Source ? ip->source : ip->destination);
  } else if (const auto* ip = net::header_at<net::Ipv6Header>(packet, meta.l3_offset)) {
    id = routes->find(end == End::Source ? ip->source : ip->destination);
  }
  return id == kNoRoute ? Kind::None : snapshot.next_hops->kind_of(id);
}

// Whether it was sent to where our tunnels end. Who cannot be read may be.
bool may_be_for_us(const rte_mbuf& packet, const PacketMeta& meta, const TunnelView& view) noexcept {
  if (meta.ether_type == net::kEtherTypeIpv4) {
    const auto* ip = net::header_at<net::Ipv4Header>(packet, meta.l3_offset);
    return ip == nullptr || view.own_vteps.find(ip->destination);
  }
  const auto* ip = net::header_at<net::Ipv6Header>(packet, meta.l3_offset);
  return ip == nullptr || view.own_vteps.find(IpAddress(ip->destination));
}

// To a pod or the gateway of this node, without a tunnel, from somebody whom a tunnel does not lead to.
void take_direct(const rte_mbuf& packet, PacketMeta& meta, const Snapshot& snapshot) noexcept {
  const TunnelView& view = snapshot.tunnel;
  if (mac_of_key(meta.destination).as_u64() != view.uplink_mac || meta.l3_offset != sizeof(net::EtherHeader))
    return;
  const Kind to = kind_of<End::Destination>(packet, meta, view.fid, snapshot);
  if (to != Kind::Pod && (to != Kind::Self || may_be_for_us(packet, meta, view))) return;
  if (!is_direct(kind_of<End::Source>(packet, meta, view.fid, snapshot)))
    return meta.drop(DropReason::TunnelSource);
  meta.fid = view.fid;
  meta.verdict = Verdict::Route;
}

// The inner frame: its own addresses, network and EtherType.
void parse_inner(rte_mbuf& packet, PacketMeta& meta, const Snapshot& snapshot) noexcept {
  const auto* ether = net::header_at<net::EtherHeader>(packet, 0);
  if (ether == nullptr) return meta.drop(DropReason::TunnelMalformed);
  meta.fid = snapshot.tunnel.fid;
  meta.ether_type = ether->ether_type.host();
  meta.l3_offset = sizeof *ether;
  meta.source = fdb_key(ether->source.as_u64(), meta.fid);
  meta.destination = fdb_key(ether->destination.as_u64(), meta.fid);
  if (ether->destination.as_u64() != snapshot.tunnel.vtep_mac || !is_ip(meta.ether_type))
    return meta.drop(DropReason::TunnelNotForUs);
  // A pod of this node is not behind a tunnel: somebody else pretends to be it.
  if (kind_of<End::Source>(packet, meta, meta.fid, snapshot) == Kind::Pod)
    return meta.drop(DropReason::TunnelSource);
  meta.verdict = Verdict::Route;
}

// The inner frame of a stretched network, as parse does it for a frame of a port: there is no tag (RFC 7348
// section 6.1).
void parse_frame(const rte_mbuf& packet, PacketMeta& meta, Fid fid, NextHopId peer) noexcept {
  const auto* ether = net::header_at<net::EtherHeader>(packet, 0);
  if (ether == nullptr) return meta.drop(DropReason::TunnelMalformed);
  meta.fid = fid;
  meta.peer = static_cast<uint16_t>(peer);
  meta.ether_type = ether->ether_type.host();
  meta.l3_offset = sizeof *ether;
  meta.source = fdb_key(ether->source.as_u64(), fid);
  meta.destination = fdb_key(ether->destination.as_u64(), fid);
  if (ether->source.is_multicast() || ether->source.is_zero()) return meta.drop(DropReason::SourceMacInvalid);
  if (meta.ether_type == net::kEtherTypeVlan || meta.ether_type == net::kEtherTypeQinQ)
    return meta.drop(DropReason::VlanTagged);
  meta.verdict = Verdict::Deliver;
}

// Tunnel: net::TunnelPacket or net::PlainTunnel.
template <typename Tunnel>
void take_out(rte_mbuf& packet, PacketMeta& meta, const Snapshot& snapshot, const Tunnel& tunnel) noexcept {
  const TunnelView& view = snapshot.tunnel;
  if (!view.own_vteps.find(tunnel.outer_destination)) return take_direct(packet, meta, snapshot);
  const auto bridged_hop = view.vteps.find(tunnel.outer_source);
  if (!bridged_hop) return meta.drop(DropReason::TunnelVtepUnknown);
  const bool is_routed = tunnel.vni == view.vni;
  const Fid fid = is_routed ? view.fid : view.stretched.find(tunnel.vni);
  if (fid == kNoFid) return meta.drop(DropReason::TunnelVniUnknown);
  podswitch::decapsulate(packet, tunnel.inner_offset, tunnel.inner_length);
  if (is_routed)
    parse_inner(packet, meta, snapshot);
  else
    parse_frame(packet, meta, fid, *bridged_hop);
  if (meta.verdict != Verdict::Drop &&
      !net::apply_outer_ecn(packet, meta.ether_type, meta.l3_offset, tunnel.outer_ecn_tos))
    meta.drop(DropReason::TunnelMalformed);
}

void look_at(rte_mbuf& packet, PacketMeta& meta, const Snapshot& snapshot) noexcept {
  const TunnelView& view = snapshot.tunnel;
  net::PlainTunnel plain;
  if (net::read_plain_tunnel(packet, meta.ether_type, meta.l3_offset, view.udp_port, view.encapsulation,
                             plain)) [[likely]]
    return take_out(packet, meta, snapshot, plain);
  const net::TunnelRead read =
      net::read_tunnel(packet, meta.ether_type, meta.l3_offset, view.udp_port, view.encapsulation);
  if (read.verdict == net::TunnelVerdict::Tunnel) return take_out(packet, meta, snapshot, read.packet);
  // A pod may use the tunnels' port, too.
  if (read.verdict == net::TunnelVerdict::Malformed && may_be_for_us(packet, meta, view))
    return meta.drop(DropReason::TunnelMalformed);
  take_direct(packet, meta, snapshot);
}

}  // namespace

void decapsulate(Burst& burst, const Snapshot& snapshot, Local&) noexcept {
  if (!snapshot.ports[burst.in_port].is_uplink || !snapshot.tunnel.enabled) return;
  for_each_undecided(burst, [&](rte_mbuf& packet, PacketMeta& meta) noexcept {
    if ((meta.destination & kGroupBit) != 0 || !is_ip(meta.ether_type)) return;
    look_at(packet, meta, snapshot);
    burst.to_route += meta.verdict == Verdict::Route ? 1 : 0;
    burst.to_deliver += meta.verdict == Verdict::Deliver ? 1 : 0;
  });
}

}  // namespace podswitch::stages
