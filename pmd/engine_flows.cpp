// SPDX-License-Identifier: Apache-2.0
// The engine's flows, as the control side lists and flushes them. Nothing here locks what workers wait for:
// records are read under their sequence, and removing one locks a bucket for a moment, as a worker does.
#include <fmt/format.h>

#include <algorithm>

#include "pmd/engine_impl.h"

namespace podswitch {
namespace {

// Records that one call looks at: some tens of milliseconds of the configuration thread.
constexpr FlowSlot kRecordsPerCall = 1 << 20;

// How long after its start a daemon looks whether new Services are those of flows that it took over.
constexpr uint32_t kSecondsToName = 60;

FlowSlot end_of_call(const FlowTable& flows, FlowSlot from) {
  return static_cast<FlowSlot>(std::min<uint64_t>(uint64_t{from} + kRecordsPerCall, flows.end()));
}

FlowSlot next_of(const FlowTable& flows, FlowSlot at) {
  return at < flows.end() ? at : kNoFlow;
}

}  // namespace

std::string Engine::Impl::service_of(ServiceId id) const {
  const auto named = service_planner_.name_of(id);
  if (!named) return {};
  const std::string& port = named->key.name;
  return fmt::format("{}/{}{}{}", named->service.space, named->service.name, port.empty() ? "" : ":", port);
}

bool Engine::Impl::has_flows() const {
  uint32_t free = 0;
  for (const auto& worker : workers_) free += worker->free_flow_slots();
  return flows_.taken() > free;
}

// A walk over all records: some tens of milliseconds for each million.
Engine::Impl::FlowCounts Engine::Impl::count_flows(const std::vector<ServiceId>& wanted) const {
  FlowCounts counts;
  for (const ServiceId id : wanted) counts[id];
  if (counts.empty()) return counts;
  for (FlowSlot slot = 0; slot < flows_.end(); ++slot) {
    const auto entry = flows_.read(slot, clock_seconds_);
    if (!entry) continue;
    const auto of_service = counts.find(entry->service);
    if (of_service != counts.end()) ++of_service->second[{entry->reply.source(), entry->reply.source_port()}];
  }
  return counts;
}

// Numbers of service ports do not outlive a daemon: its successor gives the flows its own.
void Engine::Impl::name_adopted_flows() {
  has_nameless_flows_ = false;
  for (FlowSlot slot = 0; slot < flows_.end(); ++slot) {
    const uint32_t sequence = flows_.record(slot).sequence.load(std::memory_order_acquire);
    const auto entry = flows_.read(slot, clock_seconds_);
    if (!entry || entry->service != kNoService || entry->reply == entry->original.reversed()) continue;
    const FlowKey& asked = entry->original;
    const auto hit =
        service_planner_.table()->find(asked.destination(), asked.protocol(), asked.destination_port());
    if (hit.service != nullptr)
      flows_.set_service(slot, sequence, hit.service->id);
    else
      has_nameless_flows_ = clock_seconds_ < kSecondsToName;
  }
}

// Remembered in `names`: many flows have the same.
const std::string& Engine::Impl::name_of(ServiceId id, ServiceNames& names) const {
  auto name = names.find(id);
  if (name == names.end()) name = names.emplace(id, id == kNoService ? "" : service_of(id)).first;
  return name->second;
}

FlowPage Engine::Impl::flows(const FlowFilter& filter, FlowSlot from, size_t limit) const {
  FlowPage page;
  ServiceNames names;
  const FlowSlot end = end_of_call(flows_, from);
  FlowSlot slot = from;
  for (; slot < end && page.flows.size() < limit; ++slot) {
    const auto entry = flows_.read(slot, clock_seconds_);
    if (!entry || !filter.matches(*entry)) continue;
    const std::string& name = name_of(entry->service, names);
    if (filter.matches_service(name, *entry)) page.flows.push_back({*entry, name});
  }
  page.next = next_of(flows_, slot);
  return page;
}

FlowFlush Engine::Impl::flush_flows(const FlowFilter& filter, FlowSlot from) {
  FlowFlush flush;
  FlowSlotCache free_slots;
  ServiceNames names;
  const FlowSlot end = end_of_call(flows_, from);
  for (FlowSlot slot = from; slot < end; ++slot) {
    // Before it is looked at: only the flow that matched may go.
    const uint32_t sequence = flows_.record(slot).sequence.load(std::memory_order_acquire);
    const auto entry = flows_.read(slot, clock_seconds_);
    if (!entry || !filter.matches(*entry)) continue;
    if (filter.matches_service(name_of(entry->service, names), *entry) &&
        flows_.remove(slot, sequence, free_slots))
      ++flush.removed;
  }
  flows_.give_back(free_slots);
  flush.next = next_of(flows_, std::max(from, end));
  return flush;
}

FlowTableStatus Engine::Impl::flow_table_status() const {
  FlowTableStatus status;
  status.capacity = flows_.capacity();
  uint32_t cached = 0;
  for (const auto& worker : workers_) {
    const FlowFigures& figures = worker->flow_figures();
    status.begun += figures.begun.get();
    status.refused += figures.refused.get();
    status.evicted += figures.evicted.get();
    status.ports_changed += figures.ports_changed.get();
    cached += worker->free_flow_slots();
  }
  // Of different moments.
  const uint32_t taken = flows_.taken();
  status.in_use = taken - std::min(taken, cached);
  status.expired = flow_keeper_.expired();
  status.bytes = flow_memory_.bytes();
  status.hugepages = flow_memory_.has_hugepages();
  status.file = flow_memory_.path();
  return status;
}

}  // namespace podswitch
