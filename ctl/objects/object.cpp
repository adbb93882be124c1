// SPDX-License-Identifier: Apache-2.0
#include "ctl/objects/object.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "ctl/objects/node_object.h"
#include "ctl/port_options.h"

namespace podswitch {
namespace {

using Json = nlohmann::json;

// A text member; empty when it is not there.
std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return {};
  if (!found->is_string()) throw Error(key, fmt::format("of JSON type {}, not string", found->type_name()));
  return found->get<std::string>();
}

}  // namespace

std::string_view to_string(ObjectKind kind) {
  return kind == ObjectKind::Node ? "Node" : "Port";
}

std::optional<ObjectKind> object_kind(std::string_view text) {
  for (const ObjectKind kind : {ObjectKind::Node, ObjectKind::Port})
    if (text == to_string(kind)) return kind;
  return std::nullopt;
}

std::optional<ObjectKind> kind_of(const Json& object) {
  const std::string version = text_of(object, "apiVersion"), kind = text_of(object, "kind");
  if (kind.empty()) {
    if (version.empty() && object.contains("name")) return ObjectKind::Port;
    throw Error("kind", "missing: such as Node, with apiVersion v1");
  }
  if (kind == "Node" && (version == "v1" || version.empty())) return ObjectKind::Node;
  if (kind == "Port" && version.empty()) return ObjectKind::Port;
  return std::nullopt;
}

std::string kind_label(const Json& object) {
  const std::string version = text_of(object, "apiVersion"), kind = text_of(object, "kind");
  return version.empty() ? kind : version + " " + kind;
}

Json relevant_part(Json object) {
  return kind_of(object) == ObjectKind::Node ? relevant_node_part(std::move(object)) : object;
}

PortSpec port_from_object(const Json& object, const std::string& path) {
  Json port = object;
  port.erase("kind");
  std::vector<Problem> problems;
  PortSpec spec = port_from_json(port, path, problems);
  if (!problems.empty()) throw Error(std::move(problems));
  return spec;
}

}  // namespace podswitch
