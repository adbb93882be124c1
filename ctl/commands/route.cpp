// SPDX-License-Identifier: Apache-2.0
// route add, del, list.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "ctl/commands/run.h"
#include "ctl/controller.h"
#include "ctl/static_route.h"

namespace podswitch {
namespace {

std::string network_of(const Call& call) {
  const std::string network = call.text("network");
  return network.empty() ? StaticRoute{}.network : network;
}

nlohmann::json row(const std::string& network, const Prefix& prefix, const std::string& next_hop,
                   bool is_static) {
  return {
      {"network", network}, {"prefix", prefix.to_string()}, {"next_hop", next_hop}, {"static", is_static}};
}

}  // namespace

Answer DaemonCommands::route_add(const Call& call) {
  const StaticRoute route = make_static_route(network_of(call), call.text("prefix"), call.text("via"));
  const auto [revision, changed] = controller_.add_route(call.caller, route);
  return {revision,
          {{"changed", changed},
           {"message", fmt::format("route {} {} {}", route.prefix.to_string(), way_of(route),
                                   changed ? "added" : "unchanged")}}};
}

Answer DaemonCommands::route_del(const Call& call) {
  std::set<RouteName> names;
  for (const std::string& prefix : call.texts("prefix"))
    names.insert(name_of(make_static_route(network_of(call), prefix, "")));
  const uint64_t revision = controller_.remove_routes(call.caller, {names.begin(), names.end()});
  return {revision,
          {{"deleted", names.size()},
           {"message", fmt::format("{} route{} deleted", names.size(), names.size() == 1 ? "" : "s")}}};
}

Answer DaemonCommands::route_list(const Call& call) {
  const uint64_t limit = row_limit(call);
  const std::string network = call.text("network");
  StaticRoutes idle = controller_.static_routes();
  nlohmann::json rows = nlohmann::json::array();
  for (const RouteStatus& route : controller_.engine().routes(network, limit)) {
    if (route.is_static) idle.erase({route.network, route.prefix});
    rows.push_back(row(route.network, route.prefix, route.next_hop, route.is_static));
  }
  for (const auto& [name, route] : idle)
    if ((network.empty() || network == route.network) && rows.size() < limit)
      rows.push_back(
          row(route.network, route.prefix,
              fmt::format("not used: another route has this prefix, or {} is neither a pod nor on the "
                          "uplink's link",
                          route.via ? route.via->to_string() : "nobody"),
              true));
  return answer(std::move(rows));
}

}  // namespace podswitch
