// SPDX-License-Identifier: Apache-2.0
#include "pmd/routing.h"

#include <algorithm>

#include "pmd/route_draft.h"

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

RoutePlanner::Plan RoutePlanner::plan(const std::vector<RoutedPort>& ports, const Nodes& nodes,
                                      const StaticRoutes& statics, const Networks& stretched, FidMap& fids) {
  numbers_.recycle();
  Draft draft(*this, stretched, fids);
  draft.find_underlay(ports);
  draft.add_pods(ports);
  draft.add_gateway();
  draft.add_own_addresses();
  for (const auto& [name, route] : statics) draft.add_static(route);
  draft.add_nodes(nodes);
  draft.add_link();
  draft.add_default();
  adopt(draft, nodes);
  return draft.finish();
}

std::vector<RoutePlanner::Listed> RoutePlanner::list(const std::string& network, size_t limit) const {
  const auto names = numbers_.names();
  std::vector<Listed> listed;
  for (const auto& [of, table] : tables_) {
    if (!network.empty() && network != of) continue;
    for (const Route& route : table.routes) {
      if (listed.size() == limit) return listed;
      listed.push_back({of, route.prefix, names.at(route.value), table.statics.contains(route.prefix)});
    }
  }
  return listed;
}

// Nothing fails any more.
void RoutePlanner::adopt(Draft& draft, const Nodes& nodes) {
  context_ = draft.context();
  known_ = nodes;
  std::swap(first_, draft.first_);
  std::swap(last_, draft.last_);
  const bool are_many = draft.changed_.size() * 16 > nodes_.size();
  for (auto& [name, node] : draft.changed_) {
    NodePart& known = nodes_[name];
    count(known, false);
    if (node) count(*node, true);
    if (!are_many) move_routes(known.part, node ? &node->part : nullptr);
    if (node) std::swap(known, *node);
    if (!node) {
      give_back(known.part);
      nodes_.erase(name);
    }
  }
  if (are_many) sort_routes();
  draft.give_back();
  numbers_.keep_changes();
}

void RoutePlanner::count(const NodePart& node, bool is_there) {
  if (node.spec == nullptr || node.spec->name == node_name_) return;
  for (const IpAddress& vtep : node.spec->vteps) {
    const auto place = std::lower_bound(vteps_.begin(), vteps_.end(), vtep);
    if (is_there)
      vteps_.insert(place, vtep);
    else if (place != vteps_.end() && *place == vtep)
      vteps_.erase(place);
  }
  const auto follow = [&](size_t& number, bool counts) {
    if (counts) is_there ? ++number : --number;
  };
  follow(v4_ends_, node.end_is_v4 == true);
  follow(v6_ends_, node.end_is_v4 == false);
  follow(peers_, node.peer.has_value());
}

void RoutePlanner::give_back(const Part& part) {
  for (const std::string& name : part.names) numbers_.give_back(name);
}

namespace {

bool is_before(const Route& a, const Route& b) {
  return a.prefix < b.prefix;
}

}  // namespace

const std::vector<Route>& RoutePlanner::routes_of(const Part& part) const {
  static const std::vector<Route> kNone;
  const auto found = part.routes.find(overlay_.network);
  return found == part.routes.end() ? kNone : found->second;
}

void RoutePlanner::move_routes(const Part& from, const Part* to) {
  for (const Route& route : routes_of(from)) {
    const auto [begin, end] = std::equal_range(node_routes_.begin(), node_routes_.end(), route, is_before);
    const auto same = std::find_if(begin, end, [&](const Route& r) { return r.value == route.value; });
    if (same != end) node_routes_.erase(same);
  }
  if (to == nullptr) return;
  for (const Route& route : routes_of(*to))
    node_routes_.insert(std::upper_bound(node_routes_.begin(), node_routes_.end(), route, is_before), route);
}

void RoutePlanner::sort_routes() {
  node_routes_.clear();
  for (const auto& [name, node] : nodes_) {
    const auto& routes = routes_of(node.part);
    node_routes_.insert(node_routes_.end(), routes.begin(), routes.end());
  }
  std::stable_sort(node_routes_.begin(), node_routes_.end(), is_before);
}

// What was there first stays: pods before the host's addresses before nodes before the link.
std::map<std::string, std::vector<Route>> RoutePlanner::all_routes() const {
  std::map<std::string, std::vector<Route>> all = first_.routes;
  if (!node_routes_.empty() || !routes_of(last_).empty()) all[overlay_.network];
  for (auto& [network, routes] : all) {
    std::stable_sort(routes.begin(), routes.end(), is_before);
    if (network == overlay_.network) {
      std::vector<Route> more = routes_of(last_);
      std::stable_sort(more.begin(), more.end(), is_before);
      for (const std::vector<Route>* next : {&node_routes_, static_cast<const std::vector<Route>*>(&more)}) {
        std::vector<Route> merged;
        merged.reserve(routes.size() + next->size());
        std::merge(routes.begin(), routes.end(), next->begin(), next->end(), std::back_inserter(merged),
                   is_before);
        routes = std::move(merged);
      }
    }
    const auto is_same = [](const Route& a, const Route& b) { return a.prefix == b.prefix; };
    routes.erase(std::unique(routes.begin(), routes.end(), is_same), routes.end());
  }
  return all;
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
