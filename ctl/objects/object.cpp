// SPDX-License-Identifier: Apache-2.0
#include "ctl/objects/object.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "ctl/objects/endpoint_slice_object.h"
#include "ctl/objects/node_object.h"
#include "ctl/objects/service_object.h"
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
  switch (kind) {
    case ObjectKind::Node:
      return "Node";
    case ObjectKind::Port:
      return "Port";
    case ObjectKind::Service:
      return "Service";
    case ObjectKind::EndpointSlice:
      break;
  }
  return "EndpointSlice";
}

std::optional<ObjectKind> object_kind(std::string_view text) {
  for (const ObjectKind kind : kObjectKinds)
    if (text == to_string(kind)) return kind;
  return std::nullopt;
}

std::optional<ObjectKind> kind_of(const Json& object) {
  const std::string version = text_of(object, "apiVersion"), kind = text_of(object, "kind");
  if (kind.empty()) {
    if (version.empty() && object.contains("name")) return ObjectKind::Port;
    throw Error("kind", "missing: such as Node, with apiVersion v1");
  }
  const auto is = [&](ObjectKind known, std::string_view of) {
    return kind == to_string(known) && (version == of || version.empty());
  };
  if (is(ObjectKind::Node, "v1")) return ObjectKind::Node;
  if (is(ObjectKind::Service, "v1")) return ObjectKind::Service;
  if (is(ObjectKind::EndpointSlice, "discovery.k8s.io/v1")) return ObjectKind::EndpointSlice;
  if (kind == "Port" && version.empty()) return ObjectKind::Port;
  return std::nullopt;
}

std::string kind_label(const Json& object) {
  const std::string version = text_of(object, "apiVersion"), kind = text_of(object, "kind");
  return version.empty() ? kind : version + " " + kind;
}

Json relevant_part(Json object) {
  switch (kind_of(object).value_or(ObjectKind::Port)) {
    case ObjectKind::Node:
      return relevant_node_part(std::move(object));
    case ObjectKind::Service:
      return relevant_service_part(std::move(object));
    case ObjectKind::EndpointSlice:
      return relevant_slice_part(std::move(object));
    case ObjectKind::Port:
      break;
  }
  return object;
}

TakenObject read_object(const Json& object) {
  const auto kind = kind_of(object);
  if (!kind) throw Error("kind", fmt::format("'{}': {} are understood", kind_label(object), kKindsInWords));
  switch (*kind) {
    case ObjectKind::Service:
      return std::make_shared<const ServiceSpec>(service_from_object(object, ""));
    case ObjectKind::EndpointSlice:
      return std::make_shared<const EndpointSlice>(slice_from_object(object, ""));
    case ObjectKind::Node:
      node_from_object(object, "");
      break;
    case ObjectKind::Port:
      port_from_object(object, "");
      break;
  }
  return object.dump();
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
