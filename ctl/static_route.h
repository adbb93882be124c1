// SPDX-License-Identifier: Apache-2.0
// A static route as text and as the journal keeps it. Any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "pmd/static_route.h"

namespace podswitch {

// Throws Error with the paths `prefix` and `via`. An empty `via`: unreachable.
StaticRoute make_static_route(const std::string& network, const std::string& prefix, const std::string& via);
std::string way_of(const StaticRoute& route);  // "via 10.244.1.7", "unreachable"

nlohmann::json to_json(const StaticRoute& route);
// What to_json() wrote. Throws.
StaticRoute static_route_from_json(const nlohmann::json& json);

}  // namespace podswitch
