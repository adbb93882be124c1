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

#include "pmd/hop_numbers.h"
#include "pmd/port_spec.h"
#include "pmd/shared_map.h"
#include "pmd/static_route.h"
#include "pmd/underlay.h"
#include "pmd/ways.h"
#include "switch/lpm.h"
#include "switch/node.h"
#include "switch/snapshot.h"

namespace podswitch {

using Nodes = SharedMap<std::string, std::shared_ptr<const NodeSpec>>;  // by name

using Networks = std::map<std::string, uint32_t>;  // those stretched over nodes, and the VNI of each

// A port as routing sees it.
struct RoutedPort {
  PortId id = kNoPort;
  const PortSpec* spec = nullptr;
};

// Families of which some other node is a tunnel's end.
struct TunnelEnds {
  bool v4 = false, v6 = false;
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
    PlannedHops hops;
    TunnelEnds ends;
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
  // What some part of the desired state makes: next hops and routes of networks.
  struct Part {
    std::vector<std::string> names;                    // of the next hops' numbers, which it uses
    std::map<std::string, std::vector<Route>> routes;  // by network; in the order of their making
  };
  struct NodePart {
    std::shared_ptr<const NodeSpec> spec;
    Part part;
    std::optional<Routing::Tunnel::Peer> peer;  // takes part in the stretched networks
    std::optional<bool> end_is_v4;              // where the tunnel to it would end, if it can
  };
  // All that a node's part depends on but the node.
  struct Context {
    std::optional<PortSpec> uplink;
    PortId uplink_id = kNoPort;
    bool has_stretched = false;  // networks
    friend bool operator==(const Context&, const Context&) = default;
  };
  struct Table {
    std::vector<Route> routes;  // sorted
    std::set<Prefix> statics;   // those of them that an operator asked for
    std::shared_ptr<const Lpm> lpm;
  };
  class Draft;
  std::shared_ptr<const Lpm> compiled(const std::string& network, std::vector<Route> routes);
  void adopt(Draft& draft, const Nodes& nodes);
  const std::vector<Route>& routes_of(const Part& part) const;  // of the overlay's network
  void move_routes(const Part& from, const Part* to);
  void sort_routes();
  std::map<std::string, std::vector<Route>> all_routes() const;
  void give_back(const Part& part);
  void count(const NodePart& node, bool is_there);

  const std::string node_name_;
  const OverlayOptions overlay_;
  const Gateway gateway_;
  HopNumbers numbers_;
  Context context_;
  Part first_, last_;                      // what comes before the nodes' routes and after
  Nodes known_;                            // those of the last plan
  std::map<std::string, NodePart> nodes_;  // by name; made anew only when the node changes
  // Of the other nodes. With thousands of them a look at each costs more than all else: these are followed.
  std::vector<IpAddress> vteps_;  // sorted
  size_t v4_ends_ = 0, v6_ends_ = 0;
  size_t peers_ = 0;
  std::vector<Route> node_routes_;       // of all of them, sorted
  std::map<std::string, Table> tables_;  // by network; compiled anew only when their routes change
};

}  // namespace podswitch
