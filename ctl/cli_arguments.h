// SPDX-License-Identifier: Apache-2.0
// The command line of `podswitch`, read by the table of commands. Values are not judged here: the daemon does
// that, the same for every client. The command line's only thread.
#pragma once

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/commands.h"

namespace podswitch {

inline constexpr std::string_view kDefaultSocket = "/run/podswitch/control.sock";

struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
  std::string command;  // whose help would have told, such as "port add"; empty: the program's
};

struct CommandLine {
  std::string socket{kDefaultSocket};
  bool wants_json = false;
  bool wants_yaml = false;
  bool wants_help = false;
  std::string noun;  // empty: none was given
  const Command* command = nullptr;
  nlohmann::json arguments = nlohmann::json::object();  // for the daemon
  nlohmann::json local = nlohmann::json::object();      // for the client itself
};

// `words` without the program's name. Throws UsageError.
CommandLine parse_cli(const std::vector<std::string>& words);

struct GlobalOption {
  std::string_view name, value_name, help;
};
std::vector<GlobalOption> global_options();

}  // namespace podswitch
