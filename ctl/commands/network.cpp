// SPDX-License-Identifier: Apache-2.0
// network add, del, list, show.
#include <fmt/format.h>

#include <algorithm>

#include "ctl/commands/run.h"
#include "ctl/controller.h"
#include "ctl/text.h"
#include "pmd/error.h"
#include "switch/net/tunnel.h"

namespace podswitch {
namespace {

using Json = nlohmann::json;

Json row_of(const std::string& name, std::string_view mode, uint32_t vni) {
  return {{"name", name},           {"mode", mode},       {"vni", vni},
          {"ports", Json::array()}, {"pod-mtu", nullptr}, {"source", nullptr}};
}

// Of all networks: the routed one, those that are stretched, and those of ports alone.
std::map<std::string, Json> describe(const Controller& controller, const std::vector<PortStatus>& ports) {
  std::map<std::string, Json> rows;
  const OverlayOptions& overlay = controller.options().overlay;
  rows[overlay.network] = row_of(overlay.network, "routed", overlay.vni);
  for (const auto& [name, vni] : controller.networks()) {
    Json& row = rows[name] = row_of(name, "bridged", vni);
    row["source"] = controller.is_static_network(name) ? "config" : "command";
  }
  uint16_t uplink_mtu = 0;
  bool has_v4 = false;
  for (const PortStatus& port : ports) {
    Json& row = rows.try_emplace(port.spec.network, row_of(port.spec.network, "local", 0)).first->second;
    if (row["mode"] == "local") row["vni"] = nullptr;
    row["ports"].push_back(port.spec.name);
    if (port.spec.role != PortRole::Uplink || port.spec.underlay.empty()) continue;
    uplink_mtu = port.spec.mtu;
    has_v4 = port.spec.underlay.front().ip.is_v4();
  }
  for (auto& [name, row] : rows)
    if (uplink_mtu != 0 && row["mode"] != "local")
      row["pod-mtu"] = uplink_mtu - net::tunnel_overhead(overlay.encapsulation, has_v4);
  return rows;
}

}  // namespace

Answer DaemonCommands::network_add(const Call& call) {
  const std::string name = call.text("name");
  const uint64_t vni = call.arguments.at("vni").get<uint64_t>();
  const auto [revision, changed] =
      controller_.add_network(call.caller, name, static_cast<uint32_t>(std::min<uint64_t>(vni, UINT32_MAX)));
  return {revision,
          {{"name", name},
           {"changed", changed},
           {"message", fmt::format("network {} {}", name, changed ? "added" : "unchanged")}}};
}

Answer DaemonCommands::network_del(const Call& call) {
  auto names = call.texts("name");
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  const uint64_t revision = controller_.remove_networks(call.caller, names);
  return {
      revision,
      {{"deleted", names.size()},
       {"message", names.size() == 1 ? fmt::format("network {} is of this node alone now", names[0])
                                     : fmt::format("{} networks are of this node alone now", names.size())}}};
}

Answer DaemonCommands::network_list(const Call&) {
  Json rows = Json::array();
  for (auto& [name, row] : describe(controller_, controller_.engine().ports()))
    rows.push_back(std::move(row));
  return answer(std::move(rows));
}

Answer DaemonCommands::network_show(const Call& call) {
  const std::string name = call.text("name");
  auto rows = describe(controller_, controller_.engine().ports());
  if (const auto row = rows.find(name); row != rows.end()) return answer(std::move(row->second));
  std::vector<std::string_view> known;
  for (const auto& [other, row] : rows) known.push_back(other);
  throw Error("name", fmt::format("no network '{}'{}", name, suggestion(name, known)));
}

}  // namespace podswitch
