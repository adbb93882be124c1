// SPDX-License-Identifier: Apache-2.0
#include "ctl/host/host_routes.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace podswitch {
namespace {

constexpr uint32_t kDefaultIpv6Metric = 1024;  // what the kernel gives a route that names none

KernelRoute route_to(const Prefix& prefix, const HostRoutesTarget& target, unsigned interface) {
  KernelRoute route;
  route.destination = prefix;
  route.protocol = kRouteProtocol;
  route.scope = RT_SCOPE_UNIVERSE;
  route.metric = prefix.is_v4() ? 0 : kDefaultIpv6Metric;
  // onlink: the gateway is in no prefix of the interface.
  route.hops = {{interface, prefix.is_v4() ? target.gateway_v4 : target.gateway_v6, 0, true}};
  if (target.mtu) route.metrics = {{RTAX_MTU, *target.mtu}};
  return route;
}

// The same to us: what the kernel adds of itself is left aside.
bool serves(const KernelRoute& there, const KernelRoute& wanted) {
  return there.destination == wanted.destination && there.table == wanted.table &&
         there.metric == wanted.metric && there.hops.size() == 1 &&
         there.hops.front().interface == wanted.hops.front().interface &&
         there.hops.front().gateway == wanted.hops.front().gateway && there.metrics == wanted.metrics;
}

// What of ours is on the interface.
std::vector<KernelRoute> own_routes(Rtnetlink& kernel, unsigned interface) {
  std::vector<KernelRoute> routes = kernel.routes();
  std::erase_if(routes, [&](const KernelRoute& route) {
    return route.protocol != kRouteProtocol || !route.uses(interface);
  });
  return routes;
}

std::vector<Neighbour> own_neighbours(Rtnetlink& kernel, unsigned interface) {
  std::vector<Neighbour> neighbours = kernel.permanent_neighbours(interface);
  std::erase_if(neighbours, [](const Neighbour& neighbour) { return neighbour.protocol != kRouteProtocol; });
  return neighbours;
}

}  // namespace

std::vector<Problem> HostRoutes::set(std::optional<HostRoutesTarget> target) {
  const std::optional<HostRoutesTarget> before = std::exchange(target_, std::move(target));
  if (before && (!target_ || target_->ifname != before->ifname)) remove_all(before->ifname);
  if (before && target_ && is_settled_ && adjust(*before)) return {};
  return refresh();
}

// Of thousands of routes one or two change: the kernel need not be asked for all. False: it has to be.
bool HostRoutes::adjust(const HostRoutesTarget& before) {
  const auto without_prefixes = [](HostRoutesTarget target) {
    target.prefixes.clear();
    return target;
  };
  if (without_prefixes(before) != without_prefixes(*target_)) return false;
  const auto link = kernel_.link(target_->ifname);
  if (!link || (link->flags & IFF_UP) == 0) return false;
  const std::set<Prefix> old(before.prefixes.begin(), before.prefixes.end()),
      now(target_->prefixes.begin(), target_->prefixes.end());
  try {
    for (const Prefix& prefix : old)
      if (!now.contains(prefix)) kernel_.remove(route_to(prefix, *target_, link->index));
    for (const Prefix& prefix : now)
      if (!old.contains(prefix) && !kernel_.add_alone(route_to(prefix, *target_, link->index))) return false;
  } catch (const Error&) {
    return false;
  }
  return true;
}

std::vector<Problem> HostRoutes::refresh() {
  is_there_ = is_settled_ = false;
  if (!target_) return {};
  const auto link = kernel_.link(target_->ifname);
  // The kernel takes no route through an interface that is down.
  if (!link || (link->flags & IFF_UP) == 0) return {};
  is_there_ = true;
  auto problems = reconcile(*target_, link->index);
  is_settled_ = problems.empty();
  return problems;
}

void HostRoutes::remove_all(const std::string& ifname) {
  const auto link = kernel_.link(ifname);
  if (!link) return;
  for (const KernelRoute& route : own_routes(kernel_, link->index)) kernel_.remove(route);
  for (const Neighbour& neighbour : own_neighbours(kernel_, link->index)) kernel_.remove(neighbour);
}

std::vector<Problem> HostRoutes::reconcile(const HostRoutesTarget& target, unsigned interface) {
  std::vector<Problem> problems;
  std::vector<Neighbour> neighbours;
  for (const auto& gateway : {target.gateway_v4, target.gateway_v6})
    if (gateway) neighbours.push_back({interface, *gateway, target.gateway_mac, kRouteProtocol});
  std::map<Prefix, KernelRoute> wanted;
  for (const Prefix& prefix : target.prefixes) {
    if (!(prefix.is_v4() ? target.gateway_v4 : target.gateway_v6))
      problems.push_back(
          {prefix.to_string(), fmt::format("the host has no route to it: the switch has no IPv{} gateway",
                                           prefix.is_v4() ? 4 : 6)});
    else
      wanted.emplace(prefix, route_to(prefix, target, interface));
  }

  const auto neighbours_there = own_neighbours(kernel_, interface);
  for (const Neighbour& neighbour : neighbours)
    if (std::find(neighbours_there.begin(), neighbours_there.end(), neighbour) == neighbours_there.end())
      kernel_.set(neighbour);
  // A route of the same destination must go before its successor can come.
  for (const KernelRoute& there : own_routes(kernel_, interface)) {
    const auto same = wanted.find(there.destination);
    if (same != wanted.end() && serves(there, same->second))
      wanted.erase(same);
    else
      kernel_.remove(there);
  }
  for (const auto& [prefix, route] : wanted) {
    try {
      if (!kernel_.add_alone(route))
        problems.push_back(
            {prefix.to_string(),
             "another route of the host to it, of the same metric, is in the way: ip route show " +
                 prefix.to_string()});
    } catch (const Error& error) {
      problems.push_back({prefix.to_string(), error.what()});
    }
  }
  for (const Neighbour& there : neighbours_there)
    if (std::none_of(neighbours.begin(), neighbours.end(),
                     [&](const Neighbour& n) { return n.address == there.address; }))
      kernel_.remove(there);
  return problems;
}

}  // namespace podswitch
