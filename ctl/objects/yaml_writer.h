// SPDX-License-Identifier: Apache-2.0
// JSON values as YAML that read_yaml(), and any reader of YAML, takes back. Any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace podswitch {

std::string to_yaml(const nlohmann::json& value);  // ends with a newline

}  // namespace podswitch
