// SPDX-License-Identifier: Apache-2.0
// Services: following the desired ones, and listing what became of them.
#include <fmt/format.h>

#include <algorithm>

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

// What packets did with a service port. Nothing counts it yet: the flow table will.
std::optional<ServiceFigures> Engine::Impl::figures_of_service(ServiceId) const {
  return std::nullopt;
}

// Said once, when there are more than there were.
void Engine::Impl::follow_services(const std::shared_ptr<const ServicePlanner::Plan>& plan) {
  const size_t before = service_planner_.clash_count();
  {
    const std::scoped_lock lock(mutex_);
    service_planner_.commit(plan);
  }
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
  for (const auto& [name, entry] : service_planner_.services()) {
    if (list.size() >= limit) break;
    if (!entry.spec || (!filter.space.empty() && filter.space != name.space) ||
        (!filter.name.empty() && filter.name != name.name))
      continue;
    ServiceStatus status{entry.spec, 0, 0, std::nullopt};
    count_endpoints(entry, status);
    for (const PlannedPort& port : service_planner_.ports_of(name))
      add(status.figures, figures_of_service(port.service->id));
    list.push_back(std::move(status));
  }
  return list;
}

std::vector<ServiceEndpointStatus> Engine::Impl::service_endpoints(const ServiceEntry& entry,
                                                                   const PlannedPort& port) const {
  const std::vector<Backend>& backends = port.service->backends;
  const std::vector<uint32_t> entries = entries_by_backend(*port.service);
  const auto figures = figures_of_service(port.service->id);
  std::map<Backend, ServiceEndpointStatus> rows;
  for (const auto& [backend, endpoint] : endpoints_of(entry, port.key)) {
    const auto [row, is_new] = rows.try_emplace(backend);
    if (!is_new && (row->second.ready || !endpoint->ready)) continue;  // a ready mention tells more
    ServiceEndpointStatus& status = row->second;
    status = {backend, endpoint->node, endpoint->ready, endpoint->serving, endpoint->terminating, 0, {}};
    const auto chosen = std::lower_bound(backends.begin(), backends.end(), backend);
    if (chosen != backends.end() && *chosen == backend)
      status.entries = entries[static_cast<size_t>(chosen - backends.begin())];
    if (!figures) continue;
    const auto counted = figures->backend_connections.find(backend);
    status.connections = counted != figures->backend_connections.end() ? counted->second : 0;
  }
  std::vector<ServiceEndpointStatus> list;
  for (auto& [backend, row] : rows) list.push_back(std::move(row));
  return list;
}

std::vector<ServicePortStatus> Engine::Impl::service_ports(const ObjectName& name) const {
  std::vector<ServicePortStatus> list;
  const auto entry = service_planner_.services().find(name);
  if (entry == service_planner_.services().end()) return list;
  for (const PlannedPort& port : service_planner_.ports_of(name)) {
    ServicePortStatus status;
    status.key = port.key;
    status.id = port.service->id;
    for (const Frontend& frontend : port.frontends)
      status.frontends.push_back({frontend, holds(*service_planner_.table(), frontend, *port.service)});
    status.table_size = port.service->choice ? port.service->choice->size() : 0;
    status.endpoints = service_endpoints(entry->second, port);
    status.figures = figures_of_service(port.service->id);
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
