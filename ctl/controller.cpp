// SPDX-License-Identifier: Apache-2.0
#include "ctl/controller.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "ctl/commands/run.h"
#include "ctl/networks.h"
#include "pmd/log.h"

namespace podswitch {
namespace {

std::set<unsigned> cores_of(const Engine& engine) {
  std::set<unsigned> cores;
  for (const WorkerStatus& worker : engine.workers()) cores.insert(worker.core);
  return cores;
}

// `lengths`: all that `prefixes` have. There are many prefixes, of few lengths.
bool is_within(const std::set<Prefix>& prefixes, const std::set<uint8_t>& lengths, const IpAddress& ip) {
  const uint8_t bits = ip.is_v4() ? 32 : 128;
  return std::any_of(lengths.begin(), lengths.end(), [&](uint8_t length) {
    return length <= bits && prefixes.contains(PrefixedAddress{ip, length}.prefix());
  });
}

}  // namespace

Controller::Controller(Engine& engine, Journal& journal, ControllerOptions options)
    : engine_(engine), journal_(journal), options_(std::move(options)) {}

void Controller::start() {
  std::vector<std::string> warnings;
  desired_ = merge(options_.static_ports, options_.static_pins, journal_.state(), cores_of(engine_),
                   options_.gateway, warnings);
  merge_networks(desired_, options_.static_networks, journal_.state(), routed(), warnings);
  for (const std::string& warning : warnings) log::warning("{}", warning);
  left_out_count_ = desired_.left_out.size();
  revision_ = engine_.commit(prepare_many(desired_.state, OpenPolicy::Patient));
  follow_host_routes();
  log::info("{} ports, of which the config file defines {}; {} nodes; revision {}",
            desired_.state.ports.size(), desired_.static_ports.size(), desired_.nodes.size(), revision_);
}

Answer Controller::call(const Caller& caller, const std::string& command, const nlohmann::json& arguments) {
  return run_command(*this, caller, command, arguments);
}

Controller::Outcome Controller::add_port(const Caller& caller, const PortSpec& spec) {
  Draft draft(desired_);
  const bool is_new = draft.add(spec, "") == Draft::Outcome::Changed;
  draft.check(options_.gateway);
  if (is_new)
    commit(caller, draft, "port add " + spec.name, engine_.prepare(draft.next().state, OpenPolicy::Strict));
  return {revision_, is_new};
}

uint64_t Controller::remove_ports(const Caller& caller, const std::vector<std::string>& names) {
  Draft draft(desired_);
  std::vector<Problem> problems;
  std::vector<PortSpec> discarded;
  for (const std::string& name : names) {
    try {
      draft.remove(name, journal_.state());
      if (desired_.left_out.count(name) != 0) discarded.push_back(journal_.state().ports.at(name));
    } catch (const Error& error) {
      problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    }
  }
  if (!problems.empty()) throw Error(std::move(problems));
  commit(caller, draft, fmt::format("port del {}", fmt::join(names, ", ")),
         engine_.prepare(draft.next().state, OpenPolicy::Strict));
  for (const PortSpec& spec : discarded) engine_.discard(spec);
  return revision_;
}

Controller::Outcome Controller::assign(const Caller& caller, const QueueName& queue, unsigned core) {
  const auto cores = cores_of(engine_);
  if (cores.count(core) == 0)
    throw Error("core",
                fmt::format("no worker runs on core {}: there is one on {}", core, fmt::join(cores, ", ")));
  Draft draft(desired_);
  const bool is_new = draft.pin(queue, core) == Draft::Outcome::Changed;
  if (is_new)
    commit(caller, draft, fmt::format("worker assign {}:{} {}", queue.port, queue.queue, core),
           engine_.prepare(draft.next().state, OpenPolicy::Strict));
  return {revision_, is_new};
}

Controller::Outcome Controller::add_node(const Caller& caller, const ClusterNode& node) {
  const std::string& name = node.spec.name;
  const auto present = desired_.nodes.find(name);
  if (present != desired_.nodes.end()) {
    const auto differing = differences(*present->second, node);
    if (differing.empty()) return {revision_, false};
    throw Error("name", fmt::format("node {} exists with other values: {}; to change it, delete it first",
                                    name, fmt::join(differing, "; ")));
  }
  if (desired_.nodes.size() == kMaxNodes)
    throw Error("", fmt::format("a cluster has at most {} nodes", kMaxNodes));
  Draft draft(desired_);
  draft.set_node(node);
  std::vector<Problem> problems;
  for (NodeConflict& conflict : draft.node_conflicts())
    problems.push_back({conflict.is_vtep ? "vtep" : "pod-cidr", std::move(conflict.message)});
  if (!problems.empty()) throw Error(std::move(problems));
  commit(caller, draft, "node add " + name, engine_.prepare(draft.next().state, OpenPolicy::Strict));
  return {revision_, true};
}

uint64_t Controller::remove_nodes(const Caller& caller, const std::vector<std::string>& names) {
  Draft draft(desired_);
  std::vector<Problem> problems;
  for (const std::string& name : names) {
    try {
      draft.remove_node(name);
    } catch (const Error& error) {
      problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    }
  }
  if (!problems.empty()) throw Error(std::move(problems));
  commit(caller, draft, fmt::format("node del {}", fmt::join(names, ", ")),
         engine_.prepare(draft.next().state, OpenPolicy::Strict));
  return revision_;
}

std::unique_ptr<Engine::Change> Controller::prepare_many(const DesiredState& next, OpenPolicy policy,
                                                         const Paths& paths) {
  try {
    return engine_.prepare(next, policy);
  } catch (const PortError& error) {
    const auto path = paths.find(error.port());
    throw under(path == paths.end() ? "ports." + error.port() : path->second, error);
  }
}

void Controller::commit(const Caller& caller, Draft& draft, const std::string& what,
                        std::unique_ptr<Engine::Change> change) {
  StoredState before = journal_.append(draft.edits());
  try {
    revision_ = engine_.commit(std::move(change));
  } catch (const std::exception& error) {
    // What is refused must not come back with the next start.
    journal_.rewrite(std::move(before));
    throw Error("", fmt::format("the switch cannot run this: {}", error.what()));
  }
  // Services come and go all the time, and no route of the host's follows them.
  const bool moves_routes = !std::all_of(draft.edits().begin(), draft.edits().end(),
                                         [](const Edit& edit) { return is_of_services(edit); });
  desired_ = draft.take();
  if (moves_routes) follow_host_routes();
  left_out_count_ = desired_.left_out.size();
  log::info("uid {} pid {}: {}; revision {}", caller.uid, caller.pid, what, revision_);
}

// The host's way to all pods and Services is the host port, as long as it is in the daemon's own namespace.
void Controller::follow_host_routes() {
  const DesiredState& state = desired_.state;
  const auto host = std::find_if(state.ports.begin(), state.ports.end(), [](const auto& entry) {
    return entry.second->role == PortRole::Host && entry.second->netns.empty();
  });
  if (host == state.ports.end()) return report(host_routes_.set(std::nullopt));
  HostRoutesTarget target;
  target.ifname = host->second->ifname;
  target.gateway_mac = options_.gateway.mac;
  for (const IpAddress& ip : options_.gateway.ips) {
    auto& gateway = ip.is_v4() ? target.gateway_v4 : target.gateway_v6;
    if (!gateway) gateway = ip;
  }
  std::set<Prefix> prefixes;
  for (const auto& [name, node] : state.nodes)
    prefixes.insert(node->pod_cidrs.begin(), node->pod_cidrs.end());
  prefixes.insert(options_.service_cidrs.begin(), options_.service_cidrs.end());
  std::set<uint8_t> lengths;
  for (const Prefix& prefix : prefixes) lengths.insert(prefix.length);
  for (const auto& [name, port] : state.ports)
    if (port->role == PortRole::Pod && port->mac && port->network == options_.overlay.network)
      for (const IpAddress& ip : port->ips)
        if (!is_within(prefixes, lengths, ip)) prefixes.insert(Prefix::of(ip));
  for (const Prefix& prefix : prefixes)
    if (prefix.is_v4() ? target.gateway_v4.has_value() : target.gateway_v6.has_value())
      target.prefixes.push_back(prefix);
  report(host_routes_.set(std::move(target)));
}

void Controller::report(const std::vector<Problem>& problems) {
  const std::string text = problems.empty() ? "" : Error(problems).what();
  if (text == reported_) return;
  reported_ = text;
  if (!text.empty()) log::warning("host routes: {}", text);
}

}  // namespace podswitch
