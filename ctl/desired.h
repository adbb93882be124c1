// SPDX-License-Identifier: Apache-2.0
// The desired state as plain values: what the config file and the journal make together, how a change turns
// it into the next one, and which ports cannot live beside each other. Touches nothing outside itself.
// Configuration thread.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ctl/journal.h"
#include "ctl/objects/cluster_node.h"
#include "ctl/objects/node_claims.h"
#include "ctl/service_objects.h"
#include "pmd/engine.h"
#include "pmd/error.h"
#include "pmd/port_spec.h"

namespace podswitch {

// The network whose pods are routed to other nodes.
struct RoutedNetwork {
  std::string name;
  uint32_t vni = 0;
};

struct Desired {
  DesiredState state;                     // what the engine shall run
  std::set<std::string> static_ports;     // names, of the config file
  std::set<std::string> applied_ports;    // names, of those that came by `apply`
  ClusterNodes nodes;                     // what state.nodes is part of
  NodeClaims node_claims;                 // of `nodes`
  ServiceIndex service_index;             // of state.services
  std::set<std::string> static_networks;  // names, of the config file, stretched over nodes
  Pins static_pins;
  // Ports of the journal that cannot live beside these, and why.
  std::map<std::string, std::string> left_out;
};

// Appends what in the ports named by `fresh` clashes with another port or with the gateway, each under
// PREFIX.OPTION where prefix is `paths` of that name, or just OPTION where `paths` has none.
void find_conflicts(const DesiredState& state, const Gateway& gateway, const std::set<std::string>& fresh,
                    const std::map<std::string, std::string>& paths, std::vector<Problem>& problems);

// The state to start with. Static ports come first: a journalled port of the same name, or one that
// clashes, is left out (see there); so is a journalled pin that a static one overrules or whose core is no
// worker's. Each omission is a line in `warnings`. Throws Error when static ports clash with each other.
Desired merge(const std::vector<PortSpec>& static_ports, const Pins& static_pins, const StoredState& stored,
              const std::set<unsigned>& worker_cores, const Gateway& gateway,
              std::vector<std::string>& warnings);

// "mtu is 1500, asked for 9000", one per option that differs.
std::vector<std::string> differences(const PortSpec& present, const PortSpec& asked);

// A cluster IP of a service that another one has.
struct AddressConflict {
  ObjectName service;
  size_t index = 0;  // of its addresses
  std::string message;
};

// A change on its way: edits are tried one after another on a copy.
class Draft {
 public:
  explicit Draft(const Desired& base) : next_(base) {}

  enum class Outcome { Changed, Unchanged };
  // `path` leads the paths of problems. The same port again is Unchanged; with other options it is an Error.
  Outcome add(const PortSpec& spec, const std::string& path, bool is_applied = false);
  void remove(const std::string& name, const StoredState& stored);
  Outcome pin(const QueueName& queue, unsigned core);
  // In the place of one that has this name. Unchanged when only the source is another; that is noted.
  Outcome set_node(ClusterNode node);
  void remove_node(const std::string& name);
  Outcome set_service(std::shared_ptr<const ServiceSpec> service);
  void remove_service(const ObjectName& name);
  Outcome set_slice(std::shared_ptr<const EndpointSlice> slice);
  void remove_slice(const ObjectName& name);
  // A route to the same prefix by another way is an Error.
  Outcome add_route(const StaticRoute& route);
  void remove_route(const RouteName& name);
  void add_network(const std::string& name, uint32_t vni);
  void remove_network(const std::string& name, const StoredState& stored);  // and what is said about it
  void set_remote_entry(const RemoteName& name, const IpAddress& vtep);
  void remove_remote_entry(const RemoteName& name);
  // Throws Error with all that clashes between ports, or between them and networks.
  void check(const Gateway& gateway) const;
  // The same between nodes; where a value stood is known to the caller only.
  std::vector<NodeConflict> node_conflicts() const {
    if (!may_clash_) return {};
    return find_node_conflicts(next_.nodes, fresh_nodes_);
  }
  std::vector<AddressConflict> address_conflicts() const;  // of the services that were set

  const Desired& next() const { return next_; }
  Desired take() { return std::move(next_); }
  const std::vector<Edit>& edits() const { return edits_; }

 private:
  Desired next_;
  std::vector<Edit> edits_;
  std::set<std::string> fresh_;
  std::set<std::string> fresh_nodes_;
  std::vector<ServiceIndex::Contest> contests_;
  bool may_clash_ = false;  // some fresh node clashed when it came; what it clashed with may be gone by now
  std::map<std::string, std::string> paths_;
};

}  // namespace podswitch
