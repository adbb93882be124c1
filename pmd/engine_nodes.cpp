// SPDX-License-Identifier: Apache-2.0
// The ways to the other nodes, as listings show them.
#include <algorithm>

#include "pmd/engine_impl.h"

namespace podswitch {
namespace {

bool has_pods(const NodeSpec& node, bool is_v4) {
  return std::any_of(node.pod_cidrs.begin(), node.pod_cidrs.end(),
                     [&](const Prefix& cidr) { return cidr.is_v4() == is_v4; });
}

}  // namespace

std::map<std::string, std::vector<NodeWay>> Engine::Impl::node_ways() {
  std::map<IpAddress, std::optional<MacAddress>> macs;
  std::map<IpAddress, uint16_t> path_mtus;
  housekeeping_.run([&] {
    for (const Underlay::Neighbour& neighbour : underlay_.neighbours(clock_seconds_))
      macs[neighbour.ip] = neighbour.mac;
    path_mtus = underlay_.path_mtus();
  });
  const std::scoped_lock lock(mutex_);
  const PortSpec* uplink = nullptr;
  for (const auto& [name, slot] : slots_)
    if (slot->port->spec().role == PortRole::Uplink) uplink = &slot->port->spec();
  const Ways ways(uplink, options_.overlay);
  std::map<std::string, std::vector<NodeWay>> all;
  for (const auto& [name, node] : nodes_) {
    if (name == options_.node_name) continue;
    for (const bool is_v4 : {true, false}) {
      if (!has_pods(*node, is_v4)) continue;
      NodeWay way{.is_v4 = is_v4, .way = ways.to(*node, is_v4), .mac = {}, .path_mtu = {}};
      if (const auto known = macs.find(way.way.via); known != macs.end()) way.mac = known->second;
      if (const auto known = path_mtus.find(way.way.vtep);
          way.way.kind == Way::Kind::Tunnel && known != path_mtus.end())
        way.path_mtu = known->second;
      all[name].push_back(way);
    }
  }
  return all;
}

}  // namespace podswitch
