// SPDX-License-Identifier: Apache-2.0
// `podswitch stats --watch`: counters again and again, with rates. The command line's only thread.
#pragma once

#include <nlohmann/json.hpp>

#include "ctl/cli_arguments.h"
#include "ctl/client.h"

namespace podswitch {

// `now` with "*_per_second" beside each counter, made of the difference to `before`. A port that was not
// there, or began anew, has rates of 0.
nlohmann::json with_rates(const nlohmann::json& before, nlohmann::json now, double seconds);

// Until Ctrl-C.
void watch_stats(Client& client, const CommandLine& line);

}  // namespace podswitch
