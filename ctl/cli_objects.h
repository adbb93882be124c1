// SPDX-License-Identifier: Apache-2.0
// `podswitch apply` and `diff`: the objects of a file in one transaction. The command line's only thread.
#pragma once

#include "ctl/cli_arguments.h"
#include "ctl/client.h"

namespace podswitch {

// Notes on standard error what was skipped. Throws Error with the place of each object that is wrong; nothing
// has changed then.
Client::Reply send_objects(Client& client, const CommandLine& line);

}  // namespace podswitch
