// SPDX-License-Identifier: Apache-2.0
// How Kubernetes names things, and the names of Services and EndpointSlices as texts. Any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "ctl/objects/value_reader.h"
#include "lb/service_spec.h"

namespace podswitch {

inline constexpr size_t kMaxLabelBytes = 63;
inline constexpr size_t kMaxSubdomainBytes = 253;

// RFC 1123, in lower case, as Kubernetes has it: letters and digits at both ends, '-' (and dots between the
// labels of a subdomain) inside.
bool is_dns_label(std::string_view text);
bool is_dns_subdomain(std::string_view text);

std::string to_string(const ObjectName& name);  // "NAMESPACE/NAME"
// "NAME" is in namespace "default". Throws Error with an empty path.
ObjectName parse_object_name(std::string_view text);

// metadata.name and metadata.namespace of `object`. Empty, and a problem, where they are no names.
ObjectName read_object_name(const nlohmann::json& object, bool (*is_name)(std::string_view text),
                            ValueReader& reader);

// As Kubernetes reads addresses: zeros that lead are decimal. Empty, and a problem, for what is none that a
// host can have.
std::optional<IpAddress> read_ip(const std::string& text, const Place& place, ValueReader& reader);

// TCP where it does not say.
Protocol read_protocol(const nlohmann::json& port, const Place& place, ValueReader& reader);
// Empty where it does not say.
std::string read_port_name(const nlohmann::json& port, const Place& place, ValueReader& reader);

}  // namespace podswitch
