// SPDX-License-Identifier: Apache-2.0
#include "ctl/networks.h"

#include <fmt/format.h>

#include "ctl/text.h"

namespace podswitch {

uint32_t parse_vni(std::string_view text) {
  return static_cast<uint32_t>(parse_number(text, 1, kMaxVni));
}

void check_network(const std::string& name, uint32_t vni, const DesiredState& state,
                   const RoutedNetwork& routed, std::vector<Problem>& problems) {
  const auto add = [&](const char* path, std::string message) {
    problems.push_back({path, std::move(message)});
  };
  if (!is_network_name(name))
    add("name", fmt::format("'{}' is no network name: 1 to 63 letters, digits, '.', '_' or '-', a letter or "
                            "digit first",
                            name));
  if (name == routed.name)
    add("name", fmt::format("the pods of network {} are routed to other nodes: overlay.network", name));
  for (const auto& [port_name, port] : state.ports)
    if (port->network == name && port->role != PortRole::Pod)
      add("name", fmt::format("port {}, the {}, is in network {}: what it carries stays on this node",
                              port_name, to_string(port->role), name));
  if (vni == 0 || vni > kMaxVni) add("vni", fmt::format("{} is out of range: 1 to {}", vni, kMaxVni));
  if (vni == routed.vni)
    add("vni", fmt::format("{} is overlay.vni, that of the routed network {}", vni, routed.name));
  for (const auto& [other, others_vni] : state.networks)
    if (other != name && others_vni == vni) add("vni", fmt::format("{} is network {}'s", vni, other));
}

void merge_networks(Desired& desired, const Networks& static_networks, const StoredState& stored,
                    const RoutedNetwork& routed, std::vector<std::string>& warnings) {
  DesiredState& state = desired.state;
  std::vector<Problem> problems;
  for (const auto& [name, vni] : static_networks) {
    std::vector<Problem> found;
    check_network(name, vni, state, routed, found);
    for (Problem& problem : found)
      problems.push_back({fmt::format("network.{}.{}", name, problem.path), std::move(problem.message)});
    state.networks[name] = vni;
    desired.static_networks.insert(name);
  }
  if (!problems.empty()) throw Error(std::move(problems));

  for (const auto& [name, vni] : stored.networks) {
    std::vector<Problem> found;
    check_network(name, vni, state, routed, found);
    if (desired.static_networks.contains(name)) found = {{"name", "the config file has it"}};
    if (found.empty())
      state.networks[name] = vni;
    else
      warnings.push_back(
          fmt::format("network {} of the journal is left out: {}", name, found.front().message));
  }
  for (const auto& [name, vtep] : stored.remote_entries)
    if (state.networks.contains(name.network)) state.remote_entries[name] = vtep;
}

}  // namespace podswitch
