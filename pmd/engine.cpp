// SPDX-License-Identifier: Apache-2.0
#include "pmd/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pmd/engine_impl.h"
#include "pmd/flow_file.h"
#include "pmd/flow_offload.h"
#include "pmd/log.h"

namespace podswitch {
namespace {

constexpr size_t kMaxNeighbours = 32768;  // answered for without asking the other nodes

BridgePort bridge_port(const Port& port, uint16_t advertised) {
  const PortSpec& spec = port.spec();
  const bool is_uplink = spec.role == PortRole::Uplink;
  // Everybody out there is behind the uplink: its own MAC is where the host is, and not here.
  return {port.id(),
          spec.network,
          spec.vlan,
          is_uplink ? std::nullopt : spec.mac,
          spec.ips,
          spec.mtu,
          is_uplink || spec.allow_spoofing,
          is_uplink,
          advertised};
}

std::unique_ptr<SpreadMesh> make_mesh(const EngineOptions& options) {
  const auto workers = static_cast<unsigned>(options.worker_cores.size());
  if (workers < 2 || options.spread == SpreadPolicy::Off) return nullptr;
  return std::make_unique<SpreadMesh>(workers, options.spread);
}

std::vector<std::unique_ptr<Worker>> make_workers(const EngineOptions& options, Publisher& publisher,
                                                  Fdb& fdb, const RemoteFdb& remote_fdb,
                                                  const NeighbourTable& neighbours,
                                                  const NeighbourTable& link_hosts, rte_mempool& pool,
                                                  const std::atomic<uint32_t>& clock_seconds,
                                                  FragmentTable& fragments, std::atomic<uint32_t>& ip_ids,
                                                  FlowTable& flows, SpreadMesh* mesh) {
  std::vector<std::unique_ptr<Worker>> workers;
  for (unsigned i = 0; i < options.worker_cores.size(); ++i)
    workers.push_back(std::make_unique<Worker>(
        Worker::Setup{i, options.worker_cores[i], options.idle, publisher, fdb, remote_fdb, neighbours,
                      link_hosts, pool, clock_seconds, fragments, ip_ids, flows, mesh}));
  return workers;
}

}  // namespace

struct Engine::Impl::Prepared final : Engine::Change {
  DesiredState state;
  PortSlots slots;  // of the next revision: kept ones and new ones
  std::shared_ptr<const ServicePlanner::Plan> services;
  OpenPolicy policy = OpenPolicy::Strict;
  std::vector<std::shared_ptr<PortSlot>> uncommitted;  // the new ones

  // Dropped: what was made for it goes. A patient one (replay) may have attached to what a former daemon left
  // in use, which stays.
  ~Prepared() override {
    if (policy == OpenPolicy::Strict)
      for (const auto& slot : uncommitted) slot->port->remove();
  }
};

Engine::Impl::Impl(const EngineOptions& options)
    : options_(options),
      eal_(options),
      fdb_(options.fdb),
      remote_fdb_({.capacity = options.fdb.capacity, .aging_seconds = options.fdb.aging_seconds}),
      neighbours_({.capacity = kMaxNeighbours}),
      publisher_(static_cast<unsigned>(options.worker_cores.size())),
      mesh_(make_mesh(options_)),
      flow_memory_(open_flow_memory(options.flows, options.instance, eal_.hugepages())),
      flows_(flow_memory_.table(), {options.flows.capacity, options.flows.timeouts}, flow_memory_.hash()),
      workers_(make_workers(options_, publisher_, fdb_, remote_fdb_, neighbours_, link_hosts_, eal_.pool(),
                            clock_seconds_, fragments_, ip_ids_, flows_, mesh_.get())),
      planner_(options.node_name, options.overlay, options.gateway),
      underlay_(next_hops_, link_hosts_, eal_.pool(),
                [this](PortId port, rte_mbuf* packet) { workers_.front()->inject(port, packet); }),
      advertiser_(eal_.pool(), options.gateway.mac, options.gateway.router_lifetime_seconds(),
                  [this](PortId port, rte_mbuf* packet) { workers_.front()->inject(port, packet); }),
      flow_keeper_(flows_, flow_memory_, Housekeeping::kTick),
      housekeeping_(fdb_, remote_fdb_, neighbours_, options.fdb.aging_seconds, workers_, clock_seconds_,
                    underlay_, publisher_) {
  adopt_flows();
  publish({}, {});
  for (const auto& worker : workers_) worker->start();
  housekeeping_.set_each_tick(
      [this](uint32_t now, std::chrono::nanoseconds elapsed) { flow_keeper_.tick(now, elapsed); });
  housekeeping_.set_each_second([this](uint32_t now) { advertiser_.every_second(now); });
}

Engine::Impl::~Impl() {
  housekeeping_.set_ports({});
  advertise_to({});
  publish({}, {});
  for (const auto& worker : workers_) worker->stop();
  slots_.clear();
}

// The network's number is the first that is given out, so that flows of a former daemon are of the same one.
void Engine::Impl::adopt_flows() {
  const Fid network = fids_.get(options_.overlay.network, 0);
  if (!flow_memory_.has_former_flows()) return;
  const size_t found = flows_.adopt(flow_memory_.clock_shift(clock_seconds_), network);
  has_nameless_flows_ = found != 0;
  log::info("{} flows of a former daemon go on", found);
}

void Engine::Impl::wake_workers() noexcept {
  for (const auto& worker : workers_) worker->wake();
}

PortId Engine::Impl::free_port_id(const std::set<PortId>& taken) const {
  for (PortId id = 0; id < kMaxPorts; ++id)
    if (!taken.contains(id)) return id;
  throw Error("", fmt::format("a switch has at most {} ports", kMaxPorts));
}

std::shared_ptr<PortSlot> Engine::Impl::open_slot(PortId id, const PortSpec& spec, OpenPolicy policy) {
  try {
    return std::make_shared<PortSlot>(open_port(id, spec, *this, policy));
  } catch (const Error& error) {
    throw PortError(spec.name, error);
  }
}

std::unique_ptr<Engine::Change> Engine::Impl::prepare(const DesiredState& next, OpenPolicy policy) {
  auto prepared = std::make_unique<Prepared>();
  prepared->state = next;
  prepared->policy = policy;
  prepared->services = service_planner_.prepare(next.services);
  std::set<PortId> taken;
  for (const auto& [name, slot] : slots_) taken.insert(slot->port->id());
  for (const auto& [name, spec] : next.ports) {
    if (const auto old = slots_.find(name); old != slots_.end() && old->second->port->spec() == *spec) {
      prepared->slots.emplace(name, old->second);
      continue;
    }
    const PortId id = free_port_id(taken);
    const auto slot = open_slot(id, *spec, policy);
    prepared->slots.emplace(name, slot);
    prepared->uncommitted.push_back(slot);
    taken.insert(id);
  }
  reserve_fids(prepared->slots, next.networks);
  return prepared;
}

// What could still be refused when the change is committed is refused now.
void Engine::Impl::reserve_fids(const PortSlots& slots, const Networks& networks) {
  const std::scoped_lock lock(mutex_);
  for (const auto& [name, slot] : slots) {
    const PortSpec& spec = slot->port->spec();
    try {
      for_each_vlan(spec.vlan, [&](uint16_t vlan) { fids_.get(spec.network, vlan); });
    } catch (const std::length_error& error) {
      throw PortError(name, Error("network", error.what()));
    }
  }
  try {
    for (const auto& [name, vni] : networks) fids_.get(name, 0);
  } catch (const std::length_error& error) {
    throw Error("name", error.what());
  }
}

uint64_t Engine::Impl::commit(std::unique_ptr<Engine::Change> change) {
  auto& prepared = dynamic_cast<Prepared&>(*change);
  std::vector<QueueName> queues;
  for (const auto& [name, slot] : prepared.slots)
    for (uint16_t queue = 0; queue < slot->port->spec().queues; ++queue) queues.push_back({name, queue});
  const Assignment next = assign_queues(queues, prepared.state.pins, options_.worker_cores, assignment_);

  // A queue that moves is polled by nobody for one grace period: never by two.
  Assignment between = next;
  std::erase_if(between, [&](const auto& entry) {
    const auto old = assignment_.find(entry.first);
    return old != assignment_.end() && old->second != entry.second;
  });
  const PortSlots old_slots = slots_;
  const auto old_mtus = pod_mtus_;
  nodes_ = prepared.state.nodes;
  static_routes_ = prepared.state.routes;
  networks_ = prepared.state.networks;
  remote_entries_ = prepared.state.remote_entries;
  follow_services(prepared.services);
  if (between.size() != next.size()) publish(prepared.slots, between);
  publish(prepared.slots, next);
  prepared.uncommitted.clear();
  settle(old_slots, prepared.slots);
  warn_about_mtus(old_slots, old_mtus);
  return revision_;
}

void Engine::Impl::discard(const PortSpec& spec) {
  std::set<PortId> taken;
  for (const auto& [name, slot] : slots_) taken.insert(slot->port->id());
  try {
    open_port(free_port_id(taken), spec, *this, OpenPolicy::Patient)->remove();
  } catch (const Error& error) {
    log::warning("port {}: what it left behind may still be there: {}", spec.name, error.what());
  }
}

// Routes, with their next hops already in the table.
Routing Engine::Impl::plan_routes(const PortSlots& slots) {
  std::vector<RoutedPort> ports;
  for (const auto& [name, slot] : slots) ports.push_back({slot->port->id(), &slot->port->spec()});
  RoutePlanner::Plan plan;
  {
    const std::scoped_lock lock(mutex_);
    plan = planner_.plan(ports, nodes_, static_routes_, networks_, fids_);
    pod_mtus_ = PodMtus(ports, plan.ends, options_.overlay, networks_);
  }
  std::vector<NextHopTable::Replaced> replaced;
  housekeeping_.run([&] { replaced = underlay_.set(plan.uplink, plan.hops, clock_seconds_); });
  if (!replaced.empty()) publisher_.synchronize();
  plan.routing.next_hops = &next_hops_;
  // Flows look for their next hops anew. A number is only given to another next hop when a route changes.
  if (plan.routing.tables != route_tables_) {
    route_tables_ = plan.routing.tables;
    if (++routes_version_ == 0) ++routes_version_;
  }
  plan.routing.version = routes_version_;
  // Who still has connections keeps them when the last Service goes.
  if (!service_planner_.table()->empty() || has_flows())
    plan.routing.services = {options_.overlay.network, service_planner_.table()};
  return std::move(plan.routing);
}

std::unique_ptr<Revision> Engine::Impl::compile(const PortSlots& slots, const Assignment& assignment,
                                                const Routing& routing) {
  auto revision = std::make_unique<Revision>();
  revision->number = revision_ + 1;
  std::vector<BridgePort> ports;
  for (const auto& [name, slot] : slots) {
    const Port& port = *slot->port;
    ports.push_back(bridge_port(port, advertised_mtu(port.spec(), options_.gateway, pod_mtus_)));
  }
  revision->snapshot = compile_snapshot(ports, options_.gateway, routing, fids_);
  revision->workers.resize(workers_.size());
  for (unsigned index = 0; index < workers_.size(); ++index) {
    WorkerView& view = revision->workers[index];
    view.routes.resize(kMaxPorts);
    for (const auto& [name, slot] : slots) {
      Port& port = *slot->port;
      const auto queue = static_cast<uint16_t>(index % port.spec().queues);
      const bool shared = workers_.size() > port.spec().queues && !port.send_is_thread_safe();
      view.routes[port.id()] = {&port, shared ? &slot->tx_locks[queue] : nullptr, queue};
    }
  }
  for (const auto& [queue, worker] : assignment) {
    Port& port = *slots.at(queue.port)->port;
    revision->workers[worker].queues.push_back({&port, queue.queue});
    revision->workers[worker].has_uplink |= port.spec().role == PortRole::Uplink;
  }
  for (WorkerView& view : revision->workers)
    view.order = std::make_unique<PollOrder>(static_cast<uint16_t>(view.queues.size()));
  return revision;
}

void Engine::Impl::publish(const PortSlots& slots, const Assignment& assignment) {
  PortSlots old_slots;  // workers use them until publish() returns
  const Routing routing = plan_routes(slots);
  for (const auto& [name, slot] : slots)
    if (FlowOffload* flows = slot->port->flows())
      flows->prepare(tunnel_flows_of(routing, slot->port->spec()));
  {
    const std::scoped_lock lock(mutex_);
    auto revision = compile(slots, assignment, routing);
    revision_ = revision->number;
    old_slots = std::exchange(slots_, slots);
    assignment_ = assignment;
    publisher_.publish(std::move(revision), [this] { wake_workers(); });
  }
  // Buffers of ports that go, and flows of queues that move.
  if (mesh_ != nullptr) mesh_->wait_until_finished();
  for (const auto& [name, slot] : slots)
    if (FlowOffload* flows = slot->port->flows()) flows->settle();
  follow_stretch(routing);
}

// After the grace period: tables follow the new ports, and what has gone is closed.
void Engine::Impl::settle(const PortSlots& old_slots, const PortSlots& next_slots) {
  std::set<PortId> gone;
  std::vector<std::shared_ptr<PortSlot>> removed;
  for (const auto& [name, slot] : old_slots) {
    const auto next = next_slots.find(name);
    if (next != next_slots.end() && next->second == slot) continue;
    gone.insert(slot->port->id());
    removed.push_back(slot);
  }
  std::vector<Port*> ports;
  for (const auto& [name, slot] : next_slots) ports.push_back(slot->port.get());
  housekeeping_.set_ports(ports);
  advertise_to(next_slots);
  housekeeping_.run([&] {
    // No worker posts for a port any more that is not in the revision.
    housekeeping_.drain_learned();
    if (!gone.empty()) fdb_.remove_if([&](const Fdb::Record& record) { return gone.contains(record.port); });
    for (const auto& [name, slot] : next_slots) {
      const auto old = old_slots.find(name);
      if (old == old_slots.end() || old->second != slot) add_static_entries(*slot->port);
    }
  });
  for (const auto& slot : removed) {
    {
      const std::scoped_lock lock(mutex_);
      baseline_[slot->port->id()] = raw_figures(slot->port->id());
    }
    slot->port->remove();
  }
}

// About ports that are new, or all when the pod MTU is.
void Engine::Impl::warn_about_mtus(const PortSlots& old_slots, const PodMtus& old) {
  if (pod_mtus_.routed() != old.routed() && pod_mtus_.routed())
    log::info("the pod MTU is {}", *pod_mtus_.routed());
  for (const auto& [name, slot] : slots_) {
    const PortSpec& spec = slot->port->spec();
    const auto same = old_slots.find(name);
    if (same != old_slots.end() && same->second == slot && pod_mtus_.of(spec) == old.of(spec)) continue;
    if (const std::string hint = mtu_hint(spec, pod_mtus_); !hint.empty())
      log::warning("port {}: {}", name, hint);
  }
}

// Tagged pods are answered when they ask.
void Engine::Impl::advertise_to(const PortSlots& slots) {
  std::vector<RouterAdvertiser::Listener> listeners;
  for (const auto& [name, slot] : slots) {
    const PortSpec& spec = slot->port->spec();
    const uint16_t mtu = advertised_mtu(spec, options_.gateway, pod_mtus_);
    if (mtu != 0 && spec.vlan.mode != VlanMode::Trunk) listeners.push_back({slot->port.get(), mtu});
  }
  housekeeping_.run([&] { advertiser_.set(listeners); });
}

void Engine::Impl::add_static_entries(const Port& port) {
  const PortSpec& spec = port.spec();
  if (!spec.mac || spec.role == PortRole::Uplink) return;
  const auto add = [&](uint16_t vlan) {
    const uint64_t key = fdb_key(spec.mac->as_u64(), fids_.get(spec.network, vlan));
    if (fdb_.add_static(key, port.id()) == Fdb::Outcome::TableFull)
      log::warning("port {}: no room in the FDB for its MAC {}: raise fdb.size", spec.name,
                   spec.mac->to_string());
    remote_fdb_.remove(key);  // it has moved here
  };
  for_each_vlan(spec.vlan, add);
}

Engine::Engine(const EngineOptions& options) : impl_(std::make_unique<Impl>(options)) {}
Engine::~Engine() = default;

std::unique_ptr<Engine::Change> Engine::prepare(const DesiredState& next, OpenPolicy policy) {
  return impl_->prepare(next, policy);
}
uint64_t Engine::commit(std::unique_ptr<Change> change) {
  return impl_->commit(std::move(change));
}
void Engine::discard(const PortSpec& spec) {
  impl_->discard(spec);
}
SwitchStatus Engine::status() const {
  return impl_->status();
}
std::vector<PortStatus> Engine::ports() const {
  return impl_->ports();
}
std::vector<WorkerStatus> Engine::workers() const {
  return impl_->workers();
}
std::vector<FdbEntry> Engine::fdb(const FdbFilter& filter, size_t limit) const {
  return impl_->fdb(filter, limit);
}
std::vector<RouteStatus> Engine::routes(const std::string& network, size_t limit) const {
  return impl_->routes(network, limit);
}

std::vector<NeighbourStatus> Engine::neighbours() const {
  return impl_->neighbours();
}
std::vector<OffloadStatus> Engine::offloads() const {
  return impl_->offloads();
}
std::map<std::string, std::vector<NodeWay>> Engine::node_ways() const {
  return impl_->node_ways();
}
std::vector<ServiceStatus> Engine::services(const ServiceFilter& filter, size_t limit) const {
  return impl_->services(filter, limit);
}
std::shared_ptr<const ServiceSpec> Engine::service(const ObjectName& name) const {
  return impl_->service(name);
}
std::vector<ObjectName> Engine::service_names(size_t limit) const {
  return impl_->service_names(limit);
}
std::vector<ServicePortStatus> Engine::service_ports(const ObjectName& name) const {
  return impl_->service_ports(name);
}
std::vector<ServiceChoice> Engine::service_choices(const ObjectName& name, const IpAddress& client,
                                                   uint16_t client_port) const {
  return impl_->service_choices(name, client, client_port);
}
std::vector<ServicePlanner::Clash> Engine::service_clashes(size_t limit) const {
  return impl_->service_clashes(limit);
}
size_t Engine::flush_fdb(const FdbFilter& filter) {
  return impl_->flush_fdb(filter);
}
FlowPage Engine::flows(const FlowFilter& filter, FlowSlot from, size_t limit) const {
  return impl_->flows(filter, from, limit);
}
FlowFlush Engine::flush_flows(const FlowFilter& filter, FlowSlot from) {
  return impl_->flush_flows(filter, from);
}
bool Engine::workers_make_progress() const {
  return impl_->workers_make_progress();
}

}  // namespace podswitch
