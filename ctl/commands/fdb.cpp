// SPDX-License-Identifier: Apache-2.0
// fdb list, flush.
#include <fmt/format.h>

#include "ctl/commands/run.h"
#include "ctl/controller.h"
#include "ctl/text.h"
#include "pmd/error.h"
#include "pmd/log.h"

namespace podswitch {
namespace {

constexpr uint64_t kDefaultLimit = 100000;
constexpr uint64_t kMaxLimit = 400000;  // an answer of about 50 MB, below what a client may leave unread

FdbFilter filter_of(const Call& call, const Engine& engine) {
  FdbFilter filter{call.text("network"), call.text("port"), std::nullopt};
  if (!filter.network.empty()) require_network(engine.ports(), filter.network, "network");
  if (!filter.port.empty()) require_port(engine.ports(), filter.port, "port");
  if (!call.arguments.contains("mac")) return filter;
  try {
    filter.mac = parse_mac(call.text("mac"));
  } catch (const Error& error) {
    throw Error("mac", error.problems().front().message);
  }
  return filter;
}

}  // namespace

Answer DaemonCommands::fdb_list(const Call& call) {
  const uint64_t limit = call.arguments.value("limit", kDefaultLimit);
  if (limit == 0 || limit > kMaxLimit)
    throw Error("limit", fmt::format("{} is out of range: 1 to {}", limit, kMaxLimit));
  const Engine& engine = controller_.engine();
  nlohmann::json rows = nlohmann::json::array();
  for (const FdbEntry& entry : engine.fdb(filter_of(call, engine), limit))
    rows.push_back({{"network", entry.network},
                    {"vlan", entry.vlan},
                    {"mac", entry.mac.to_string()},
                    {"port", entry.port},
                    {"static", entry.is_static},
                    {"age_seconds", entry.age_seconds}});
  return answer(std::move(rows));
}

Answer DaemonCommands::fdb_flush(const Call& call) {
  Engine& engine = controller_.engine();
  const size_t flushed = engine.flush_fdb(filter_of(call, engine));
  log::info("uid {} pid {}: fdb flush, {} entries", call.caller.uid, call.caller.pid, flushed);
  return answer(
      {{"flushed", flushed},
       {"message", fmt::format("{} learned address{} forgotten", flushed, flushed == 1 ? "" : "es")}});
}

}  // namespace podswitch
