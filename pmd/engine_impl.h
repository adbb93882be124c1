// SPDX-License-Identifier: Apache-2.0
// Inside of Engine: what it owns, in the order in which it must be taken down. Only engine*.cpp include it.
#pragma once

#include <rte_cycles.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "pmd/assignment.h"
#include "pmd/eal.h"
#include "pmd/engine.h"
#include "pmd/flow_keeper.h"
#include "pmd/flow_memory.h"
#include "pmd/housekeeping.h"
#include "pmd/pod_mtu.h"
#include "pmd/publisher.h"
#include "pmd/revision.h"
#include "pmd/router_advertiser.h"
#include "pmd/service_planner.h"
#include "pmd/worker.h"
#include "switch/fragment_table.h"

namespace podswitch {

using PortSlots = std::map<std::string, std::shared_ptr<PortSlot>>;  // by name

class Engine::Impl final : public PortHost {
 public:
  explicit Impl(const EngineOptions& options);
  ~Impl() override;

  rte_mempool& pool() noexcept override { return eal_.pool(); }
  void wake_workers() noexcept override;
  void wait_for_workers() noexcept override { publisher_.synchronize(); }

  struct Prepared;
  std::unique_ptr<Engine::Change> prepare(const DesiredState& next, OpenPolicy policy);
  uint64_t commit(std::unique_ptr<Engine::Change> change);
  void discard(const PortSpec& spec);

  SwitchStatus status() const;
  std::vector<PortStatus> ports() const;
  std::vector<WorkerStatus> workers() const;
  std::vector<FdbEntry> fdb(const FdbFilter& filter, size_t limit) const;
  std::vector<NeighbourStatus> neighbours();
  std::vector<RouteStatus> routes(const std::string& network, size_t limit) const;
  std::vector<OffloadStatus> offloads() const;
  std::map<std::string, std::vector<NodeWay>> node_ways();
  std::vector<ServiceStatus> services(const ServiceFilter& filter, size_t limit) const;
  std::shared_ptr<const ServiceSpec> service(const ObjectName& name) const;
  std::vector<ObjectName> service_names(size_t limit) const;
  std::vector<ServicePortStatus> service_ports(const ObjectName& name) const;
  std::vector<ServiceChoice> service_choices(const ObjectName& name, const IpAddress& client,
                                             uint16_t client_port) const;
  std::vector<ServicePlanner::Clash> service_clashes(size_t limit) const;
  size_t flush_fdb(const FdbFilter& filter);
  FlowPage flows(const FlowFilter& filter, FlowSlot from, size_t limit) const;
  FlowFlush flush_flows(const FlowFilter& filter, FlowSlot from);
  bool workers_make_progress() const { return housekeeping_.workers_make_progress(); }

 private:
  // What the remote FDB is about.
  struct Stretch {
    std::set<Fid> fids;
    std::map<NextHopId, IpAddress> vteps;  // by the next hop that leads there
    std::map<uint64_t, NextHopId> fixed;   // static entries by FDB key
    friend bool operator==(const Stretch&, const Stretch&) = default;
  };
  void adopt_flows();
  FlowTableStatus flow_table_status() const;
  std::string service_of(ServiceId id) const;
  using ServiceNames = std::unordered_map<ServiceId, std::string>;
  const std::string& name_of(ServiceId id, ServiceNames& names) const;
  Stretch stretch_of(const Routing& routing);
  std::shared_ptr<PortSlot> open_slot(PortId id, const PortSpec& spec, OpenPolicy policy);
  PortId free_port_id(const std::set<PortId>& taken) const;
  void reserve_fids(const PortSlots& slots, const Networks& networks);
  std::unique_ptr<Revision> compile(const PortSlots& slots, const Assignment& assignment,
                                    const Routing& routing);
  Routing plan_routes(const PortSlots& slots);
  void publish(const PortSlots& slots, const Assignment& assignment);
  void follow_services(const std::shared_ptr<const ServicePlanner::Plan>& plan);
  using FlowCounts = std::unordered_map<ServiceId, std::map<Backend, uint64_t>>;
  bool has_flows() const;
  FlowCounts count_flows(const std::vector<ServiceId>& wanted) const;
  void name_adopted_flows();
  void make_room_for_counts();
  std::optional<ServiceFigures> figures_of_service(ServiceId id, const FlowCounts& counts) const;
  std::vector<ServiceEndpointStatus> service_endpoints(const ServiceEntry& entry, const PlannedPort& port,
                                                       const FlowCounts& counts) const;
  void warn_about_mtus(const PortSlots& old_slots, const PodMtus& old);
  void advertise_to(const PortSlots& slots);
  void settle(const PortSlots& old_slots, const PortSlots& next_slots);
  void follow_stretch(const Routing& routing);
  void write_remote_fdb(const Stretch& before, const Stretch& now);
  void add_remote_entries(const FdbFilter& filter, size_t limit, std::vector<FdbEntry>& entries) const;
  size_t flush_remote(const FdbFilter& filter);
  void add_static_entries(const Port& port);
  PortFigures raw_figures(PortId id) const;
  PortFigures figures_of(const Port& port) const;

  const EngineOptions options_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  Eal eal_;
  Fdb fdb_;
  RemoteFdb remote_fdb_;
  NeighbourTable neighbours_;  // behind tunnels
  NextHopTable next_hops_;
  NeighbourTable link_hosts_{{.capacity = 16384}};
  Publisher publisher_;
  std::atomic<uint32_t> clock_seconds_{1};
  const std::unique_ptr<SpreadMesh> mesh_;  // nullptr: workers hand nothing over
  FragmentTable fragments_{{}};
  FlowMemory flow_memory_;
  FlowTable flows_;
  std::atomic<uint32_t> ip_ids_{static_cast<uint32_t>(rte_rdtsc())};  // begins anywhere
  std::vector<std::unique_ptr<Worker>> workers_;

  Nodes nodes_;                   // configuration thread
  StaticRoutes static_routes_;    // configuration thread
  Networks networks_;             // configuration thread
  RemoteEntries remote_entries_;  // configuration thread

  // Written by the configuration thread under the lock, read by listings under it.
  mutable std::mutex mutex_;
  RoutePlanner planner_;
  std::map<std::string, std::shared_ptr<const Lpm>> route_tables_;  // of the last plan
  uint32_t routes_version_ = 1;
  ServicePlanner service_planner_;
  uint32_t counted_services_ = 0;    // configuration thread
  bool has_nameless_flows_ = false;  // configuration thread
  bool told_of_gateway_ = false;     // configuration thread
  FidMap fids_;
  PortSlots slots_;
  Stretch stretch_;
  Assignment assignment_;
  uint64_t revision_ = 0;
  PodMtus pod_mtus_;
  // Figures that a former port of the same id has left behind, so that a new one starts at 0.
  std::map<PortId, PortFigures> baseline_;

  Underlay underlay_;            // housekeeping thread
  RouterAdvertiser advertiser_;  // housekeeping thread
  FlowKeeper flow_keeper_;       // housekeeping thread
  Housekeeping housekeeping_;
};

}  // namespace podswitch
