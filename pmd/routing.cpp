// SPDX-License-Identifier: Apache-2.0
#include "pmd/routing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "pmd/error.h"
#include "pmd/pod_mtu.h"

namespace podswitch {

// 02:70 and the IPv4 address, or 02:71 and the last bytes of the IPv6 one, folded.
MacAddress derived_vtep_mac(const IpAddress& vtep) {
  MacAddress mac{{0x02, 0x70, 0, 0, 0, 0}};
  const auto& bytes = vtep.v6.bytes;
  std::copy_n(bytes.begin() + 12, 4, mac.bytes.begin() + 2);
  if (vtep.is_v4()) return mac;
  mac.bytes[1] = 0x71;
  for (size_t i = 0; i < 12; ++i) mac.bytes[2 + i % 4] ^= bytes[i];
  return mac;
}

// One plan on its way.
class RoutePlanner::Draft {
 public:
  Draft(RoutePlanner& planner, const Networks& stretched, FidMap& fids)
      : planner_(planner), stretched_(stretched), fids_(fids) {}

  void find_underlay(const std::vector<RoutedPort>& ports) {
    for (const RoutedPort& port : ports) {
      if (port.spec->role == PortRole::Uplink) uplink_ = port;
      if (port.spec->role == PortRole::Host) host_ = port;
    }
    if (uplink_.spec == nullptr) return;
    plan_.uplink.port = uplink_.id;
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
    const NextHopId id = add_hop("gateway", NextHop::Kind::Self, kNoPort, kNoFid, UINT16_MAX, {}, {});
    routes_[planner_.overlay_.network];
    for (auto& [network, by_prefix] : routes_)
      for (const IpAddress& ip : planner_.gateway_.ips) by_prefix.try_emplace(Prefix::of(ip), id);
  }

  void add_own_addresses() {
    if (uplink_.spec == nullptr || host_.spec == nullptr) return;
    const NextHopId id = add_hop("host", NextHop::Kind::Host, host_.id, fids_.get(host_.spec->network, 0),
                                 host_.spec->mtu, plan_.uplink.mac, planner_.gateway_.mac);
    for (const PrefixedAddress& address : uplink_.spec->underlay)
      add_route(planner_.overlay_.network, Prefix::of(address.ip), id);
  }

  // What leads nowhere now is left out, and comes back with the pod or the uplink that it leads over.
  void add_static(const StaticRoute& route) {
    const std::optional<NextHopId> id = static_hop(route);
    if (id && routes_[route.network].try_emplace(route.prefix, *id).second)
      statics_[route.network].insert(route.prefix);
  }

  void add_node(const NodeSpec& node) {
    if (node.name == planner_.node_name_) return add_own_cidrs(node);
    if (!plan_.routing.tunnel) return;
    const std::string& network = planner_.overlay_.network;
    const IpAddress* vtep = reachable_vtep(node);
    if (vtep == nullptr) return;
    for (const IpAddress& ip : node.vteps)
      if (has_family(ip)) add_route(network, Prefix::of(ip), add_neighbour(ip));
    auto& vteps = plan_.routing.tunnel->vteps;
    vteps.insert(vteps.end(), node.vteps.begin(), node.vteps.end());
    const NextHopId id = add_tunnel("node " + node.name, *vtep, node.vtep_mac);
    // Dual-stack Flannel has a device of its own for IPv6.
    const NextHopId id6 =
        node.vtep_mac_v6 ? add_tunnel("node " + node.name + " v6", *vtep, node.vtep_mac_v6) : id;
    for (const Prefix& cidr : node.pod_cidrs) add_route(network, cidr, cidr.is_v4() ? id : id6);
    if (!stretched_.empty()) add_peer(node, *vtep);
  }

  void add_default() {
    if (uplink_.spec == nullptr) return;
    for (const IpAddress& gateway : uplink_.spec->underlay_gateways)
      add_route(planner_.overlay_.network,
                Prefix{gateway.is_v4() ? IpAddress(Ipv4Address{}) : IpAddress{}, 0}, add_neighbour(gateway));
  }

  Plan finish() {
    std::erase_if(planner_.tables_, [&](const auto& table) { return !routes_.contains(table.first); });
    for (auto& [network, by_prefix] : routes_) {
      std::vector<Route> routes;
      for (const auto& [prefix, id] : by_prefix) routes.push_back({prefix, id});
      plan_.routing.tables[network] = planner_.compiled(network, std::move(routes));
      planner_.tables_[network].statics = std::move(statics_[network]);
    }
    // The host's packets to pods come in by the underlay's network.
    if (host_.spec != nullptr)
      if (const auto table = plan_.routing.tables.find(planner_.overlay_.network);
          table != plan_.routing.tables.end())
        plan_.routing.tables[host_.spec->network] = table->second;
    return std::move(plan_);
  }

 private:
  std::optional<NextHopId> static_hop(const StaticRoute& route) {
    if (!route.via) return add_nobody();
    if (const auto pod = pods_.find({route.network, *route.via}); pod != pods_.end()) return pod->second;
    if (route.network == planner_.overlay_.network && is_on_link(*route.via))
      return add_neighbour(*route.via);
    return std::nullopt;
  }

  // What was there first stays: pods before the host's addresses before nodes.
  void add_route(const std::string& network, const Prefix& prefix, NextHopId id) {
    routes_[network].try_emplace(prefix, id);
  }

  NextHopId add_hop(const std::string& name, NextHop::Kind kind, PortId port, Fid fid, uint16_t mtu,
                    const MacAddress& destination, const MacAddress& source) {
    PlannedHop planned{.id = planner_.id_of(name), .hop = {}, .via = {}, .tunnel = {}};
    planned.hop.kind = kind;
    planned.hop.port = port;
    planned.hop.fid = fid;
    planned.hop.mtu = mtu;
    std::copy_n(destination.bytes.begin(), 6, planned.hop.macs.begin());
    std::copy_n(source.bytes.begin(), 6, planned.hop.macs.begin() + 6);
    plan_.hops.push_back(planned);
    return planned.id;
  }

  // A pod address of this node that no port has.
  void add_own_cidrs(const NodeSpec& node) {
    for (const Prefix& cidr : node.pod_cidrs) add_route(planner_.overlay_.network, cidr, add_nobody());
  }
  NextHopId add_nobody() {
    if (!nobody_)
      nobody_ = add_hop("nobody", NextHop::Kind::Unreachable, kNoPort, kNoFid, UINT16_MAX, {}, {});
    return *nobody_;
  }

  bool is_on_link(const IpAddress& ip) const {
    if (uplink_.spec == nullptr) return false;
    const auto& own = uplink_.spec->underlay;
    return std::any_of(own.begin(), own.end(),
                       [&](const PrefixedAddress& address) { return address.prefix().contains(ip); });
  }

  NextHopId add_neighbour(const IpAddress& ip) {
    const std::string name = "underlay " + ip.to_string();
    if (const auto known = neighbours_.find(ip); known != neighbours_.end()) return known->second;
    const NextHopId id =
        add_hop(name, NextHop::Kind::Underlay, uplink_.id, fids_.get(uplink_.spec->network, 0),
                uplink_.spec->mtu, {}, plan_.uplink.mac);
    plan_.hops.back().via = neighbour_of(ip);
    neighbours_[ip] = id;
    return id;
  }

  NextHopId add_tunnel(const std::string& name, const IpAddress& vtep,
                       const std::optional<MacAddress>& vtep_mac) {
    const OverlayOptions& overlay = planner_.overlay_;
    const uint16_t overhead = net::tunnel_overhead(overlay.encapsulation, vtep.is_v4());
    const NextHopId id = add_hop(name, NextHop::Kind::Tunnel, uplink_.id, fids_.get(uplink_.spec->network, 0),
                                 mtu_in_tunnel(uplink_.spec->mtu, overhead), {}, plan_.uplink.mac);
    PlannedHop& planned = plan_.hops.back();
    planned.via = neighbour_of(vtep);
    planned.tunnel = TunnelSpec{
        .encapsulation = overlay.encapsulation,
        .outer_source_mac = plan_.uplink.mac,
        .outer_destination_mac = {},
        .outer_source = own_vtep(vtep),
        .outer_destination = vtep,
        .udp_port = overlay.port(),
        .vni = overlay.vni,
        .vlan_tci = {},
        .dscp = {},
        .dont_fragment = overlay.dont_fragment,
        .inner_macs = TunnelSpec::InnerMacs{.source = plan_.routing.tunnel->vtep_mac,
                                            .destination = vtep_mac.value_or(derived_vtep_mac(vtep))}};
    return id;
  }

  // Bridged frames to a node: one next hop for all stretched networks.
  void add_peer(const NodeSpec& node, const IpAddress& vtep) {
    const NextHopId id = add_tunnel("bridged " + node.name, vtep, {});
    plan_.hops.back().tunnel->inner_macs.reset();
    plan_.routing.tunnel->peers.push_back({id, node.vteps});
  }

  bool has_family(const IpAddress& ip) const {
    return ip.is_v4() ? plan_.uplink.v4.has_value() : plan_.uplink.v6.has_value();
  }
  const IpAddress* reachable_vtep(const NodeSpec& node) const {
    for (const IpAddress& ip : node.vteps)
      if (has_family(ip)) return &ip;
    return nullptr;
  }
  IpAddress own_vtep(const IpAddress& like) const {
    return like.is_v4() ? IpAddress(*plan_.uplink.v4) : IpAddress(*plan_.uplink.v6);
  }

  // Itself when it is on the link, else the gateway.
  IpAddress neighbour_of(const IpAddress& ip) const {
    if (is_on_link(ip)) return ip;
    for (const IpAddress& gateway : uplink_.spec->underlay_gateways)
      if (gateway.is_v4() == ip.is_v4()) return gateway;
    return ip;
  }

  void describe_tunnels() {
    const OverlayOptions& overlay = planner_.overlay_;
    Routing::Tunnel& tunnel = plan_.routing.tunnel.emplace(Routing::Tunnel{});
    tunnel.encapsulation = overlay.encapsulation;
    tunnel.udp_port = overlay.port();
    tunnel.vni = overlay.vni;
    tunnel.network = overlay.network;
    tunnel.underlay = uplink_.spec->network;
    tunnel.stretched = stretched_;
    tunnel.uplink_mac = plan_.uplink.mac;
    for (const PrefixedAddress& address : uplink_.spec->underlay) tunnel.own_vteps.push_back(address.ip);
    const IpAddress& first = plan_.uplink.v4 ? IpAddress(*plan_.uplink.v4) : IpAddress(*plan_.uplink.v6);
    tunnel.vtep_mac = overlay.vtep_mac.value_or(derived_vtep_mac(first));
  }

  RoutePlanner& planner_;
  const Networks& stretched_;
  FidMap& fids_;
  Plan plan_;
  RoutedPort uplink_, host_;
  std::map<IpAddress, NextHopId> neighbours_;
  std::map<std::pair<std::string, IpAddress>, NextHopId> pods_;  // by network and address
  std::optional<NextHopId> nobody_;
  std::map<std::string, std::set<Prefix>> statics_;            // by network
  std::map<std::string, std::map<Prefix, NextHopId>> routes_;  // by network
};

RoutePlanner::Plan RoutePlanner::plan(const std::vector<RoutedPort>& ports, const Nodes& nodes,
                                      const StaticRoutes& statics, const Networks& stretched, FidMap& fids) {
  for (auto& [name, id] : ids_) id.second = false;
  Draft draft(*this, stretched, fids);
  draft.find_underlay(ports);
  draft.add_pods(ports);
  draft.add_gateway();
  draft.add_own_addresses();
  for (const auto& [name, route] : statics) draft.add_static(route);
  for (const auto& [name, node] : nodes) draft.add_node(*node);
  draft.add_default();
  Plan plan = draft.finish();
  forget_unused();
  return plan;
}

std::vector<RoutePlanner::Listed> RoutePlanner::list(const std::string& network, size_t limit) const {
  std::map<NextHopId, const std::string*> names;
  for (const auto& [name, id] : ids_) names[id.first] = &name;
  std::vector<Listed> listed;
  for (const auto& [of, table] : tables_) {
    if (!network.empty() && network != of) continue;
    for (const Route& route : table.routes) {
      if (listed.size() == limit) return listed;
      listed.push_back({of, route.prefix, *names.at(route.value), table.statics.contains(route.prefix)});
    }
  }
  return listed;
}

NextHopId RoutePlanner::id_of(const std::string& name) {
  const auto [entry, is_new] = ids_.try_emplace(name, 0, true);
  entry->second.second = true;
  if (!is_new) return entry->second.first;
  if (free_ids_.empty() && next_id_ == kMaxNextHops) {
    ids_.erase(entry);
    throw Error("", fmt::format("more than {} next hops: pods' networks, nodes and gateways", kMaxNextHops));
  }
  if (free_ids_.empty()) {
    entry->second.first = next_id_++;
  } else {
    entry->second.first = free_ids_.back();
    free_ids_.pop_back();
  }
  return entry->second.first;
}

// Numbers are given out again only by a later plan, when no revision in use names them for something else.
void RoutePlanner::forget_unused() {
  std::erase_if(ids_, [&](const auto& entry) {
    if (entry.second.second) return false;
    free_ids_.push_back(entry.second.first);
    return true;
  });
}

std::shared_ptr<const Lpm> RoutePlanner::compiled(const std::string& network, std::vector<Route> routes) {
  Table& table = tables_[network];
  const auto same = [](const Route& a, const Route& b) { return a.prefix == b.prefix && a.value == b.value; };
  if (table.lpm == nullptr ||
      !std::equal(routes.begin(), routes.end(), table.routes.begin(), table.routes.end(), same)) {
    table.lpm = Lpm::build(routes);
    table.routes = std::move(routes);
  }
  return table.lpm;
}

}  // namespace podswitch
