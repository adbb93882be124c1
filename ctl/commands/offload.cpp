// SPDX-License-Identifier: Apache-2.0
// offload list.
#include "ctl/commands/run.h"
#include "ctl/controller.h"

namespace podswitch {

Answer DaemonCommands::offload_list(const Call&) {
  nlohmann::json rows = nlohmann::json::array();
  for (const OffloadStatus& offload : controller_.engine().offloads()) {
    nlohmann::json row{{"port", offload.port},
                       {"offload", offload.offload},
                       {"where", offload.in_nic ? "nic" : "software"},
                       {"rules", offload.rules},
                       {"packets", nullptr},
                       {"reason", nullptr}};
    if (offload.packets) row["packets"] = *offload.packets;
    if (!offload.reason.empty()) row["reason"] = offload.reason;
    rows.push_back(std::move(row));
  }
  return answer(std::move(rows));
}

}  // namespace podswitch
