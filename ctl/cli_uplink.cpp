// SPDX-License-Identifier: Apache-2.0
#include "ctl/cli_uplink.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <thread>

#include "ctl/client.h"
#include "ctl/host/uplink.h"
#include "pmd/error.h"

namespace podswitch {
namespace {

constexpr uint32_t kDefaultTimeout = 60, kMaxTimeout = 86'400;
constexpr auto kLookEvery = std::chrono::milliseconds(200);

std::string text(const CommandLine& line, const char* name) {
  return line.arguments.value(name, std::string());
}
bool flag(const CommandLine& line, const char* name) {
  return line.arguments.value(name, false);
}
uint32_t number(const CommandLine& line, const char* name, uint32_t otherwise, uint32_t min, uint32_t max) {
  const auto value = line.arguments.value(name, otherwise);
  if (value < min || value > max) throw UsageError(fmt::format("--{}: {} to {}", name, min, max));
  return value;
}

// The option, else the running daemon's, else the usual one.
std::string state_directory(const CommandLine& line) {
  std::string directory = text(line, "state-directory");
  if (!directory.empty()) return directory;
  try {
    return Client(line.socket).call("status").result.at("state_directory");
  } catch (const NoDaemon&) {
    return std::string(kDefaultStateDirectory);
  }
}

UplinkRequest request_of(const CommandLine& line) {
  const std::string type = line.arguments.value("type", "af-packet");
  const auto kind = port_kind(type);
  if (!kind) throw UsageError(fmt::format("--type {}: af-packet, af-xdp or ethdev", type));
  return {text(line, "interface"), *kind, static_cast<uint16_t>(number(line, "queues", 1, 1, 16)),
          static_cast<uint16_t>(number(line, "vlan", 0, 0, 4094))};
}

std::string attach(const CommandLine& line) {
  const UplinkRequest request = request_of(line);
  if (flag(line, "dry-run")) return describe(plan_uplink(request));
  if (flag(line, "yes") && line.arguments.contains("timeout"))
    throw UsageError("--yes leaves no time to wait for");
  std::optional<uint32_t> timeout;
  if (!flag(line, "yes")) timeout = number(line, "timeout", kDefaultTimeout, 1, kMaxTimeout);
  Client client(line.socket);
  return attach_uplink(client, request, {state_directory(line), line.socket, timeout});
}

// $SERVICE_RESULT is systemd's, "success" after an orderly stop. After anything else systemd starts the
// daemon again, and the tap has kept the addresses; when it gives up, OnFailure= releases.
std::string release(const CommandLine& line) {
  const char* result = std::getenv("SERVICE_RESULT");
  if (flag(line, "after-stop") && result != nullptr && std::string_view(result) != "success")
    return "podswitchd is going to be started again: nothing moves";
  return release_uplink(state_directory(line));
}

std::string roll_back(const CommandLine& line) {
  const std::string directory = state_directory(line), id = text(line, "attachment");
  if (line.arguments.contains("after")) {
    if (id.empty()) throw UsageError("--after goes with --attachment only");
    const auto end =
        std::chrono::steady_clock::now() + std::chrono::seconds(number(line, "after", 0, 0, kMaxTimeout));
    while (std::chrono::steady_clock::now() < end) {
      if (!is_unconfirmed(directory, id)) return "nothing to roll back";
      std::this_thread::sleep_for(kLookEvery);
    }
  }
  return roll_back_uplink(directory, id);
}

std::string message_of(const CommandLine& line) {
  const std::string_view verb = line.command->verb;
  if (verb == "attach") return attach(line);
  if (verb == "confirm") return confirm_uplink(state_directory(line));
  if (verb == "detach") return detach_uplink(state_directory(line));
  if (verb == "release") return release(line);
  if (verb == "rollback") return roll_back(line);
  return resume_uplink(state_directory(line), flag(line, "same-boot"));
}

// One string, or an array of one for each line.
nlohmann::json lines_of(std::string_view text) {
  nlohmann::json lines = nlohmann::json::array();
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines.size() == 1 ? lines.front() : lines;
}

// Where which address is, instead of all that is known.
void shorten(nlohmann::json& status) {
  status.erase("recorded");
  nlohmann::json now = status.value("now", nlohmann::json::object());
  status.erase("now");
  for (const auto& [name, belongings] : now.items()) {
    if (belongings.is_null()) continue;
    nlohmann::json addresses = nlohmann::json::array();
    for (const auto& one : belongings.at("addresses"))
      addresses.push_back(
          fmt::format("{}/{}", one.at("address").get<std::string>(), one.at("length").get<unsigned>()));
    status[fmt::format("On {}", name)] = addresses;
  }
}

}  // namespace

nlohmann::json run_uplink(const CommandLine& line) {
  if (::geteuid() != 0)
    throw Error(
        "", fmt::format("podswitch {} takes root: it moves the node's own addresses", line.command->name()));
  if (line.command->verb != "status") return {{"message", lines_of(message_of(line))}};
  nlohmann::json status = uplink_status(state_directory(line));
  if (!line.wants_json) shorten(status);
  return status;
}

}  // namespace podswitch
