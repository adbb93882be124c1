// SPDX-License-Identifier: Apache-2.0
// Looks a group up, as given on a command line or in a file. Any thread but a worker.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace podswitch {

// `group` is a name, or a number that need not have one. nullopt: there is no such group.
std::optional<gid_t> group_id(const std::string& group);

}  // namespace podswitch
