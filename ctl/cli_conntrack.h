// SPDX-License-Identifier: Apache-2.0
// `podswitch conntrack list` and `flush`: the table comes in parts, which are shown as they come, so that a
// million connections take no more memory than a thousand. The command line's only thread.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "ctl/cli_arguments.h"

namespace podswitch {

// Asks the daemon to do the line's command with these arguments, and gives its result.
using Ask = std::function<nlohmann::json(const nlohmann::json& arguments)>;

void list_connections(const CommandLine& line, const Ask& ask);
void flush_connections(const CommandLine& line, const Ask& ask);

// A row as conntrack-tools writes it.
std::string connection_line(const nlohmann::json& row);

}  // namespace podswitch
