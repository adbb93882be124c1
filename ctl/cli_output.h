// SPDX-License-Identifier: Apache-2.0
// Answers as people read them: aligned columns, units, nothing that a terminal would take for a command. The
// command line's only thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "ctl/commands.h"

namespace podswitch {

std::string format_cell(const nlohmann::json& value, Format format);
std::string format_table(const nlohmann::json& rows, const std::vector<Column>& columns);
// A line per column that has a value, then what the object has besides.
std::string format_record(const nlohmann::json& object, const std::vector<Column>& columns);

}  // namespace podswitch
