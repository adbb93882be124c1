// SPDX-License-Identifier: Apache-2.0
// drops, stats.
#include "ctl/commands/run.h"
#include "ctl/controller.h"
#include "switch/drop_reason.h"

namespace podswitch {
namespace {

using Json = nlohmann::json;

void add_drops(Json& rows, const PortStatus& port, bool all) {
  for (size_t i = 0; i < kReasonCount; ++i) {
    if (port.figures.reasons[i] == 0 && !all) continue;
    const ReasonInfo& reason = kReasons[i];
    rows.push_back({{"reason", reason.name},
                    {"port", port.spec.name},
                    {"packets", port.figures.reasons[i]},
                    {"disposition", reason.disposition == Disposition::Dropped ? "dropped" : "forwarded"},
                    {"text", reason.text}});
  }
}

// The ports that `call` asks for: all, or the one named.
std::vector<PortStatus> chosen(const Call& call, std::vector<PortStatus> ports) {
  const std::string name = call.text("port");
  if (name.empty()) return ports;
  require_port(ports, name, "port");
  std::erase_if(ports, [&](const PortStatus& port) { return port.spec.name != name; });
  return ports;
}

}  // namespace

void add_figures(Json& row, const PortFigures& figures) {
  row["rx_packets"] = figures.rx_packets;
  row["rx_bytes"] = figures.rx_bytes;
  row["tx_packets"] = figures.tx_packets;
  row["tx_bytes"] = figures.tx_bytes;
  row["rx_errors"] = figures.rx_errors;
  row["tx_errors"] = figures.tx_errors;
  row["dropped"] = figures.dropped();
}

Answer DaemonCommands::drops(const Call& call) {
  Json rows = Json::array();
  for (const PortStatus& port : chosen(call, controller_.engine().ports()))
    add_drops(rows, port, call.arguments.value("all", false));
  return answer(std::move(rows));
}

Answer DaemonCommands::stats(const Call& call) {
  Json rows = Json::array();
  for (const PortStatus& port : chosen(call, controller_.engine().ports())) {
    Json row{{"port", port.spec.name}};
    add_figures(row, port.figures);
    rows.push_back(std::move(row));
  }
  return answer(std::move(rows));
}

}  // namespace podswitch
