// SPDX-License-Identifier: Apache-2.0
// How connections are asked for and shown on the socket. Configuration thread.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "pmd/engine.h"

namespace podswitch {

// The filters among the arguments of a conntrack command. Throws Error with all that is wrong.
FlowFilter flow_filter(const nlohmann::json& arguments);
// A connection as a row of the listing.
nlohmann::json flow_row(const FlowStatus& flow);

}  // namespace podswitch
