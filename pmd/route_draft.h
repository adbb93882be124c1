// SPDX-License-Identifier: Apache-2.0
// How next hops and routes are made of ports, static routes and nodes; for routing.cpp alone. Configuration
// thread.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "pmd/pod_mtu.h"
#include "pmd/routing.h"

namespace podswitch {

inline Ipv4Address broadcast_of(const Prefix& prefix) {
  Ipv4Address ip = prefix.address.v4();
  for (unsigned bit = prefix.length; bit < 32; ++bit)
    ip.bytes[bit / 8] = static_cast<uint8_t>(ip.bytes[bit / 8] | 0x80 >> bit % 8);
  return ip;
}

// One plan on its way: what the parts of the desired state add, until the planner adopts it.
class RoutePlanner::Draft {
 public:
  Draft(RoutePlanner& planner, const Networks& stretched, FidMap& fids)
      : planner_(planner), stretched_(stretched), fids_(fids) {}
  // What was not adopted gives its numbers back.
  ~Draft() {
    give_back();
    planner_.numbers_.undo_changes();
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  // Of what was adopted, that is of what was there before; else of its own.
  void give_back() {
    for (Part* part : {&first_, &last_, &node_.part}) planner_.give_back(std::exchange(*part, {}));
    for (const auto& [name, node] : std::exchange(changed_, {}))
      if (node) planner_.give_back(node->part);
  }

  void find_underlay(const std::vector<RoutedPort>& ports) {
    for (const RoutedPort& port : ports) {
      if (port.spec->role == PortRole::Uplink) uplink_ = port;
      if (port.spec->role == PortRole::Host) host_ = port;
    }
    if (uplink_.spec == nullptr) return;
    ways_ = Ways(uplink_.spec, planner_.overlay_);
    plan_.uplink.port = uplink_.id;
    plan_.uplink.fid = fid_of(*uplink_.spec);
    if (uplink_.spec->vlan.mode == VlanMode::Trunk) plan_.uplink.vlan = only_vlan(*uplink_.spec);
    plan_.uplink.mac = uplink_.spec->mac.value_or(MacAddress{});
    for (const PrefixedAddress& address : uplink_.spec->underlay)
      if (address.ip.is_v4())
        plan_.uplink.v4 = address.ip.v4();
      else
        plan_.uplink.v6 = address.ip.v6;
    if (!uplink_.spec->underlay.empty()) describe_tunnels();
  }

  // Every address of a pod, on its own port.
  void add_pods(const std::vector<RoutedPort>& ports) {
    for (const RoutedPort& port : ports) {
      const PortSpec& spec = *port.spec;
      if (spec.role != PortRole::Pod || !spec.mac || spec.ips.empty()) continue;
      for_each_vlan(spec.vlan, [&](uint16_t vlan) {
        const Fid fid = fids_.get(spec.network, vlan);
        const NextHopId id = add_hop(fmt::format("pod {} {}", spec.name, vlan), NextHop::Kind::Pod, port.id,
                                     fid, spec.mtu, *spec.mac, planner_.gateway_.mac);
        for (const IpAddress& ip : spec.ips) {
          add_route(spec.network, Prefix::of(ip), id);
          pods_.try_emplace({spec.network, ip}, id);
        }
      });
    }
  }

  // In every network that has pods with addresses.
  void add_gateway() {
    if (planner_.gateway_.ips.empty()) return;
    const NextHopId id = add_self("gateway");
    first_.routes[planner_.overlay_.network];
    for (auto& [network, routes] : first_.routes)
      for (const IpAddress& ip : planner_.gateway_.ips) {
        taken_.insert({network, Prefix::of(ip)});
        routes.push_back({Prefix::of(ip), id});
      }
  }

  void add_own_addresses() {
    if (uplink_.spec == nullptr) return;
    const NextHopId id = host_.spec == nullptr
                             ? add_self("own addresses")
                             : add_hop("host", NextHop::Kind::Host, host_.id, fid_of(*host_.spec),
                                       host_.spec->mtu, plan_.uplink.mac, planner_.gateway_.mac);
    for (const PrefixedAddress& address : uplink_.spec->underlay)
      add_route(planner_.overlay_.network, Prefix::of(address.ip), id);
  }

  // What leads nowhere now is left out, and comes back with the pod or the uplink that it leads over.
  void add_static(const StaticRoute& route) {
    const std::optional<NextHopId> id = static_hop(route);
    if (!id) return;
    if (taken_.count({route.network, route.prefix}) == 0) statics_[route.network].insert(route.prefix);
    add_route(route.network, route.prefix, *id);
  }

  // Only those that are not what they were.
  void add_nodes(const Nodes& nodes) {
    const bool is_same = context() == planner_.context_;
    Nodes::for_each_difference(is_same ? planner_.known_ : Nodes(), nodes,
                               [&](const std::string& name, const auto* old, const auto* now) {
                                 if (now != nullptr)
                                   add_node(name, *now);
                                 else if (old != nullptr)
                                   changed_.emplace_back(name, std::nullopt);
                               });
    if (is_same) return;
    for (const auto& [name, node] : planner_.nodes_)
      if (!nodes.contains(name)) changed_.emplace_back(name, std::nullopt);
  }

  // Who is on the uplink's own link: is asked for when a packet comes for him.
  void add_link() {
    current_ = &last_;
    if (uplink_.spec == nullptr) return;
    const std::string& network = planner_.overlay_.network;
    for (const PrefixedAddress& address : uplink_.spec->underlay) {
      const Prefix prefix = address.prefix();
      if (prefix == Prefix::of(prefix.address)) continue;
      if (prefix.is_v4() && prefix.length < 31)
        for (const IpAddress& ip : {prefix.address, IpAddress(broadcast_of(prefix))})
          add_route(network, Prefix::of(ip), add_nobody());
      add_route(network, prefix,
                add_hop("link", NextHop::Kind::Link, uplink_.id, plan_.uplink.fid, uplink_.spec->mtu, {},
                        plan_.uplink.mac));
    }
  }

  void add_default() {
    if (uplink_.spec == nullptr) return;
    for (const IpAddress& gateway : uplink_.spec->underlay_gateways)
      add_route(planner_.overlay_.network,
                Prefix{gateway.is_v4() ? IpAddress(Ipv4Address{}) : IpAddress{}, 0}, add_neighbour(gateway));
  }

  Plan finish() {
    auto all = planner_.all_routes();
    std::erase_if(planner_.tables_, [&](const auto& table) { return !all.contains(table.first); });
    for (auto& [network, routes] : all) {
      plan_.routing.tables[network] = planner_.compiled(network, std::move(routes));
      planner_.tables_[network].statics = std::move(statics_[network]);
    }
    // The host's packets to pods come in by the underlay's network.
    if (host_.spec != nullptr)
      if (const auto table = plan_.routing.tables.find(planner_.overlay_.network);
          table != plan_.routing.tables.end())
        plan_.routing.tables[host_.spec->network] = table->second;
    plan_.hops = planner_.numbers_.planned();
    plan_.ends = {planner_.v4_ends_ != 0, planner_.v6_ends_ != 0};
    if (plan_.routing.tunnel) plan_.routing.tunnel->vteps = planner_.vteps_;
    if (planner_.peers_ != 0)
      for (const auto& [name, node] : planner_.nodes_)
        if (node.peer) plan_.routing.tunnel->peers.push_back(*node.peer);
    return std::move(plan_);
  }

  Context context() const {
    if (uplink_.spec == nullptr) return {};
    return {*uplink_.spec, uplink_.id, !stretched_.empty()};
  }

 private:
  friend class RoutePlanner;

  NextHopId add_self(std::string name) {
    return add_hop(std::move(name), NextHop::Kind::Self, kNoPort, kNoFid, UINT16_MAX, {}, {});
  }

  void add_node(const std::string& name, const std::shared_ptr<const NodeSpec>& spec) {
    node_ = {spec, {}, {}, {}};
    current_ = &node_.part;
    if (spec->name == planner_.node_name_)
      add_own_cidrs(*spec);
    else if (plan_.routing.tunnel)
      add_other_node(*spec);
    changed_.emplace_back(name, std::exchange(node_, {}));
  }

  // Its own address needs no route: it is on the link, or behind the gateway.
  void add_other_node(const NodeSpec& node) {
    std::optional<NextHopId> v4, v6;
    for (const Prefix& cidr : node.pod_cidrs) {
      std::optional<NextHopId>& id = cidr.is_v4() ? v4 : v6;
      if (!id) id = add_way(node, cidr.is_v4(), v4);
      if (id) add_route(planner_.overlay_.network, cidr, *id);
    }
    const IpAddress* vtep = ways_.tunnel_end(node);
    if (vtep == nullptr) return;
    node_.end_is_v4 = vtep->is_v4();
    if (!stretched_.empty()) add_peer(node, *vtep);
  }

  // Bridged frames to a node: one next hop for all stretched networks.
  void add_peer(const NodeSpec& node, const IpAddress& vtep) {
    PlannedHop planned = tunnel_hop("bridged " + node.name, vtep, {});
    planned.tunnel->inner_macs.reset();
    node_.peer = {keep(planned), node.vteps};
  }

  std::optional<NextHopId> static_hop(const StaticRoute& route) {
    if (!route.via) return add_nobody();
    if (const auto pod = pods_.find({route.network, *route.via}); pod != pods_.end()) return pod->second;
    if (route.network == planner_.overlay_.network && ways_.is_on_link(*route.via))
      return add_neighbour(*route.via);
    return std::nullopt;
  }

  void add_route(const std::string& network, const Prefix& prefix, NextHopId id) {
    if (current_ == &first_) taken_.insert({network, prefix});
    current_->routes[network].push_back({prefix, id});
  }

  PlannedHop planned_hop(const std::string& name, NextHop::Kind kind, PortId port, Fid fid, uint16_t mtu,
                         const MacAddress& destination, const MacAddress& source) {
    PlannedHop planned{.id = planner_.numbers_.take(name), .hop = {}, .via = {}, .tunnel = {}};
    current_->names.push_back(name);
    planned.hop.kind = kind;
    planned.hop.port = port;
    planned.hop.fid = fid;
    planned.hop.mtu = mtu;
    std::copy_n(destination.bytes.begin(), 6, planned.hop.macs.begin());
    std::copy_n(source.bytes.begin(), 6, planned.hop.macs.begin() + 6);
    return planned;
  }
  NextHopId keep(const PlannedHop& planned) {
    planner_.numbers_.set(planned);
    return planned.id;
  }
  NextHopId add_hop(const std::string& name, NextHop::Kind kind, PortId port, Fid fid, uint16_t mtu,
                    const MacAddress& destination, const MacAddress& source) {
    return keep(planned_hop(name, kind, port, fid, mtu, destination, source));
  }

  // A pod address of this node that no port has.
  void add_own_cidrs(const NodeSpec& node) {
    for (const Prefix& cidr : node.pod_cidrs) add_route(planner_.overlay_.network, cidr, add_nobody());
  }
  NextHopId add_nobody() {
    return add_hop("nobody", NextHop::Kind::Unreachable, kNoPort, kNoFid, UINT16_MAX, {}, {});
  }

  NextHopId add_neighbour(const IpAddress& ip) {
    PlannedHop planned = planned_hop("underlay " + ip.to_string(), NextHop::Kind::Underlay, uplink_.id,
                                     plan_.uplink.fid, uplink_.spec->mtu, {}, plan_.uplink.mac);
    planned.via = ways_.neighbour_of(ip);
    return keep(planned);
  }

  // To a node's pods of one family; nullopt: there is no way.
  std::optional<NextHopId> add_way(const NodeSpec& node, bool is_v4, const std::optional<NextHopId>& v4) {
    const Way way = ways_.to(node, is_v4);
    if (way.kind == Way::Kind::None) return std::nullopt;
    if (way.kind == Way::Kind::Direct) return add_neighbour(way.vtep);
    // Dual-stack Flannel has a device of its own for IPv6.
    if (!is_v4 && node.vtep_mac_v6)
      return add_tunnel("node " + node.name + " v6", way.vtep, node.vtep_mac_v6);
    const bool is_shared = v4 && ways_.to(node, true).kind == Way::Kind::Tunnel;
    return is_shared ? *v4 : add_tunnel("node " + node.name, way.vtep, node.vtep_mac);
  }

  NextHopId add_tunnel(const std::string& name, const IpAddress& vtep,
                       const std::optional<MacAddress>& vtep_mac) {
    return keep(tunnel_hop(name, vtep, vtep_mac));
  }
  PlannedHop tunnel_hop(const std::string& name, const IpAddress& vtep,
                        const std::optional<MacAddress>& vtep_mac) {
    const OverlayOptions& overlay = planner_.overlay_;
    const uint16_t overhead = net::tunnel_overhead(overlay.encapsulation, vtep.is_v4());
    PlannedHop planned = planned_hop(name, NextHop::Kind::Tunnel, uplink_.id, plan_.uplink.fid,
                                     mtu_in_tunnel(uplink_.spec->mtu, overhead), {}, plan_.uplink.mac);
    planned.via = ways_.neighbour_of(vtep);
    planned.tunnel = TunnelSpec{
        .encapsulation = overlay.encapsulation,
        .outer_source_mac = plan_.uplink.mac,
        .outer_destination_mac = {},
        .outer_source = ways_.own(vtep.is_v4())->ip,
        .outer_destination = vtep,
        .udp_port = overlay.port(),
        .vni = overlay.vni,
        .vlan_tci = {},
        .dont_fragment = overlay.dont_fragment,
        .inner_macs = TunnelSpec::InnerMacs{.source = plan_.routing.tunnel->vtep_mac,
                                            .destination = vtep_mac.value_or(derived_vtep_mac(vtep))}};
    return planned;
  }

  // Uplink and host are in one VLAN.
  static uint16_t only_vlan(const PortSpec& port) {
    uint16_t only = 0;
    for_each_vlan(port.vlan, [&](uint16_t vlan) { only = vlan; });
    return only;
  }
  Fid fid_of(const PortSpec& port) { return fids_.get(port.network, only_vlan(port)); }

  void describe_tunnels() {
    const OverlayOptions& overlay = planner_.overlay_;
    Routing::Tunnel& tunnel = plan_.routing.tunnel.emplace(Routing::Tunnel{});
    tunnel.encapsulation = overlay.encapsulation;
    tunnel.udp_port = overlay.port();
    tunnel.vni = overlay.vni;
    tunnel.network = overlay.network;
    tunnel.stretched = stretched_;
    tunnel.uplink_mac = plan_.uplink.mac;
    for (const PrefixedAddress& address : uplink_.spec->underlay) tunnel.own_vteps.push_back(address.ip);
    if (host_.spec == nullptr)
      tunnel.answered_on = Routing::Tunnel::Link{uplink_.spec->network, only_vlan(*uplink_.spec)};
    const IpAddress& first = plan_.uplink.v4 ? IpAddress(*plan_.uplink.v4) : IpAddress(*plan_.uplink.v6);
    tunnel.vtep_mac = overlay.vtep_mac.value_or(derived_vtep_mac(first));
  }

  RoutePlanner& planner_;
  const Networks& stretched_;
  FidMap& fids_;
  Plan plan_;
  RoutedPort uplink_, host_;
  Ways ways_{nullptr, planner_.overlay_};
  Part first_, last_;
  NodePart node_;  // on its way
  Part* current_ = &first_;
  std::set<std::pair<std::string, Prefix>> taken_;                        // by network, of the first part
  std::map<std::pair<std::string, IpAddress>, NextHopId> pods_;           // by network and address
  std::map<std::string, std::set<Prefix>> statics_;                       // by network
  std::vector<std::pair<std::string, std::optional<NodePart>>> changed_;  // nullopt: gone
};

}  // namespace podswitch
