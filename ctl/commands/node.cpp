// SPDX-License-Identifier: Apache-2.0
// status, version, log.
#include <fmt/format.h>
#include <rte_version.h>
#include <unistd.h>

#include <algorithm>

#include "ctl/commands/run.h"
#include "ctl/controller.h"
#include "ctl/protocol.h"
#include "pmd/log.h"

namespace podswitch {
namespace {

constexpr size_t kShownClashes = 20;

// Without the name in front.
std::string dpdk_version() {
  const std::string text = rte_version();
  return text.substr(text.rfind(' ') + 1);
}

}  // namespace

Answer DaemonCommands::status(const Call&) {
  const Engine& engine = controller_.engine();
  const SwitchStatus status = engine.status();
  const auto ports = engine.ports();
  nlohmann::json gateway = nlohmann::json::array();
  for (const IpAddress& ip : controller_.options().gateway.ips) gateway.push_back(ip.to_string());
  nlohmann::json left_out = nlohmann::json::array();
  for (const auto& [name, reason] : controller_.left_out())
    left_out.push_back({{"name", name}, {"reason", reason}});
  nlohmann::json clashes = nlohmann::json::array();
  for (const auto& [frontend, holder, claimant] : engine.service_clashes(kShownClashes))
    clashes.push_back(fmt::format("{} {}/{}: {}/{} has it, {}/{} does not get it", frontend.ip.to_string(),
                                  frontend.port, to_string(frontend.protocol), holder.service.space,
                                  holder.service.name, claimant.service.space, claimant.service.name));
  return answer({{"version", PODSWITCH_VERSION},
                 {"dpdk", dpdk_version()},
                 {"pid", getpid()},
                 {"node", controller_.options().node_name},
                 {"state_directory", controller_.options().state_directory},
                 {"revision", status.revision},
                 {"uptime_seconds", status.uptime_seconds},
                 {"hugepages", status.hugepages},
                 {"memory_bytes", status.memory_bytes},
                 {"gateway", gateway},
                 {"pod_mtu", status.pod_mtu ? nlohmann::json(*status.pod_mtu) : nlohmann::json(nullptr)},
                 {"gateway_mac", status.gateway_mac.to_string()},
                 {"ports", status.ports},
                 {"ports_up", std::count_if(ports.begin(), ports.end(),
                                            [](const PortStatus& port) { return port.state.up; })},
                 {"nodes", controller_.nodes().size()},
                 {"left_out", left_out},
                 {"services", status.services},
                 {"service_frontends", status.service_frontends},
                 {"service_clashes", clashes},
                 {"workers", status.workers},
                 {"workers_make_progress", engine.workers_make_progress()},
                 {"routes", status.routes},
                 {"route_bytes", status.route_bytes},
                 {"fdb_size", status.fdb_size},
                 {"fdb_capacity", status.fdb_capacity},
                 {"remote_fdb_size", status.remote_fdb_size},
                 {"flows", status.flows.in_use},
                 {"flows_capacity", status.flows.capacity},
                 {"flow_bytes", status.flows.bytes},
                 {"flow_file", status.flows.file.empty() ? "none" : status.flows.file},
                 {"neighbour_answers", status.neighbour_answers},
                 {"fdb_moves", status.fdb_moves},
                 {"learn_queue_full", status.learn_queue_full},
                 {"buffers", status.buffers},
                 {"buffers_in_use", status.buffers_in_use}});
}

Answer DaemonCommands::version(const Call&) {
  return answer({{"version", PODSWITCH_VERSION}, {"dpdk", dpdk_version()}, {"protocol", kProtocolVersion}});
}

Answer DaemonCommands::log_level(const Call& call) {
  if (call.arguments.contains("level")) {
    const std::string text = call.text("level");
    const auto level = log::parse_level(text);
    if (!level) throw Error("level", fmt::format("'{}' is none of debug, info, warning and error", text));
    // Said at both levels, so that it is in the log whichever hides more.
    log::info("uid {} pid {}: log level {}", call.caller.uid, call.caller.pid, text);
    log::set_level(*level);
    log::info("the log level is {}", text);
  }
  const auto level = log::to_string(log::level());
  return answer({{"level", level}, {"message", fmt::format("log level {}", level)}});
}

}  // namespace podswitch
