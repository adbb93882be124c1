// SPDX-License-Identifier: Apache-2.0
#include "ctl/desired.h"

#include <fmt/format.h>

#include <algorithm>

#include "ctl/port_conflict.h"
#include "ctl/port_options.h"
#include "ctl/static_route.h"

namespace podswitch {
namespace {

void check_port(const PortSpec& port, const DesiredState& state, const Gateway& gateway,
                const std::string& path, std::vector<Problem>& problems) {
  const auto add = [&](const std::string& option, std::string message) {
    problems.push_back({path.empty() ? option : path + "." + option, std::move(message)});
  };
  if (port.mac && *port.mac == gateway.mac)
    add("mac", fmt::format("{} is the gateway's own", port.mac->to_string()));
  for (const IpAddress& ip : port.ips)
    if (std::find(gateway.ips.begin(), gateway.ips.end(), ip) != gateway.ips.end())
      add("ip", fmt::format("{} is the gateway's own", ip.to_string()));
  if (const auto stretched = state.networks.find(port.network);
      stretched != state.networks.end() && port.role != PortRole::Pod)
    add("network",
        fmt::format("network {} is stretched over nodes by VNI {}; the {} is in one of this node alone",
                    port.network, stretched->second, to_string(port.role)));
  std::vector<Problem> conflicts;
  for (const auto& [name, other] : state.ports)
    if (name != port.name) find_conflicts(port, *other, conflicts);
  for (Problem& conflict : conflicts) add(conflict.path, std::move(conflict.message));
}

std::string joined(const std::vector<Problem>& problems) {
  std::string text = Error(problems).what();
  std::replace(text.begin(), text.end(), '\n', ';');
  return text;
}

// Takes a journalled port in, if it can live beside those already in `state`.
void admit(Desired& desired, const PortSpec& spec, const Gateway& gateway) {
  DesiredState& state = desired.state;
  state.ports[spec.name] = std::make_shared<const PortSpec>(spec);
  std::vector<Problem> problems;
  find_conflicts(state, gateway, {spec.name}, {}, problems);
  if (problems.empty()) return;
  state.ports.erase(spec.name);
  desired.left_out[spec.name] = joined(problems);
}

}  // namespace

void find_conflicts(const DesiredState& state, const Gateway& gateway, const std::set<std::string>& fresh,
                    const std::map<std::string, std::string>& paths, std::vector<Problem>& problems) {
  for (const std::string& name : fresh) {
    const auto path = paths.find(name);
    check_port(*state.ports.at(name), state, gateway, path == paths.end() ? "" : path->second, problems);
  }
}

Desired merge(const std::vector<PortSpec>& static_ports, const Pins& static_pins, const StoredState& stored,
              const std::set<unsigned>& worker_cores, const Gateway& gateway,
              std::vector<std::string>& warnings) {
  Desired desired;
  std::map<std::string, std::string> paths;
  for (const PortSpec& spec : static_ports) {
    desired.state.ports[spec.name] = std::make_shared<const PortSpec>(spec);
    desired.static_ports.insert(spec.name);
    paths[spec.name] = "port." + spec.name;
  }
  std::vector<Problem> problems;
  find_conflicts(desired.state, gateway, desired.static_ports, paths, problems);
  if (!problems.empty()) throw Error(std::move(problems));

  for (const auto& [name, spec] : stored.ports) {
    if (desired.static_ports.count(name) != 0)
      desired.left_out[name] = "the config file defines a port of this name";
    else
      admit(desired, spec, gateway);
  }
  for (const std::string& name : stored.applied_ports)
    if (desired.static_ports.count(name) == 0) desired.applied_ports.insert(name);
  desired.nodes = stored.nodes;
  for (const auto& [name, node] : desired.nodes) {
    desired.state.nodes[name] = spec_of(node);
    desired.node_claims.add(node->spec);
  }
  desired.state.services = stored.services;
  desired.service_index = index_of(stored.services);
  desired.state.routes = stored.routes;
  for (const auto& [name, reason] : desired.left_out)
    warnings.push_back(fmt::format("port {} of the journal is left out: {}", name, reason));
  desired.static_pins = desired.state.pins = static_pins;
  for (const auto& [queue, core] : stored.pins) {
    if (worker_cores.count(core) == 0)
      warnings.push_back(fmt::format("{}:{} is no longer kept on core {}: no worker runs there", queue.port,
                                     queue.queue, core));
    else
      desired.state.pins.insert({queue, core});
  }
  return desired;
}

std::vector<std::string> differences(const PortSpec& present, const PortSpec& asked) {
  std::vector<std::string> found;
  const auto text = [](const PortOption& option, const PortSpec& spec) {
    const auto values = option.get(spec);
    const std::string fallback(option.default_text.empty() ? "unset" : option.default_text);
    return values.empty() ? fallback : fmt::format("{}", fmt::join(values, ","));
  };
  for (const PortOption& option : port_options())
    if (option.get(present) != option.get(asked))
      found.push_back(
          fmt::format("{} is {}, asked for {}", option.name, text(option, present), text(option, asked)));
  return found;
}

Draft::Outcome Draft::add(const PortSpec& spec, const std::string& path, bool is_applied) {
  const auto present = next_.state.ports.find(spec.name);
  if (present != next_.state.ports.end()) {
    if (*present->second == spec) {
      // What `apply` names is its own from then on.
      if (is_applied && next_.static_ports.count(spec.name) == 0 &&
          next_.applied_ports.insert(spec.name).second)
        edits_.emplace_back(PortAdded{spec, true});
      return Outcome::Unchanged;
    }
    throw Error(path, fmt::format("port {} exists with other options: {}; to change it, delete it first",
                                  spec.name, fmt::join(differences(*present->second, spec), "; ")));
  }
  next_.state.ports[spec.name] = std::make_shared<const PortSpec>(spec);
  next_.left_out.erase(spec.name);
  if (is_applied) next_.applied_ports.insert(spec.name);
  edits_.emplace_back(PortAdded{spec, is_applied});
  fresh_.insert(spec.name);
  if (!path.empty()) paths_[spec.name] = path;
  return Outcome::Changed;
}

void Draft::remove(const std::string& name, const StoredState& stored) {
  if (next_.static_ports.count(name) != 0)
    throw Error(name, "is defined in the config file: take its section out there and restart the daemon");
  // A port that was left out at the start is known to the journal only.
  const bool is_known = next_.state.ports.erase(name) != 0 || stored.ports.count(name) != 0;
  if (!is_known) throw Error(name, "no such port");
  next_.left_out.erase(name);
  next_.applied_ports.erase(name);
  std::erase_if(next_.state.pins, [&](const auto& pin) {
    return pin.first.port == name && next_.static_pins.count(pin.first) == 0;
  });
  fresh_.erase(name);
  edits_.emplace_back(PortRemoved{name});
}

Draft::Outcome Draft::pin(const QueueName& queue, unsigned core) {
  const auto port = next_.state.ports.find(queue.port);
  if (port == next_.state.ports.end()) throw Error("queue", fmt::format("no port {}", queue.port));
  if (queue.queue >= port->second->queues)
    throw Error("queue", fmt::format("port {} has {} queue{}, numbered from 0", queue.port,
                                     port->second->queues, port->second->queues == 1 ? "" : "s"));
  const auto present = next_.state.pins.find(queue);
  if (present != next_.state.pins.end() && present->second == core) return Outcome::Unchanged;
  if (next_.static_pins.count(queue) != 0)
    throw Error("queue", fmt::format("{}:{} is pinned to core {} in the config file", queue.port, queue.queue,
                                     next_.static_pins.at(queue)));
  next_.state.pins[queue] = core;
  edits_.emplace_back(QueuePinned{queue, core});
  return Outcome::Changed;
}

Draft::Outcome Draft::set_node(ClusterNode node) {
  const std::string name = node.spec.name;
  const auto present = next_.nodes.find(name);
  const bool is_same =
      present != next_.nodes.end() && present->second->spec == node.spec && present->second->vni == node.vni;
  if (is_same && present->second->source == node.source) return Outcome::Unchanged;
  const auto shared = std::make_shared<const ClusterNode>(std::move(node));
  if (present != next_.nodes.end()) next_.node_claims.remove(present->second->spec);
  may_clash_ |= next_.node_claims.clash_with(shared->spec);
  next_.node_claims.add(shared->spec);
  next_.nodes[name] = shared;
  next_.state.nodes[name] = spec_of(shared);
  edits_.emplace_back(NodeSet{shared});
  if (is_same) return Outcome::Unchanged;
  fresh_nodes_.insert(name);
  return Outcome::Changed;
}

void Draft::remove_node(const std::string& name) {
  const auto present = next_.nodes.find(name);
  if (present == next_.nodes.end()) throw Error(name, "no such node");
  next_.node_claims.remove(present->second->spec);
  next_.nodes.erase(name);
  next_.state.nodes.erase(name);
  fresh_nodes_.erase(name);
  edits_.emplace_back(NodeRemoved{name});
}

Draft::Outcome Draft::add_route(const StaticRoute& route) {
  const auto [present, is_new] = next_.state.routes.try_emplace(name_of(route), route);
  if (is_new) {
    edits_.emplace_back(RouteAdded{route});
    return Outcome::Changed;
  }
  if (present->second == route) return Outcome::Unchanged;
  throw Error("via", fmt::format("the route to {} in network {} exists, {}; to change it, delete it first",
                                 route.prefix.to_string(), route.network, way_of(present->second)));
}

void Draft::remove_route(const RouteName& name) {
  if (next_.state.routes.erase(name) == 0)
    throw Error("prefix",
                fmt::format("no static route to {} in network {}", name.second.to_string(), name.first));
  edits_.emplace_back(RouteRemoved{name});
}

void Draft::add_network(const std::string& name, uint32_t vni) {
  next_.state.networks[name] = vni;
  edits_.emplace_back(NetworkSet{name, vni});
}

void Draft::remove_network(const std::string& name, const StoredState& stored) {
  if (next_.static_networks.contains(name))
    throw Error(name, "is defined in the config file: take its section out there and restart the daemon");
  // One that was left out at the start is known to the journal only.
  if (next_.state.networks.erase(name) == 0 && !stored.networks.contains(name))
    throw Error(name, "no such network is stretched over nodes");
  std::erase_if(next_.state.remote_entries, [&](const auto& entry) { return entry.first.network == name; });
  edits_.emplace_back(NetworkRemoved{name});
}

void Draft::set_remote_entry(const RemoteName& name, const IpAddress& vtep) {
  next_.state.remote_entries[name] = vtep;
  edits_.emplace_back(RemoteEntrySet{name, vtep});
}

void Draft::remove_remote_entry(const RemoteName& name) {
  if (next_.state.remote_entries.erase(name) == 0)
    throw Error("mac", fmt::format("no command has put {} behind a VTEP in network {}", name.mac.to_string(),
                                   name.network));
  edits_.emplace_back(RemoteEntryRemoved{name});
}

void Draft::check(const Gateway& gateway) const {
  std::vector<Problem> problems;
  find_conflicts(next_.state, gateway, fresh_, paths_, problems);
  if (!problems.empty()) throw Error(std::move(problems));
}

}  // namespace podswitch
