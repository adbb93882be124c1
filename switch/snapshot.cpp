// SPDX-License-Identifier: Apache-2.0
#include "switch/snapshot.h"

#include <algorithm>
#include <bit>
#include <set>
#include <stdexcept>

namespace podswitch {

bool Gateway::has_v6() const {
  return std::any_of(ips.begin(), ips.end(), [](const IpAddress& ip) { return !ip.is_v4(); });
}

// RFC 4861 section 6.2.1: three times the longest interval.
uint16_t Gateway::router_lifetime_seconds() const {
  constexpr uint16_t kDefaultLifetime = 1800;
  return advertisements == Advertisements::DefaultRouter ? kDefaultLifetime : uint16_t{0};
}

Fid FidMap::get(const std::string& network, uint16_t vlan) {
  const auto [it, is_new] = fids_.try_emplace({network, vlan}, static_cast<Fid>(names_.size()));
  if (!is_new) return it->second;
  if (names_.size() >= kNoFid) {
    fids_.erase(it);
    throw std::length_error("more than 65534 pairs of network and VLAN since the daemon started");
  }
  names_.emplace_back(network, vlan);
  if (vlan != 0) get(network, 0);
  return it->second;
}

void AddressTable::build(const std::vector<std::tuple<Fid, IpAddress, Owner>>& entries) {
  slots_.assign(std::bit_ceil(entries.size() * 2 + 2), Slot{});
  size_ = 0;
  for (const auto& [fid, ip, owner] : entries) {
    size_t i = hash(fid, ip) & (slots_.size() - 1);
    while (slots_[i].fid != kNoFid && !(slots_[i].fid == fid && slots_[i].ip == ip))
      i = (i + 1) & (slots_.size() - 1);
    if (slots_[i].fid == kNoFid) ++size_;
    slots_[i] = Slot{ip, fid, owner};
  }
}

const AddressTable::Owner* AddressTable::find(Fid fid, const IpAddress& ip) const noexcept {
  for (size_t i = hash(fid, ip) & (slots_.size() - 1); slots_[i].fid != kNoFid;
       i = (i + 1) & (slots_.size() - 1))
    if (slots_[i].fid == fid && slots_[i].ip == ip) return &slots_[i].owner;
  return nullptr;
}

void VniTable::build(const std::vector<std::pair<uint32_t, Fid>>& entries) {
  slots_.assign(std::bit_ceil(entries.size() * 2 + 1), {0, kNoFid});
  mask_ = slots_.size() - 1;
  for (const auto& entry : entries) {
    size_t i = entry.first & mask_;
    while (slots_[i].first != 0) i = (i + 1) & mask_;
    slots_[i] = entry;
  }
}

namespace {

std::unique_ptr<Guard> make_guard(const BridgePort& port) {
  if (port.allow_spoofing || (!port.mac && port.ips.empty())) return nullptr;
  auto guard = std::make_unique<Guard>();
  if (port.mac) guard->mac = port.mac->as_u64();
  guard->check_ip = !port.ips.empty();
  for (const IpAddress& ip : port.ips) {
    if (ip.is_v4())
      guard->v4.push_back(ip.v4());
    else
      guard->v6.push_back(ip.v6);
  }
  if (port.mac) guard->v6.push_back(Ipv6Address::link_local_of(*port.mac));
  return guard;
}

// The (filtering id, VLAN) pairs that a port is a member of.
std::vector<Fid> member_fids(const BridgePort& port, FidMap& fids) {
  std::vector<Fid> members;
  for_each_vlan(port.vlan, [&](uint16_t vlan) { members.push_back(fids.get(port.network, vlan)); });
  return members;
}

void add_port(Snapshot& snapshot, const BridgePort& port, const std::vector<Fid>& members) {
  PortView& view = snapshot.ports.at(port.id);
  view.present = true;
  view.vlan_mode = port.vlan.mode;
  view.owns_mac = port.mac.has_value() && !port.allow_spoofing;
  view.allow_spoofing = port.allow_spoofing;
  view.is_uplink = port.is_uplink;
  view.mtu = port.mtu;
  view.advertised_mtu = port.advertised_mtu;
  if (auto guard = make_guard(port)) {
    view.guard = guard.get();
    snapshot.guards.push_back(std::move(guard));
  }
  if (port.vlan.mode != VlanMode::Trunk) {
    view.fid = members.front();
    return;
  }
  snapshot.has_trunks = true;
  auto table = std::make_unique<std::array<Fid, kVlanCount>>();
  table->fill(kNoFid);
  for (size_t i = 0; i < members.size(); ++i) (*table)[port.vlan.trunk[i]] = members[i];
  view.trunk_fids = table->data();
  snapshot.trunk_tables.push_back(std::move(table));
}

VtepTable vteps_of(const std::vector<IpAddress>& addresses,
                   const std::vector<Routing::Tunnel::Peer>& peers = {}) {
  std::vector<VtepTable::Entry> entries;
  entries.reserve(addresses.size());
  for (const IpAddress& ip : addresses) entries.push_back({ip});
  for (const auto& peer : peers)
    for (const IpAddress& ip : peer.vteps) entries.push_back({ip, peer.hop});
  VtepTable table;
  table.build(entries);
  return table;
}

void add_stretched(Snapshot& snapshot, const Routing::Tunnel& tunnel, FidMap& fids) {
  std::vector<std::pair<uint32_t, Fid>> vnis;
  for (const auto& [network, vni] : tunnel.stretched) vnis.emplace_back(vni, fids.get(network, 0));
  snapshot.fids.resize(fids.size());
  for (const auto& [vni, fid] : vnis) snapshot.fids[fid].vni = vni;
  snapshot.tunnel.stretched.build(vnis);
  for (const auto& peer : tunnel.peers) snapshot.tunnel.peers.push_back(peer.hop);
}

void add_tunnel(Snapshot& snapshot, const Routing::Tunnel& tunnel, FidMap& fids) {
  TunnelView& view = snapshot.tunnel;
  view.enabled = true;
  view.encapsulation = tunnel.encapsulation;
  view.udp_port = tunnel.udp_port;
  view.vni = tunnel.vni;
  view.fid = fids.get(tunnel.network, 0);
  view.vtep_mac = tunnel.vtep_mac.as_u64();
  view.uplink_mac = tunnel.uplink_mac.as_u64();
  view.own_vteps = vteps_of(tunnel.own_vteps);
  view.vteps = vteps_of(tunnel.vteps, tunnel.peers);
  add_stretched(snapshot, tunnel, fids);
}

// Where the switch answers for itself, and the pods' gateway is not.
std::optional<Fid> own_link_of(const Routing& routing, FidMap& fids) {
  if (!routing.tunnel || !routing.tunnel->answered_on) return std::nullopt;
  return fids.get(routing.tunnel->answered_on->network, routing.tunnel->answered_on->vlan);
}

void add_routing(Snapshot& snapshot, const Gateway& gateway, const Routing& routing, FidMap& fids) {
  snapshot.next_hops = routing.next_hops;
  snapshot.routes_version = routing.version;
  if (routing.tunnel) add_tunnel(snapshot, *routing.tunnel, fids);
  snapshot.fids.resize(fids.size());
  snapshot.services = routing.services.table;
  for (Fid fid = 1; fid < snapshot.fids.size(); ++fid) {
    FidView& view = snapshot.fids[fid];
    const std::string& network = fids.name(fid).first;
    view.network = fids.network_of(fid);
    if (const auto table = routing.tables.find(network); table != routing.tables.end())
      view.routes = table->second.get();
    if (network == routing.services.network) view.services = snapshot.services.get();
  }
  for (const auto& [network, table] : routing.tables) snapshot.tables.push_back(table);
  for (const IpAddress& ip : gateway.ips) {
    if (ip.is_v4() && !snapshot.icmp_source_v4) snapshot.icmp_source_v4 = ip;
    if (!ip.is_v4() && !snapshot.icmp_source_v6) snapshot.icmp_source_v6 = ip;
  }
  // RFC 1812 section 4.3.2.4: some address of the router's.
  if (!routing.tunnel) return;
  for (const IpAddress& ip : routing.tunnel->own_vteps) {
    auto& source = ip.is_v4() ? snapshot.icmp_source_v4 : snapshot.icmp_source_v6;
    if (!source) source = ip;
  }
}

}  // namespace

std::unique_ptr<Snapshot> compile_snapshot(const std::vector<BridgePort>& ports, const Gateway& gateway,
                                           const Routing& routing, FidMap& fids) {
  auto snapshot = std::make_unique<Snapshot>();
  snapshot->gateway_mac = gateway.mac;
  snapshot->has_gateway = !gateway.ips.empty();
  snapshot->router_lifetime_seconds = gateway.router_lifetime_seconds();
  snapshot->ports.resize(kMaxPorts);
  std::vector<std::tuple<Fid, IpAddress, AddressTable::Owner>> addresses;
  std::set<Fid> used;
  for (const BridgePort& port : ports) {
    const std::vector<Fid> members = member_fids(port, fids);
    add_port(*snapshot, port, members);
    snapshot->fids.resize(fids.size());
    for (const Fid fid : members) {
      used.insert(fid);
      snapshot->fids[fid].vlan = fids.name(fid).second;
      snapshot->fids[fid].members.push_back(port.id);
      if (!port.mac) continue;
      for (const IpAddress& ip : port.ips)
        addresses.emplace_back(fid, ip, AddressTable::Owner{*port.mac, port.id});
    }
  }
  std::vector<IpAddress> gateway_ips = gateway.ips;
  if (gateway.has_v6()) gateway_ips.emplace_back(Ipv6Address::link_local_of(gateway.mac));
  const std::optional<Fid> own_link = own_link_of(routing, fids);
  for (const Fid fid : used)
    for (const IpAddress& ip : gateway_ips)
      if (fid != own_link) addresses.emplace_back(fid, ip, AddressTable::Owner{gateway.mac, kNoPort});
  snapshot->answers_underlay = own_link.has_value();
  if (own_link)
    for (const IpAddress& ip : routing.tunnel->own_vteps)
      addresses.emplace_back(*own_link, ip, AddressTable::Owner{routing.tunnel->uplink_mac, kNoPort});
  snapshot->addresses.build(addresses);
  add_routing(*snapshot, gateway, routing, fids);
  return snapshot;
}

}  // namespace podswitch
