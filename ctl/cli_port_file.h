// SPDX-License-Identifier: Apache-2.0
// `podswitch port add --file`: many ports in one transaction. The command line's only thread.
#pragma once

#include <string>

#include "ctl/client.h"

namespace podswitch {

// `path` may be "-". Throws Error with the line or the port that is wrong; nothing has changed then.
Client::Reply add_ports_from_file(Client& client, const std::string& path);

}  // namespace podswitch
