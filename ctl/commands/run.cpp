// SPDX-License-Identifier: Apache-2.0
#include "ctl/commands/run.h"

#include <fmt/format.h>

#include <algorithm>

#include "ctl/controller.h"
#include "ctl/text.h"
#include "pmd/error.h"

namespace podswitch {

std::string Call::text(const char* name) const {
  const auto found = arguments.find(name);
  return found == arguments.end() ? std::string() : found->get<std::string>();
}

std::vector<std::string> Call::texts(const char* name) const {
  const auto found = arguments.find(name);
  return found == arguments.end() ? std::vector<std::string>() : found->get<std::vector<std::string>>();
}

Answer DaemonCommands::answer(nlohmann::json result) const {
  return {controller_.revision(), std::move(result)};
}

Answer run_command(Controller& controller, const Caller& caller, const std::string& command,
                   const nlohmann::json& arguments) {
  const Command* row = find_command(command);
  if (row == nullptr || row->handler == nullptr) {
    std::vector<std::string> names;
    for (const Command& known : commands())
      if (known.handler != nullptr) names.push_back(known.name());
    throw Error("command",
                fmt::format("no such command{}",
                            suggestion(command, std::vector<std::string_view>(names.begin(), names.end()))));
  }
  check_arguments(*row, arguments);
  DaemonCommands daemon(controller);
  return (daemon.*row->handler)({caller, arguments});
}

void require_network(const std::vector<PortStatus>& ports, const std::string& name, const char* path) {
  std::vector<std::string_view> names;
  for (const PortStatus& port : ports) names.push_back(port.spec.network);
  if (std::find(names.begin(), names.end(), name) == names.end())
    throw Error(path, fmt::format("no port is in a network '{}'{}", name, suggestion(name, names)));
}

void require_port(const std::vector<PortStatus>& ports, const std::string& name, const char* path) {
  std::vector<std::string_view> names;
  for (const PortStatus& port : ports) names.push_back(port.spec.name);
  if (std::find(names.begin(), names.end(), name) == names.end())
    throw Error(path, fmt::format("no port '{}'{}", name, suggestion(name, names)));
}

uint64_t row_limit(const Call& call) {
  constexpr uint64_t kDefault = 100000;
  constexpr uint64_t kMax = 400000;  // an answer of about 50 MB, below what a client may leave unread
  const uint64_t limit = call.arguments.value("limit", kDefault);
  if (limit == 0 || limit > kMax)
    throw Error("limit", fmt::format("{} is out of range: 1 to {}", limit, kMax));
  return limit;
}

}  // namespace podswitch
