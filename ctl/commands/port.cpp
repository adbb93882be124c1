// SPDX-License-Identifier: Apache-2.0
// port add, del, list, show.
#include <fmt/format.h>

#include <algorithm>

#include "ctl/commands/run.h"
#include "ctl/controller.h"
#include "ctl/port_options.h"
#include "pmd/error.h"

namespace podswitch {
namespace {

using Json = nlohmann::json;

Json describe(const MemberStatus& member) {
  Json row{{"name", member.name}, {"state", to_string(member.state)}};
  if (member.partner) row["partner"] = member.partner->to_string();
  return row;
}

Json describe(const PortStatus& port) {
  Json row{{"pod", nullptr},
           {"uid", nullptr},
           {"mac", nullptr},
           {"ip", Json::array()},
           {"vlan", nullptr},
           {"trunk", nullptr},
           {"mtu", port.spec.mtu},
           {"network", port.spec.network},
           {"queues", port.spec.queues}};
  row.update(to_json(port.spec));
  row["type"] = to_string(port.spec.kind);
  row["state"] = port.state.up ? "up" : "down";
  row["reason"] = port.state.up ? "" : port.state.reason;
  row["hint"] = port.hint;
  row["state_changes"] = port.state_changes;
  row["device_mac"] = port.device_mac ? Json(port.device_mac->to_string()) : Json(nullptr);
  for (const MemberStatus& member : port.members) row["member_states"].push_back(describe(member));
  add_figures(row, port.figures);
  return row;
}

}  // namespace

Answer DaemonCommands::port_add(const Call& call) {
  std::vector<Problem> problems;
  const PortSpec spec = port_from_json(call.arguments, "", problems);
  if (!problems.empty()) throw Error(std::move(problems));
  const auto [revision, changed] = controller_.add_port(call.caller, spec);
  return {revision,
          {{"name", spec.name},
           {"changed", changed},
           {"message", fmt::format("port {} {}", spec.name, changed ? "added" : "unchanged")}}};
}

Answer DaemonCommands::port_del(const Call& call) {
  auto names = call.arguments.at("name").get<std::vector<std::string>>();
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  const uint64_t revision = controller_.remove_ports(call.caller, names);
  return {revision,
          {{"deleted", names.size()},
           {"message", names.size() == 1 ? fmt::format("port {} deleted", names[0])
                                         : fmt::format("{} ports deleted", names.size())}}};
}

Answer DaemonCommands::port_list(const Call&) {
  Json rows = Json::array();
  for (const PortStatus& port : controller_.engine().ports()) rows.push_back(describe(port));
  return answer(std::move(rows));
}

Answer DaemonCommands::port_show(const Call& call) {
  const std::string name = call.text("name");
  const auto ports = controller_.engine().ports();
  require_port(ports, name, "name");
  return answer(describe(*std::find_if(ports.begin(), ports.end(),
                                       [&](const PortStatus& port) { return port.spec.name == name; })));
}

}  // namespace podswitch
