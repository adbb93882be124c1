// SPDX-License-Identifier: Apache-2.0
// Services: following the desired ones, and listing what became of them.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pmd/engine_impl.h"
#include "pmd/log.h"

namespace podswitch {
namespace {

bool holds(const ServiceTable& table, const Frontend& frontend, const Service& service) {
  return table.find(frontend.ip, static_cast<uint8_t>(frontend.protocol), frontend.port).service == &service;
}

std::vector<uint32_t> entries_by_backend(const Service& service) {
  std::vector<uint32_t> counts(service.backends.size());
  if (service.choice)
    for (const uint16_t entry : service.choice->entries()) ++counts[entry];
  return counts;
}

// Once for each address, ready where one of its mentions is.
void count_endpoints(const ServiceEntry& entry, ServiceStatus& status) {
  std::vector<std::pair<IpAddress, bool>> addresses;
  for (const auto& slice : entry.slices)
    for (const Endpoint& endpoint : slice->endpoints) addresses.emplace_back(endpoint.ip, !endpoint.ready);
  std::sort(addresses.begin(), addresses.end());
  for (size_t i = 0; i < addresses.size(); ++i) {
    if (i > 0 && addresses[i].first == addresses[i - 1].first) continue;
    ++status.endpoints;
    status.ready += addresses[i].second ? 0 : 1;
  }
}

void add(std::optional<ServiceFigures>& sum, const std::optional<ServiceFigures>& figures) {
  if (!figures) return;
  if (!sum) sum.emplace();
  sum->connections += figures->connections;
  sum->packets += figures->packets;
  sum->bytes += figures->bytes;
}

}  // namespace

// What packets did with a service port. Connections come from a walk over all flows, which is made once for a
// listing.
std::optional<ServiceFigures> Engine::Impl::figures_of_service(ServiceId id, const FlowCounts& counts) const {
  ServiceFigures figures;
  for (const auto& worker : workers_)
    if (const ServiceCount* count = worker->service_counters().find(id)) {
      figures.packets += count->packets.get();
      figures.bytes += count->bytes.get();
    }
  if (const auto counted = counts.find(id); counted != counts.end()) {
    figures.backend_connections = counted->second;
    for (const auto& [backend, connections] : counted->second) figures.connections += connections;
  }
  return figures;
}

// Before packets can name a service port, each worker has a place to count it.
void Engine::Impl::make_room_for_counts() {
  constexpr uint32_t kStep = 1024;
  for (const auto& worker : workers_)
    for (uint32_t index = counted_services_; index < service_planner_.index_bound() + kStep; index += kStep)
      worker->service_counters().make_room(std::min(index, kMaxServicePorts - 1));
  counted_services_ = service_planner_.index_bound() / kStep * kStep;
}

// Said once, when there are more than there were.
void Engine::Impl::follow_services(const std::shared_ptr<const ServicePlanner::Plan>& plan) {
  const size_t before = service_planner_.clash_count();
  {
    const std::scoped_lock lock(mutex_);
    service_planner_.commit(plan);
  }
  make_room_for_counts();
  if (!service_planner_.table()->empty() && options_.gateway.ips.empty() &&
      !std::exchange(told_of_gateway_, true))
    log::warning(
        "Services are reached by the gateway, and there is none: set pods.gateway, and pods' routes to it");
  if (has_nameless_flows_ && !service_planner_.table()->empty()) name_adopted_flows();
  if (service_planner_.clash_count() <= before) return;
  const ServicePlanner::Clash clash = service_planner_.clashes(1).front();
  log::warning(
      "{} addresses and ports are claimed by more than one service, such as {} {}: {}/{} has it, "
      "{}/{} does not get it",
      service_planner_.clash_count(), clash.frontend.ip.to_string(), clash.frontend.port,
      clash.holder.service.space, clash.holder.service.name, clash.claimant.service.space,
      clash.claimant.service.name);
}

std::vector<ServiceStatus> Engine::Impl::services(const ServiceFilter& filter, size_t limit) const {
  std::vector<ServiceStatus> list;
  std::vector<ServiceId> ids;
  for (const auto& [name, entry] : service_planner_.services()) {
    if (list.size() >= limit) break;
    if (!entry.spec || (!filter.space.empty() && filter.space != name.space)) continue;
    ServiceStatus status{entry.spec, 0, 0, std::nullopt};
    count_endpoints(entry, status);
    for (const PlannedPort& port : service_planner_.ports_of(name)) ids.push_back(port.service->id);
    list.push_back(std::move(status));
  }
  const FlowCounts counts = count_flows(ids);
  for (ServiceStatus& status : list)
    for (const PlannedPort& port : service_planner_.ports_of(status.spec->name))
      add(status.figures, figures_of_service(port.service->id, counts));
  return list;
}

std::shared_ptr<const ServiceSpec> Engine::Impl::service(const ObjectName& name) const {
  const auto entry = service_planner_.services().find(name);
  return entry == service_planner_.services().end() ? nullptr : entry->second.spec;
}

std::vector<ObjectName> Engine::Impl::service_names(size_t limit) const {
  std::vector<ObjectName> names;
  for (const auto& [name, entry] : service_planner_.services())
    if (entry.spec && names.size() < limit) names.push_back(name);
  return names;
}

std::vector<ServiceEndpointStatus> Engine::Impl::service_endpoints(const ServiceEntry& entry,
                                                                   const PlannedPort& port,
                                                                   const FlowCounts& counts) const {
  const std::vector<Backend>& backends = port.service->backends;
  const std::vector<uint32_t> entries = entries_by_backend(*port.service);
  const auto figures = figures_of_service(port.service->id, counts);
  std::map<Backend, ServiceEndpointStatus> rows;
  for (const auto& [backend, endpoint] : endpoints_of(entry, port.key)) {
    const auto [row, is_new] = rows.try_emplace(backend);
    if (!is_new && (row->second.ready || !endpoint->ready)) continue;  // a ready mention tells more
    ServiceEndpointStatus& status = row->second;
    status = {backend, endpoint->node, endpoint->ready, endpoint->serving, endpoint->terminating, 0,
              {},      false};
    const auto chosen = std::lower_bound(backends.begin(), backends.end(), backend);
    if (chosen != backends.end() && *chosen == backend)
      status.entries = entries[static_cast<size_t>(chosen - backends.begin())];
    if (!figures) continue;
    const auto counted = figures->backend_connections.find(backend);
    status.connections = counted != figures->backend_connections.end() ? counted->second : 0;
  }
  // Of endpoints that are no more, those that still have connections.
  if (figures)
    for (const auto& [backend, connections] : figures->backend_connections) {
      const auto [row, is_gone] = rows.try_emplace(backend);
      if (is_gone) row->second = {backend, "", false, false, false, 0, connections, true};
    }
  std::vector<ServiceEndpointStatus> list;
  for (auto& [backend, row] : rows) list.push_back(std::move(row));
  return list;
}

std::vector<ServicePortStatus> Engine::Impl::service_ports(const ObjectName& name) const {
  std::vector<ServicePortStatus> list;
  const auto entry = service_planner_.services().find(name);
  if (entry == service_planner_.services().end()) return list;
  std::vector<ServiceId> ids;
  for (const PlannedPort& port : service_planner_.ports_of(name)) ids.push_back(port.service->id);
  const FlowCounts counts = count_flows(ids);
  for (const PlannedPort& port : service_planner_.ports_of(name)) {
    ServicePortStatus status;
    status.key = port.key;
    status.id = port.service->id;
    for (const Frontend& frontend : port.frontends)
      status.frontends.push_back({frontend, holds(*service_planner_.table(), frontend, *port.service)});
    status.table_size = port.service->choice ? port.service->choice->size() : 0;
    status.endpoints = service_endpoints(entry->second, port, counts);
    status.figures = figures_of_service(port.service->id, counts);
    list.push_back(std::move(status));
  }
  return list;
}

std::vector<ServiceChoice> Engine::Impl::service_choices(const ObjectName& name, const IpAddress& client,
                                                         uint16_t client_port) const {
  std::vector<ServiceChoice> list;
  for (const PlannedPort& port : service_planner_.ports_of(name)) {
    if (port.key.is_v4 != client.is_v4()) continue;
    for (const Frontend& frontend : port.frontends) {
      ServiceChoice choice;
      choice.frontend = frontend;
      choice.port_name = port.key.name;
      choice.is_held = holds(*service_planner_.table(), frontend, *port.service);
      choice.hash = choice_hash(client, client_port, frontend);
      if (const Maglev* const table = port.service->choice.get(); table != nullptr && choice.is_held) {
        choice.table_size = table->size();
        choice.entry = static_cast<uint32_t>(table->place_of(choice.hash) - table->entries().data());
        choice.backend = port.service->backends[table->choose(choice.hash)];
        for (const auto& [backend, endpoint] : endpoints_of(service_planner_.services().at(name), port.key))
          if (backend == *choice.backend && !endpoint->node.empty()) choice.node = endpoint->node;
      }
      list.push_back(std::move(choice));
    }
  }
  return list;
}

std::vector<ServicePlanner::Clash> Engine::Impl::service_clashes(size_t limit) const {
  return service_planner_.clashes(limit);
}

}  // namespace podswitch
