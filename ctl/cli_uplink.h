// SPDX-License-Identifier: Apache-2.0
// `podswitch uplink ...`: done by the client itself, as root in the node's network namespace (host/uplink.h
// says why). The command line's only thread.
#pragma once

#include <nlohmann/json.hpp>

#include "ctl/cli_arguments.h"

namespace podswitch {

// What to print for this command. Throws Error, UsageError, NoDaemon.
nlohmann::json run_uplink(const CommandLine& line);

}  // namespace podswitch
