// SPDX-License-Identifier: Apache-2.0
// The one table of port options. A row makes the flag `--mtu` of `podswitch port add`, the JSON key "mtu" on
// the socket and in the journal, and the key `mtu` of an INI section [port.NAME]. Any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pmd/error.h"
#include "pmd/port_spec.h"

namespace podswitch {

struct PortOption {
  std::string_view name;          // "socket-mode"
  std::string_view value_name;    // "OCTAL"; empty for a flag
  std::string_view help;          // what it does, one line
  std::string_view default_text;  // as shown in help; empty: none
  bool repeatable = false;        // several values; JSON writes an array, text also takes a comma list
  bool is_flag = false;           // JSON writes true
  bool is_number = false;         // JSON writes a number
  void (*set)(PortSpec& spec, std::string_view value);    // throws Error("", message)
  std::vector<std::string> (*get)(const PortSpec& spec);  // the values; none when they are the default
};

std::span<const PortOption> port_options();
const PortOption* find_port_option(std::string_view name);  // nullptr: no such option

using PortSettings = std::vector<std::pair<std::string, std::string>>;  // option name, value

// Builds and validates. What is wrong is appended to `problems` under `path`.OPTION (just OPTION when `path`
// is empty); the result is worth nothing then.
PortSpec make_port(std::string name, const PortSettings& settings, const std::string& path,
                   std::vector<Problem>& problems);

// The name, the type and what differs from the defaults; port_from_json() reads it back.
nlohmann::json to_json(const PortSpec& spec);
// An object with "name" and options; numbers and flags may also be texts. Unknown keys are problems.
PortSpec port_from_json(const nlohmann::json& object, const std::string& path,
                        std::vector<Problem>& problems);

}  // namespace podswitch
