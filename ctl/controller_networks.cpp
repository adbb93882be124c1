// SPDX-License-Identifier: Apache-2.0
// The controller's networks that are stretched over nodes, and who is said to be behind which VTEP in them.
#include <fmt/format.h>

#include <algorithm>

#include "ctl/controller.h"
#include "ctl/networks.h"

namespace podswitch {
namespace {

bool is_vtep(const ClusterNodes& nodes, const IpAddress& ip) {
  return std::any_of(nodes.begin(), nodes.end(), [&](const auto& entry) {
    const auto& vteps = entry.second->spec.vteps;
    return std::find(vteps.begin(), vteps.end(), ip) != vteps.end();
  });
}

}  // namespace

Controller::Outcome Controller::add_network(const Caller& caller, const std::string& name, uint32_t vni) {
  std::vector<Problem> problems;
  check_network(name, vni, desired_.state, routed(), problems);
  if (!problems.empty()) throw Error(std::move(problems));
  const Networks& present = desired_.state.networks;
  if (const auto found = present.find(name); found != present.end()) {
    if (found->second == vni) return {revision_, false};
    throw Error("vni",
                fmt::format("network {} has VNI {}; to change it, delete it first", name, found->second));
  }
  if (present.size() == kMaxNetworks)
    throw Error("", fmt::format("at most {} networks are stretched", kMaxNetworks));
  Draft draft(desired_);
  draft.add_network(name, vni);
  commit(caller, draft, fmt::format("network add {} --vni {}", name, vni),
         engine_.prepare(draft.next().state, OpenPolicy::Strict));
  return {revision_, true};
}

uint64_t Controller::remove_networks(const Caller& caller, const std::vector<std::string>& names) {
  Draft draft(desired_);
  std::vector<Problem> problems;
  for (const std::string& name : names) {
    try {
      draft.remove_network(name, journal_.state());
    } catch (const Error& error) {
      problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    }
  }
  if (!problems.empty()) throw Error(std::move(problems));
  commit(caller, draft, fmt::format("network del {}", fmt::join(names, ", ")),
         engine_.prepare(draft.next().state, OpenPolicy::Strict));
  return revision_;
}

Controller::Outcome Controller::add_remote_entry(const Caller& caller, const RemoteName& name,
                                                 const IpAddress& vtep) {
  const DesiredState& state = desired_.state;
  if (!state.networks.contains(name.network))
    throw Error("network", fmt::format("network '{}' is not stretched over nodes: `podswitch network add`",
                                       name.network));
  if (name.mac.is_zero() || name.mac.is_multicast())
    throw Error("mac", fmt::format("{} is zero or a group address", name.mac.to_string()));
  for (const auto& [port_name, port] : state.ports)
    if (port->network == name.network && port->mac == name.mac)
      throw Error("mac", fmt::format("{} is port {}'s", name.mac.to_string(), port_name));
  if (!is_vtep(desired_.nodes, vtep))
    throw Error("vtep", fmt::format("{} is no node's VTEP: `podswitch node list`", vtep.to_string()));
  const auto present = state.remote_entries.find(name);
  if (present != state.remote_entries.end() && present->second == vtep) return {revision_, false};
  if (present == state.remote_entries.end() && state.remote_entries.size() == kMaxRemoteEntries)
    throw Error("", fmt::format("at most {} addresses are put behind VTEPs", kMaxRemoteEntries));
  Draft draft(desired_);
  draft.set_remote_entry(name, vtep);
  commit(
      caller, draft,
      fmt::format("fdb add {} --network {} --vtep {}", name.mac.to_string(), name.network, vtep.to_string()),
      engine_.prepare(draft.next().state, OpenPolicy::Strict));
  return {revision_, true};
}

uint64_t Controller::remove_remote_entry(const Caller& caller, const RemoteName& name) {
  Draft draft(desired_);
  draft.remove_remote_entry(name);
  commit(caller, draft, fmt::format("fdb del {} --network {}", name.mac.to_string(), name.network),
         engine_.prepare(draft.next().state, OpenPolicy::Strict));
  return revision_;
}

}  // namespace podswitch
