// SPDX-License-Identifier: Apache-2.0
// node add, del, list, show; get nodes.
#include <fmt/format.h>

#include <algorithm>

#include "ctl/commands/run.h"
#include "ctl/controller.h"
#include "ctl/objects/node_object.h"
#include "ctl/text.h"

namespace podswitch {
namespace {

using Json = nlohmann::json;

using NodeWays = std::map<std::string, std::vector<NodeWay>>;

std::string reason_of(const NodeWay& way) {
  if (way.way.kind == Way::Kind::None) return std::string(way.way.reason);
  return way.mac ? "" : fmt::format("{} does not answer in the underlay", way.way.via.to_string());
}

void add_once(std::vector<std::string>& list, std::string_view text) {
  if (!text.empty() && std::find(list.begin(), list.end(), text) == list.end()) list.emplace_back(text);
}

// What the ways to IPv4 and IPv6 pods have in common is said once.
void describe_ways(const std::vector<NodeWay>& ways, Json& row) {
  std::vector<std::string> kinds, vias, macs, reasons;
  uint16_t mtu = 0;
  for (const NodeWay& way : ways) {
    add_once(kinds, to_string(way.way.kind));
    add_once(reasons, reason_of(way));
    if (way.way.kind == Way::Kind::None) continue;
    add_once(vias, way.way.via.to_string());
    if (way.mac) add_once(macs, way.mac->to_string());
    mtu = mtu == 0 ? way.way.mtu : std::min(mtu, way.way.mtu);
    if (way.path_mtu) row["path-mtu"] = *way.path_mtu;
  }
  const auto say = [&](const char* key, const std::vector<std::string>& list) {
    if (!list.empty()) row[key] = fmt::format("{}", fmt::join(list, ", "));
  };
  say("way", kinds);
  say("via", vias);
  say("via-mac", macs);
  say("unreachable", reasons);
  if (mtu != 0) row["mtu"] = mtu;
}

Json describe(const Controller& controller, const NodeWays& ways, const ClusterNode& node) {
  Json row;
  for (const char* key :
       {"vtep-mac", "vtep-mac-v6", "vni", "way", "via", "via-mac", "mtu", "path-mtu", "unreachable"})
    row[key] = nullptr;
  row.update(to_json(node));
  row["role"] = controller.is_own(node.spec.name) ? "own" : "remote";
  if (const auto known = ways.find(node.spec.name); known != ways.end()) describe_ways(known->second, row);
  return row;
}

ClusterNode node_of(const Call& call) {
  std::vector<Problem> problems;
  NodeBuilder builder(problems);
  const auto each = [&](const char* name, void (NodeBuilder::*take)(const std::string&, const std::string&)) {
    const auto texts = call.texts(name);
    for (size_t i = 0; i < texts.size(); ++i)
      (builder.*take)(texts[i], texts.size() == 1 ? name : fmt::format("{}[{}]", name, i));
  };
  builder.name(call.text("name"), "name");
  each("vtep", &NodeBuilder::vtep);
  each("pod-cidr", &NodeBuilder::pod_cidr);
  if (call.arguments.contains("vtep-mac")) builder.vtep_mac(call.text("vtep-mac"), "vtep-mac");
  if (!problems.empty()) throw Error(std::move(problems));
  return {builder.finish()};
}

}  // namespace

Answer DaemonCommands::node_add(const Call& call) {
  const ClusterNode node = node_of(call);
  const auto [revision, changed] = controller_.add_node(call.caller, node);
  return {revision,
          {{"name", node.spec.name},
           {"changed", changed},
           {"message", fmt::format("node {} {}", node.spec.name, changed ? "added" : "unchanged")}}};
}

Answer DaemonCommands::node_del(const Call& call) {
  auto names = call.texts("name");
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  const uint64_t revision = controller_.remove_nodes(call.caller, names);
  return {revision,
          {{"deleted", names.size()},
           {"message", names.size() == 1 ? fmt::format("node {} deleted", names[0])
                                         : fmt::format("{} nodes deleted", names.size())}}};
}

Answer DaemonCommands::node_list(const Call&) {
  Json rows = Json::array();
  const NodeWays ways = controller_.engine().node_ways();
  for (const auto& [name, node] : controller_.nodes()) rows.push_back(describe(controller_, ways, *node));
  return answer(std::move(rows));
}

Answer DaemonCommands::node_show(const Call& call) {
  const std::string name = call.text("name");
  const auto found = controller_.nodes().find(name);
  if (found != controller_.nodes().end())
    return answer(describe(controller_, controller_.engine().node_ways(), *found->second));
  std::vector<std::string_view> known;
  for (const auto& [other, node] : controller_.nodes()) known.push_back(other);
  throw Error("name", fmt::format("no node '{}'{}", name, suggestion(name, known)));
}

Answer DaemonCommands::get_nodes(const Call&) {
  Json items = Json::array();
  for (const auto& [name, node] : controller_.nodes()) items.push_back(node_to_object(*node));
  return answer({{"apiVersion", "v1"}, {"kind", "List"}, {"items", std::move(items)}});
}

}  // namespace podswitch
