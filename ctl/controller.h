// SPDX-License-Identifier: Apache-2.0
// What the node should do: the ports of the config file, those of the journal, and the changes that come by
// the control socket. Each change is computed, tried on the engine, journalled, and only then published.
// Configuration thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "ctl/desired.h"
#include "ctl/host/host_routes.h"
#include "ctl/journal.h"
#include "ctl/request_handler.h"
#include "pmd/engine.h"

namespace podswitch {

struct ControllerOptions {
  std::string node_name;
  std::vector<PortSpec> static_ports;  // of the config file: they win over journalled ones, no command
  Pins static_pins;                    // removes or moves them
  Gateway gateway;                     // its addresses may be no port's
  std::string state_directory = {};
  OverlayOptions overlay = {};    // the pods of its network are reached by the host and by other nodes
  Networks static_networks = {};  // of the config file
  std::vector<Prefix> service_cidrs = {};  // the host's packets to these go to the switch
};

class Controller final : public RequestHandler {
 public:
  Controller(Engine& engine, Journal& journal, ControllerOptions options);

  // Opens the static and the journalled ports, also those whose other half is missing as yet.
  void start();

  // RequestHandler
  Answer call(const Caller& caller, const std::string& command, const nlohmann::json& arguments) override;
  TakenObject read_object(const nlohmann::json& object) const override;
  Answer apply(const Caller& caller, const std::vector<TakenObject>& objects,
               const CommitOptions& options) override;

  void tick() override { report(host_routes_.refresh()); }

  // What the commands are made of. They throw Error, and then nothing has changed.
  struct Outcome {
    uint64_t revision = 0;
    bool changed = false;  // false: it was so already
  };
  Outcome add_port(const Caller& caller, const PortSpec& spec);
  uint64_t remove_ports(const Caller& caller, const std::vector<std::string>& names);
  Outcome assign(const Caller& caller, const QueueName& queue, unsigned core);

  Outcome add_node(const Caller& caller, const ClusterNode& node);  // paths are the options of `node add`
  uint64_t remove_nodes(const Caller& caller, const std::vector<std::string>& names);
  Outcome add_route(const Caller& caller, const StaticRoute& route);
  uint64_t remove_routes(const Caller& caller, const std::vector<RouteName>& names);
  const StaticRoutes& static_routes() const { return desired_.state.routes; }
  Outcome add_network(const Caller& caller, const std::string& name, uint32_t vni);
  uint64_t remove_networks(const Caller& caller, const std::vector<std::string>& names);
  uint64_t remove_services(const Caller& caller, const std::vector<ObjectName>& names);
  uint64_t remove_slices(const Caller& caller, const std::vector<ObjectName>& names);
  const Services& services() const { return desired_.state.services; }
  const ServiceIndex& service_index() const { return desired_.service_index; }
  const Networks& networks() const { return desired_.state.networks; }
  bool is_static_network(const std::string& name) const { return desired_.static_networks.contains(name); }
  Outcome add_remote_entry(const Caller& caller, const RemoteName& name, const IpAddress& vtep);
  uint64_t remove_remote_entry(const Caller& caller, const RemoteName& name);

  const ClusterNodes& nodes() const { return desired_.nodes; }
  bool is_own(const std::string& node) const { return node == options_.node_name; }

  // Ports of the journal that were left out at the start, and why.
  const std::map<std::string, std::string>& left_out() const { return desired_.left_out; }
  size_t left_out_count() const { return left_out_count_; }  // any thread

  Engine& engine() { return engine_; }
  const ControllerOptions& options() const { return options_; }
  uint64_t revision() const { return revision_; }

 private:
  RoutedNetwork routed() const { return {options_.overlay.network, options_.overlay.vni}; }
  // Where a port's options are in the paths of problems: `paths` of its name, or "ports.NAME".
  using Paths = std::map<std::string, std::string>;
  std::unique_ptr<Engine::Change> prepare_many(const DesiredState& next, OpenPolicy policy,
                                               const Paths& paths = {});
  uint64_t remove_objects(const Caller& caller, const std::vector<ObjectName>& names,
                          void (Draft::*remove)(const ObjectName&), const std::string& kind);
  void follow_host_routes();
  void report(const std::vector<Problem>& problems);
  void commit(const Caller& caller, Draft& draft, const std::string& what,
              std::unique_ptr<Engine::Change> change);

  Engine& engine_;
  Journal& journal_;
  const ControllerOptions options_;
  Desired desired_;
  HostRoutes host_routes_;
  std::string reported_;  // of the host's routes, so that it is said once
  uint64_t revision_ = 0;
  std::atomic<size_t> left_out_count_{0};
};

}  // namespace podswitch
