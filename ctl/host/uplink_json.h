// SPDX-License-Identifier: Apache-2.0
// The uplink's state as JSON and back. Numbers of interfaces become names on the way out and numbers of what
// has that name now on the way in (0: nothing has). Any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "ctl/host/uplink_state.h"

namespace podswitch {

inline constexpr int kUplinkVersion = 1;

nlohmann::json to_json(const UplinkState& state);
// Throws nlohmann::json::exception or Error for what to_json() did not make.
UplinkState uplink_state_of(const nlohmann::json& json);
// For people and `status`.
nlohmann::json to_json(const Belongings& belongings);

}  // namespace podswitch
