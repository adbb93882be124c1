// SPDX-License-Identifier: Apache-2.0
// fdb add, del, list, flush.
#include <fmt/format.h>

#include "ctl/commands/run.h"
#include "ctl/controller.h"
#include "ctl/text.h"
#include "pmd/error.h"
#include "pmd/log.h"

namespace podswitch {
namespace {

// A text argument as `parse` reads it.
template <typename Value>
Value parsed(const Call& call, const char* name, Value (*parse)(std::string_view)) {
  try {
    return parse(call.text(name));
  } catch (const Error& error) {
    throw Error(name, error.problems().front().message);
  }
}

FdbFilter filter_of(const Call& call, const Controller& controller, const Engine& engine) {
  FdbFilter filter{call.text("network"), call.text("port"), std::nullopt};
  if (!filter.network.empty() && !controller.networks().contains(filter.network))
    require_network(engine.ports(), filter.network, "network");
  if (!filter.port.empty()) require_port(engine.ports(), filter.port, "port");
  if (call.arguments.contains("mac")) filter.mac = parsed(call, "mac", parse_mac);
  return filter;
}

RemoteName remote_name(const Call& call) {
  return {call.text("network"), parsed(call, "mac", parse_mac)};
}

}  // namespace

Answer DaemonCommands::fdb_add(const Call& call) {
  const RemoteName name = remote_name(call);
  const IpAddress vtep = parsed(call, "vtep", parse_ip);
  const auto [revision, changed] = controller_.add_remote_entry(call.caller, name, vtep);
  return {revision,
          {{"changed", changed},
           {"message", fmt::format("{} {} behind {}", name.mac.to_string(), changed ? "is now" : "was",
                                   vtep.to_string())}}};
}

Answer DaemonCommands::fdb_del(const Call& call) {
  const RemoteName name = remote_name(call);
  const uint64_t revision = controller_.remove_remote_entry(call.caller, name);
  return {revision, {{"message", fmt::format("{} is to be learned again", name.mac.to_string())}}};
}

Answer DaemonCommands::fdb_list(const Call& call) {
  const uint64_t limit = row_limit(call);
  const Engine& engine = controller_.engine();
  nlohmann::json rows = nlohmann::json::array();
  for (const FdbEntry& entry : engine.fdb(filter_of(call, controller_, engine), limit))
    rows.push_back({{"network", entry.network},
                    {"vlan", entry.vlan},
                    {"mac", entry.mac.to_string()},
                    {"port", entry.vtep ? nlohmann::json(nullptr) : nlohmann::json(entry.port)},
                    {"vtep", entry.vtep ? nlohmann::json(entry.vtep->to_string()) : nlohmann::json(nullptr)},
                    {"static", entry.is_static},
                    {"age_seconds", entry.age_seconds}});
  return answer(std::move(rows));
}

Answer DaemonCommands::fdb_flush(const Call& call) {
  Engine& engine = controller_.engine();
  const size_t flushed = engine.flush_fdb(filter_of(call, controller_, engine));
  log::info("uid {} pid {}: fdb flush, {} entries", call.caller.uid, call.caller.pid, flushed);
  return answer(
      {{"flushed", flushed},
       {"message", fmt::format("{} learned address{} forgotten", flushed, flushed == 1 ? "" : "es")}});
}

}  // namespace podswitch
