// SPDX-License-Identifier: Apache-2.0
// A route that an operator asked for: addresses behind a pod (a VPN, a firewall), behind another router of
// the underlay, or behind nobody. A plain value, any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "switch/net/address.h"
#include "switch/net/prefix.h"

namespace podswitch {

struct StaticRoute {
  std::string network = "default";
  Prefix prefix;
  // Of the prefix's family: a pod's of this network, or one on the uplink's own link. nullopt: who sends
  // there is told that there is nobody.
  std::optional<IpAddress> via;
  friend bool operator==(const StaticRoute&, const StaticRoute&) = default;
};

using RouteName = std::pair<std::string, Prefix>;  // the network's name and the prefix
using StaticRoutes = std::map<RouteName, StaticRoute>;
inline constexpr size_t kMaxStaticRoutes = 10000;

inline RouteName name_of(const StaticRoute& route) {
  return {route.network, route.prefix};
}

}  // namespace podswitch
