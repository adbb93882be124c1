// SPDX-License-Identifier: Apache-2.0
#include "pmd/service_planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pmd/error.h"
#include "pmd/service_draft.h"

namespace podswitch {
namespace {

const PlannedPort* find_port(std::span<const PlannedPort> ports, const ServicePortKey& key) {
  const auto found =
      std::lower_bound(ports.begin(), ports.end(), key,
                       [](const PlannedPort& port, const ServicePortKey& k) { return port.key < k; });
  return found != ports.end() && found->key == key ? &*found : nullptr;
}

const PlannedPort* find_port(std::span<const PlannedPort> ports, ServiceId id) {
  const auto found = std::find_if(ports.begin(), ports.end(),
                                  [&](const PlannedPort& port) { return port.service->id == id; });
  return found != ports.end() ? &*found : nullptr;
}

bool claims(const PlannedPort& port, const Frontend& frontend) {
  return std::binary_search(port.frontends.begin(), port.frontends.end(), frontend);
}

}  // namespace

ServicePlanner::Draft::Draft(ServicePlanner& planner, const Services& next) : planner_(planner) {
  plan_->base = planner.commits_;
  plan_->services = next;
  plan_->waiting = planner.waiting_;
  plan_->filter = planner.filter_;
  Services::for_each_difference(
      planner.services_, next,
      [&](const ObjectName& name, const ServiceEntry*, const ServiceEntry* after) { look_at(name, after); });
}

void ServicePlanner::Draft::look_at(const ObjectName& name, const ServiceEntry* next) {
  Plan::Update update{name, nullptr, nullptr};
  if (const auto known = planner_.records_.find(name); known != planner_.records_.end())
    update.before = known->second;
  std::vector<CompiledPort> compiled = next != nullptr ? compile_service(*next) : std::vector<CompiledPort>{};
  if (!update.before && compiled.empty()) return;
  const auto before = update.before ? std::span(*update.before) : std::span<const PlannedPort>{};
  if (!compiled.empty()) {
    const auto after = std::make_shared<Ports>();
    after->reserve(compiled.size());
    for (CompiledPort& port : compiled) {
      const PlannedPort* const known = find_port(before, port.key);
      after->push_back(plan_port(name, std::move(port), known));
    }
    add_endpoints(*next, *after);
    update.after = after;
  }
  for (const PlannedPort& port : before)
    if (!update.after || find_port(*update.after, port.key) == nullptr)
      plan_->ids.given_back.push_back(port.service->id);
  plan_->updates.push_back(std::move(update));
}

PlannedPort ServicePlanner::Draft::plan_port(const ObjectName& name, CompiledPort&& compiled,
                                             const PlannedPort* before) {
  PlannedPort port{std::move(compiled.key), std::move(compiled.frontends), nullptr};
  if (before != nullptr && before->service->backends == compiled.backends) {
    port.service = before->service;
    return port;
  }
  const auto refuse = [&](const std::string& why) {
    throw Error(fmt::format("service {}/{}: port {}", name.space, name.name, port.key.port), why);
  };
  if (compiled.backends.size() > kMaxBackends)
    refuse(
        fmt::format("{} endpoints are more than the {} of a port", compiled.backends.size(), kMaxBackends));
  const ServiceId id = before != nullptr ? before->service->id : planner_.ids_.take(plan_->ids);
  if (id == kNoService)
    refuse(
        fmt::format("no number is left for it: the ports of all services are at most {}, counted for "
                    "each address family",
                    kMaxServicePorts));
  auto choice = planner_.choices_.get(compiled.backends);
  if (before != nullptr && before->service->choice && choice &&
      before->service->choice->size() != choice->size())
    ++plan_->ladder_steps;
  port.service =
      std::make_shared<const Service>(Service{id, std::move(choice), std::move(compiled.backends)});
  return port;
}

// Bits that a dropped plan has set in the filter in use do no harm.
void ServicePlanner::Draft::add_endpoints(const ServiceEntry& entry, const Ports& ports) {
  if (planner_.filter_added_ > planner_.filter_->capacity()) return;  // it will be replaced
  for (const PlannedPort& port : ports)
    for (const PortEndpoint& endpoint : endpoints_of(entry, port.key))
      planner_.filter_added_ +=
          planner_.filter_->add(endpoint.backend.ip, port.key.protocol, endpoint.backend.port) ? 1 : 0;
}

void ServicePlanner::Draft::replace_filter() {
  std::vector<std::pair<Backend, Protocol>> endpoints;
  for (const auto& [name, entry] : plan_->services)
    for (const CompiledPort& port : compile_service(entry))
      for (const PortEndpoint& endpoint : endpoints_of(entry, port.key))
        endpoints.emplace_back(endpoint.backend, port.key.protocol);
  plan_->filter = std::make_shared<EndpointFilter>(2 * endpoints.size());
  for (const auto& [backend, protocol] : endpoints)
    plan_->filter_added += plan_->filter->add(backend.ip, protocol, backend.port) ? 1 : 0;
}

void ServicePlanner::Draft::collect_claims() {
  for (const Plan::Update& update : plan_->updates) {
    const auto before = update.before ? std::span(*update.before) : std::span<const PlannedPort>{};
    const auto after = update.after ? std::span(*update.after) : std::span<const PlannedPort>{};
    for (const PlannedPort& port : after) {
      const PlannedPort* const known = find_port(before, port.key);
      if (known != nullptr && known->service == port.service && known->frontends == port.frontends) continue;
      for (const Frontend& frontend : port.frontends) claims_.push_back({frontend, &update.name, &port});
    }
    for (const PlannedPort& port : before) {
      const PlannedPort* const still = find_port(after, port.key);
      for (const Frontend& frontend : port.frontends)
        if (still == nullptr || !claims(*still, frontend)) touched_.push_back(frontend);
    }
  }
  std::sort(claims_.begin(), claims_.end());
  for (const Claim& claim : claims_) touched_.push_back(claim.frontend);
  std::sort(touched_.begin(), touched_.end());
  touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
}

// As it is in this plan; without a port when it claims this no more.
ServicePlanner::Draft::Claim ServicePlanner::Draft::claim_of(ServiceId id, const Frontend& frontend) const {
  const Records::value_type& record = *planner_.by_index_[index_of(id)];
  const auto update =
      std::lower_bound(plan_->updates.begin(), plan_->updates.end(), record.first,
                       [](const Plan::Update& entry, const ObjectName& name) { return entry.name < name; });
  const bool is_changed = update != plan_->updates.end() && update->name == record.first;
  const Ports* const ports = is_changed ? update->after.get() : record.second.get();
  const PlannedPort* const port = ports != nullptr ? find_port(*ports, id) : nullptr;
  return {frontend, &record.first, port != nullptr && claims(*port, frontend) ? port : nullptr};
}

// `claims`: those of `frontend` among claims_.
void ServicePlanner::Draft::resolve(const Frontend& frontend, std::span<const Claim> claims) {
  const auto protocol = static_cast<uint8_t>(frontend.protocol);
  const Service* const held = planner_.table_->find(frontend.ip, protocol, frontend.port).service;
  const auto waiting = plan_->waiting.find(frontend);
  Claim winner;
  if (held != nullptr) winner = claim_of(held->id, frontend);
  std::vector<Claim> others(claims.begin(), claims.end());
  if (waiting != plan_->waiting.end()) {
    for (const ServiceId id : waiting->second)
      if (const Claim claim = claim_of(id, frontend); claim.port != nullptr) others.push_back(claim);
    plan_->waiting.erase(waiting);
  }
  std::sort(others.begin(), others.end());
  others.erase(std::unique(others.begin(), others.end(),
                           [](const Claim& a, const Claim& b) { return a.port == b.port; }),
               others.end());
  if (winner.port == nullptr && !others.empty()) winner = others.front();
  std::erase_if(others, [&](const Claim& claim) { return claim.port == winner.port; });
  if (!others.empty()) {
    std::vector<ServiceId>& ids = plan_->waiting[frontend];
    for (const Claim& claim : others) ids.push_back(claim.port->service->id);
  }
  const std::shared_ptr<const Service> next = winner.port != nullptr ? winner.port->service : nullptr;
  if (next.get() != held) changes_.push_back({frontend, next});
}

std::shared_ptr<const ServicePlanner::Plan> ServicePlanner::Draft::finish() {
  collect_claims();
  auto claim = claims_.begin();
  for (const Frontend& frontend : touched_) {
    const auto end =
        std::find_if(claim, claims_.end(), [&](const Claim& c) { return c.frontend != frontend; });
    resolve(frontend, std::span(claim, end));
    claim = end;
  }
  if (planner_.filter_added_ > planner_.filter_->capacity()) replace_filter();
  const bool is_same = changes_.empty() && plan_->filter == planner_.filter_;
  plan_->table = is_same ? planner_.table_ : planner_.table_->with(changes_, plan_->filter);
  return plan_;
}

ServicePlanner::ServicePlanner()
    : table_(std::make_shared<const ServiceTable>()), filter_(std::make_shared<EndpointFilter>(1024)) {}
ServicePlanner::~ServicePlanner() = default;

std::shared_ptr<const ServicePlanner::Plan> ServicePlanner::prepare(const Services& next) {
  return Draft(*this, next).finish();
}

void ServicePlanner::commit(const std::shared_ptr<const Plan>& plan) {
  if (plan->base != commits_) return commit(prepare(plan->services));
  ++commits_;
  ids_.commit(plan->ids);
  by_index_.resize(ids_.bound());
  for (const Plan::Update& update : plan->updates)
    update_names(update.name, update.before.get(), update.after);
  services_ = plan->services;
  waiting_ = plan->waiting;
  table_ = plan->table;
  if (filter_ != plan->filter) {
    filter_ = plan->filter;
    filter_added_ = plan->filter_added;
  }
  ladder_steps_ += plan->ladder_steps;
}

void ServicePlanner::update_names(const ObjectName& name, const Ports* before,
                                  const std::shared_ptr<const Ports>& after) {
  if (before != nullptr)
    for (const PlannedPort& port : *before) by_index_[index_of(port.service->id)] = nullptr;
  if (!after) {
    records_.erase(name);
    return;
  }
  const auto record = records_.insert_or_assign(name, after).first;
  for (const PlannedPort& port : *after) by_index_[index_of(port.service->id)] = &*record;
}

std::span<const PlannedPort> ServicePlanner::ports_of(const ObjectName& name) const {
  const auto record = records_.find(name);
  return record != records_.end() ? std::span(*record->second) : std::span<const PlannedPort>{};
}

std::optional<ServicePlanner::Named> ServicePlanner::name_of(ServiceId id) const {
  if (index_of(id) >= by_index_.size() || by_index_[index_of(id)] == nullptr) return std::nullopt;
  const auto& [name, ports] = *by_index_[index_of(id)];
  const PlannedPort* const port = find_port(*ports, id);
  return port != nullptr ? std::optional(Named{name, port->key}) : std::nullopt;
}

std::vector<ServicePlanner::Clash> ServicePlanner::clashes(size_t limit) const {
  std::vector<Clash> clashes;
  for (const auto& [frontend, ids] : waiting_) {
    const auto protocol = static_cast<uint8_t>(frontend.protocol);
    const ServiceId holder = table_->find(frontend.ip, protocol, frontend.port).service->id;
    for (const ServiceId id : ids) {
      if (clashes.size() >= limit) return clashes;
      clashes.push_back({frontend, name_of(holder).value(), name_of(id).value()});
    }
  }
  return clashes;
}

}  // namespace podswitch
