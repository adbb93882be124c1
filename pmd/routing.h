// SPDX-License-Identifier: Apache-2.0
// From the desired state to routes: which prefixes of which network lead to which next hop, and what each
// next hop is. A next hop keeps its number as long as what it stands for is there. Configuration thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pmd/port_spec.h"
#include "pmd/static_route.h"
#include "pmd/underlay.h"
#include "switch/lpm.h"
#include "switch/net/tunnel.h"
#include "switch/node.h"
#include "switch/snapshot.h"

namespace podswitch {

using Nodes = std::map<std::string, std::shared_ptr<const NodeSpec>>;  // by name

using Networks = std::map<std::string, uint32_t>;  // those stretched over nodes, and the VNI of each

struct OverlayOptions {
  net::Encapsulation encapsulation = net::Encapsulation::Vxlan;
  uint16_t udp_port = 0;  // 0: IANA's
  uint16_t port() const {
    if (udp_port != 0) return udp_port;
    return encapsulation == net::Encapsulation::Vxlan ? net::kVxlanPort : net::kGenevePort;
  }
  uint32_t vni = 1;
  std::string network = "default";
  DontFragment dont_fragment = DontFragment::Set;
  std::optional<MacAddress> vtep_mac;  // derived from the VTEP's address when not given
};

// A port as routing sees it.
struct RoutedPort {
  PortId id = kNoPort;
  const PortSpec* spec = nullptr;
};

// The inner MAC of a VTEP that nobody has told about another.
MacAddress derived_vtep_mac(const IpAddress& vtep);

class RoutePlanner {
 public:
  RoutePlanner(std::string node_name, OverlayOptions overlay, Gateway gateway)
      : node_name_(std::move(node_name)), overlay_(std::move(overlay)), gateway_(std::move(gateway)) {}

  struct Plan {
    Routing routing;  // but for the next-hop table
    Underlay::Uplink uplink;
    std::vector<PlannedHop> hops;
  };
  // Throws Error when there are more next hops than the table has places.
  Plan plan(const std::vector<RoutedPort>& ports, const Nodes& nodes, const StaticRoutes& statics,
            const Networks& stretched, FidMap& fids);

  struct Listed {
    std::string network;
    Prefix prefix;
    std::string next_hop;  // the name under which it was planned
    bool is_static = false;
  };
  // The last plan's, at most `limit` of them; `network` empty: of all.
  std::vector<Listed> list(const std::string& network, size_t limit) const;

 private:
  struct Table {
    std::vector<Route> routes;  // sorted
    std::set<Prefix> statics;   // those of them that an operator asked for
    std::shared_ptr<const Lpm> lpm;
  };
  class Draft;
  NextHopId id_of(const std::string& name);
  std::shared_ptr<const Lpm> compiled(const std::string& network, std::vector<Route> routes);
  void forget_unused();

  const std::string node_name_;
  const OverlayOptions overlay_;
  const Gateway gateway_;
  std::map<std::string, std::pair<NextHopId, bool>> ids_;  // of next hops by name; used by the last plan
  std::vector<NextHopId> free_ids_;
  NextHopId next_id_ = 0;
  std::map<std::string, Table> tables_;  // by network; compiled anew only when their routes change
};

}  // namespace podswitch
