// SPDX-License-Identifier: Apache-2.0
// `podswitch get` of what there may be very many of: asked for in chunks, and written as they come. The
// command line's only thread.
#pragma once

#include "ctl/cli_arguments.h"
#include "ctl/client.h"

namespace podswitch {

// To standard output: a table, or one List as JSON or YAML.
void get_in_chunks(Client& client, const CommandLine& line);

// What the table has of a Service or an EndpointSlice.
nlohmann::json row_of_object(const nlohmann::json& object);

}  // namespace podswitch
