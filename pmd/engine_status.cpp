// SPDX-License-Identifier: Apache-2.0
// The listings of Engine: figures summed over workers, tables with their names put back.
#include <rte_cycles.h>
#include <rte_mempool.h>

#include <set>

#include "pmd/engine_impl.h"
#include "pmd/flow_offload.h"

namespace podswitch {
namespace {

void add(PortFigures& sum, const PortCounters& counters) {
  sum.rx_packets += counters.rx_packets.get();
  sum.rx_bytes += counters.rx_bytes.get();
  sum.tx_packets += counters.tx_packets.get();
  sum.tx_bytes += counters.tx_bytes.get();
  for (size_t i = 0; i < kReasonCount; ++i) sum.reasons[i] += counters.reasons[i].get();
}

void subtract(PortFigures& from, const PortFigures& what) {
  from.rx_packets -= what.rx_packets;
  from.rx_bytes -= what.rx_bytes;
  from.tx_packets -= what.tx_packets;
  from.tx_bytes -= what.tx_bytes;
  for (size_t i = 0; i < kReasonCount; ++i) from.reasons[i] -= what.reasons[i];
}

// The underlay's network may have a pod network's.
std::set<const Lpm*> tables_of(const Snapshot& snapshot) {
  std::set<const Lpm*> tables;
  for (const auto& table : snapshot.tables) tables.insert(table.get());
  return tables;
}

}  // namespace

uint64_t PortFigures::dropped() const {
  uint64_t sum = 0;
  for (size_t i = 0; i < kReasonCount; ++i)
    if (kReasons[i].disposition == Disposition::Dropped) sum += reasons[i];
  return sum;
}

PortFigures Engine::Impl::raw_figures(PortId id) const {
  PortFigures sum;
  for (const auto& worker : workers_) add(sum, worker->counters()[id]);
  add(sum, housekeeping_.counters()[id]);
  return sum;
}

PortFigures Engine::Impl::figures_of(const Port& port) const {
  PortFigures figures = raw_figures(port.id());
  if (const auto it = baseline_.find(port.id()); it != baseline_.end()) subtract(figures, it->second);
  figures.rx_errors = port.rx_errors();
  figures.tx_errors = port.tx_errors();
  return figures;
}

SwitchStatus Engine::Impl::status() const {
  const std::scoped_lock lock(mutex_);
  SwitchStatus status;
  status.revision = revision_;
  status.hugepages = eal_.hugepages();
  status.memory_bytes = eal_.memory_bytes();
  const auto up = std::chrono::steady_clock::now() - started_;
  status.uptime_seconds = static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(up).count());
  status.tsc_hz = rte_get_tsc_hz();
  status.pod_mtu = pod_mtus_.routed();
  status.gateway_mac = options_.gateway.mac;
  status.ports = slots_.size();
  status.workers = workers_.size();
  status.fdb_size = fdb_.size();
  status.fdb_capacity = fdb_.capacity();
  status.remote_fdb_size = remote_fdb_.size();
  status.fdb_moves = fdb_.moves();
  for (const Lpm* table : tables_of(*publisher_.current()->snapshot)) {
    status.routes += table->size();
    status.route_bytes += table->memory_bytes();
  }
  status.route_bytes += next_hops_.memory_bytes();
  status.services = service_planner_.size();
  status.service_frontends = service_planner_.table()->size();
  status.service_clashes = service_planner_.clash_count();
  status.ladder_steps = service_planner_.ladder_steps();
  status.fragments = fragments_.count(clock_seconds_);
  status.fragments_capacity = fragments_.capacity();
  for (const auto& worker : workers_) {
    status.learn_queue_full += worker->learn_queue_full();
    status.neighbour_answers += worker->neighbour_answers();
    status.fragments_evicted += worker->fragments_evicted();
    status.fragments_busy += worker->fragments_busy();
  }
  status.flows = flow_table_status();
  status.buffers = eal_.buffers();
  status.buffers_in_use = rte_mempool_in_use_count(&eal_.pool());
  return status;
}

std::vector<PortStatus> Engine::Impl::ports() const {
  const std::scoped_lock lock(mutex_);
  std::vector<PortStatus> ports;
  for (const auto& [name, slot] : slots_) {
    const Port& port = *slot->port;
    std::vector<MemberStatus> members = port.members();
    std::string hint = member_hint(members);
    if (hint.empty()) hint = mtu_hint(port.spec(), pod_mtus_);
    ports.push_back({port.id(), port.spec(), port.state(), std::move(hint), port.state_changes(),
                     port.device_mac(), std::move(members), figures_of(port)});
  }
  return ports;
}

std::vector<WorkerStatus> Engine::Impl::workers() const {
  const std::scoped_lock lock(mutex_);
  const auto samples = housekeeping_.samples();
  std::vector<WorkerStatus> workers(workers_.size());
  for (size_t i = 0; i < workers_.size(); ++i) {
    const WorkerFigures& figures = workers_[i]->figures();
    WorkerStatus& status = workers[i];
    status.core = workers_[i]->core();
    status.busy_share = samples[i].busy_share;
    status.cycles_per_packet = samples[i].cycles_per_packet;
    status.average_burst = samples[i].average_burst;
    status.busy_cycles = figures.busy_cycles.get();
    status.idle_cycles = figures.idle_cycles.get();
    status.sleep_cycles = figures.sleep_cycles.get();
    status.packets = figures.packets.get();
    status.bursts = figures.bursts.get();
    status.sleeps = figures.sleeps.get();
    status.handed_over = workers_[i]->handed_over();
    status.taken_over = figures.taken_over.get();
    status.polls = figures.polls.get();
  }
  for (const auto& [queue, worker] : assignment_) workers[worker].queues.push_back(queue);
  return workers;
}

std::vector<FdbEntry> Engine::Impl::fdb(const FdbFilter& filter, size_t limit) const {
  const std::scoped_lock lock(mutex_);
  std::vector<const Port*> by_id(kMaxPorts);
  for (const auto& [name, slot] : slots_) by_id[slot->port->id()] = slot->port.get();
  std::vector<FdbEntry> entries;
  fdb_.for_each([&](const Fdb::Record& record) {
    const Port* port = record.port < kMaxPorts ? by_id[record.port] : nullptr;
    if (entries.size() >= limit || port == nullptr || record.fid >= fids_.size()) return;
    const auto& [network, vlan] = fids_.name(record.fid);
    if (!filter.network.empty() && filter.network != network) return;
    if (!filter.port.empty() && filter.port != port->spec().name) return;
    if (filter.mac && *filter.mac != record.mac) return;
    const uint32_t now = clock_seconds_;
    const uint32_t age = record.is_static || now < record.last_seen ? 0 : now - record.last_seen;
    entries.push_back({network, vlan, record.mac, port->spec().name, std::nullopt, record.is_static, age});
  });
  add_remote_entries(filter, limit, entries);
  return entries;
}

std::vector<RouteStatus> Engine::Impl::routes(const std::string& network, size_t limit) const {
  const std::scoped_lock lock(mutex_);
  std::vector<RouteStatus> list;
  for (RoutePlanner::Listed& route : planner_.list(network, limit))
    list.push_back({std::move(route.network), route.prefix, std::move(route.next_hop), route.is_static});
  return list;
}

std::vector<NeighbourStatus> Engine::Impl::neighbours() {
  std::vector<NeighbourStatus> list;
  housekeeping_.run([&] {
    for (const Underlay::Neighbour& neighbour : underlay_.neighbours(clock_seconds_))
      list.push_back({neighbour.ip, neighbour.mac, neighbour.age_seconds, neighbour.next_hops});
  });
  return list;
}

std::vector<OffloadStatus> Engine::Impl::offloads() const {
  const std::scoped_lock lock(mutex_);
  std::vector<OffloadStatus> rows;
  for (const auto& [name, slot] : slots_) {
    if (slot->port->spec().role != PortRole::Uplink) continue;
    for (OffloadStatus& row : offloads_of(*slot->port, options_.overlay.encapsulation))
      rows.push_back(std::move(row));
  }
  return rows;
}

size_t Engine::Impl::flush_fdb(const FdbFilter& filter) {
  size_t removed = 0;
  PortId port = kNoPort;
  if (!filter.port.empty()) {
    const auto slot = slots_.find(filter.port);
    if (slot == slots_.end()) return 0;
    port = slot->second->port->id();
  }
  housekeeping_.run([&] {
    removed = fdb_.remove_if([&](const Fdb::Record& record) {
      return !record.is_static && (port == kNoPort || record.port == port) &&
             (!filter.mac || *filter.mac == record.mac) &&
             (filter.network.empty() || filter.network == fids_.name(record.fid).first);
    });
    removed += flush_remote(filter);
  });
  return removed;
}

}  // namespace podswitch
