// SPDX-License-Identifier: Apache-2.0
// neighbour list.
#include "ctl/commands/run.h"
#include "ctl/controller.h"

namespace podswitch {

Answer DaemonCommands::neighbour_list(const Call&) {
  nlohmann::json rows = nlohmann::json::array();
  for (const NeighbourStatus& neighbour : controller_.engine().neighbours()) {
    nlohmann::json row{
        {"ip", neighbour.ip.to_string()}, {"mac", nullptr}, {"next_hops", neighbour.next_hops}};
    if (neighbour.mac) {
      row["mac"] = neighbour.mac->to_string();
      row["age_seconds"] = neighbour.age_seconds;
    }
    rows.push_back(std::move(row));
  }
  return {controller_.revision(), std::move(rows)};
}

}  // namespace podswitch
