// SPDX-License-Identifier: Apache-2.0
// What the commands do on the daemon's side, one file per noun beside this one. Configuration thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ctl/commands.h"
#include "ctl/request_handler.h"
#include "pmd/engine.h"

namespace podswitch {

class Controller;

struct Call {
  const Caller& caller;
  const nlohmann::json& arguments;  // checked against the row: known keys, right types, nothing missing

  // A text argument, empty when it was not given.
  std::string text(const char* name) const;
  std::vector<std::string> texts(const char* name) const;  // of an argument that may be given several times
};

class DaemonCommands final : public Commands {
 public:
  explicit DaemonCommands(Controller& controller) : controller_(controller) {}

  Answer status(const Call& call) override;
  Answer version(const Call& call) override;
  Answer log_level(const Call& call) override;
  Answer port_add(const Call& call) override;
  Answer port_del(const Call& call) override;
  Answer port_list(const Call& call) override;
  Answer port_show(const Call& call) override;
  Answer node_add(const Call& call) override;
  Answer node_del(const Call& call) override;
  Answer node_list(const Call& call) override;
  Answer node_show(const Call& call) override;
  Answer network_add(const Call& call) override;
  Answer network_del(const Call& call) override;
  Answer network_list(const Call& call) override;
  Answer network_show(const Call& call) override;
  Answer get_nodes(const Call& call) override;
  Answer get_services(const Call& call) override;
  Answer get_endpointslices(const Call& call) override;
  Answer delete_services(const Call& call) override;
  Answer delete_endpointslices(const Call& call) override;
  Answer route_add(const Call& call) override;
  Answer route_del(const Call& call) override;
  Answer route_list(const Call& call) override;
  Answer service_list(const Call& call) override;
  Answer service_show(const Call& call) override;
  Answer service_where(const Call& call) override;
  Answer fdb_add(const Call& call) override;
  Answer fdb_del(const Call& call) override;
  Answer fdb_list(const Call& call) override;
  Answer neighbour_list(const Call& call) override;
  Answer fdb_flush(const Call& call) override;
  Answer conntrack_list(const Call& call) override;
  Answer conntrack_stats(const Call& call) override;
  Answer conntrack_flush(const Call& call) override;
  Answer offload_list(const Call& call) override;
  Answer worker_list(const Call& call) override;
  Answer worker_assign(const Call& call) override;
  Answer drops(const Call& call) override;
  Answer stats(const Call& call) override;

 private:
  Answer answer(nlohmann::json result) const;  // at the present revision

  Controller& controller_;
};

// Finds the row, checks the arguments, runs it. Throws Error.
Answer run_command(Controller& controller, const Caller& caller, const std::string& command,
                   const nlohmann::json& arguments);

// How many rows a list may have: its argument `limit`, checked. Throws Error.
uint64_t row_limit(const Call& call);

// The counters of a port, added to `row`.
void add_figures(nlohmann::json& row, const PortFigures& figures);
// Throw Error under `path` when the switch has no port in this network, or none of this name.
void require_network(const std::vector<PortStatus>& ports, const std::string& name, const char* path);
void require_port(const std::vector<PortStatus>& ports, const std::string& name, const char* path);

}  // namespace podswitch
