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

Json describe(const Controller& controller, const ClusterNode& node) {
  Json row{{"vtep-mac", nullptr}, {"vtep-mac-v6", nullptr}, {"vni", nullptr}};
  row.update(to_json(node));
  row["role"] = controller.is_own(node.spec.name) ? "own" : "remote";
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
  for (const auto& [name, node] : controller_.nodes()) rows.push_back(describe(controller_, *node));
  return answer(std::move(rows));
}

Answer DaemonCommands::node_show(const Call& call) {
  const std::string name = call.text("name");
  const auto found = controller_.nodes().find(name);
  if (found != controller_.nodes().end()) return answer(describe(controller_, *found->second));
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
