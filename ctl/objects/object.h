// SPDX-License-Identifier: Apache-2.0
// The objects that `apply` understands, by apiVersion and kind. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/request_handler.h"
#include "pmd/error.h"
#include "pmd/port_spec.h"

namespace podswitch {

enum class ObjectKind : uint8_t { Node, Port, Service, EndpointSlice };
inline constexpr ObjectKind kObjectKinds[] = {ObjectKind::Node, ObjectKind::Port, ObjectKind::Service,
                                              ObjectKind::EndpointSlice};
inline constexpr std::string_view kKindsInWords =
    "v1 Node, v1 Service, discovery.k8s.io/v1 EndpointSlice and Port";
std::string_view to_string(ObjectKind kind);                   // "Node"
std::optional<ObjectKind> object_kind(std::string_view text);  // of such a word

// nullopt for a kind that podswitch does not know. An object with neither kind nor apiVersion is a Port, as
// in `port add --file`. Throws Error under the object's own paths when what it is cannot be told.
std::optional<ObjectKind> kind_of(const nlohmann::json& object);
std::string kind_label(const nlohmann::json& object);  // "v1 Pod", for people
// What the daemon reads of an object: a Node of a real cluster is mostly about other things.
nlohmann::json relevant_part(nlohmann::json object);

// Reads an object that may be part of a transaction. Throws Error under the object's own paths.
TakenObject read_object(const nlohmann::json& object);
// Reads a Port with or without its kind. Throws Error with paths that begin with `path`.
PortSpec port_from_object(const nlohmann::json& object, const std::string& path);

}  // namespace podswitch
