// SPDX-License-Identifier: Apache-2.0
// `podswitch conntrack list` and `flush`: the table comes in parts, which are shown as they come, so that a
// million connections take no more memory than a thousand. The command line's only thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "ctl/cli_arguments.h"
#include "ctl/client.h"

namespace podswitch {

void list_connections(Client& client, const CommandLine& line);
void flush_connections(Client& client, const CommandLine& line);

// A row as conntrack-tools writes it.
std::string connection_line(const nlohmann::json& row);

}  // namespace podswitch
