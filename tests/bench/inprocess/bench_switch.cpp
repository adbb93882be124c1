// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/inprocess/bench_switch.h"

#include <algorithm>
#include <stdexcept>

namespace podswitch::bench {
namespace {

constexpr PortId kSourcesPerWorker = 2;
constexpr PortId kFirstSink = 100;

Fdb::Options table_for(const BenchSwitch::Setup& setup) {
  Fdb::Options options;
  const size_t ports = 2 * kSourcesPerWorker * setup.cores.size();  // or fewer
  options.capacity = std::max(options.capacity, ports * setup.macs);
  options.port_limit = static_cast<uint32_t>(options.capacity);
  return options;
}

BridgePort bridge_port(const Port& port) {
  BridgePort made;
  made.id = port.id();
  return made;
}

}  // namespace

BenchSwitch::BenchSwitch(const Setup& setup)
    : host_(setup.pool), fdb_(table_for(setup)), publisher_(static_cast<unsigned>(setup.cores.size())) {
  make_sinks(setup);
  make_sources(setup);
  for (unsigned i = 0; i < setup.cores.size(); ++i)
    workers_.push_back(std::make_unique<Worker>(
        Worker::Setup{i, setup.cores[i], IdlePolicy::Adaptive, publisher_, fdb_, remote_fdb_, neighbours_,
                      link_hosts_, setup.pool, clock_seconds_, fragments_, ip_ids_, flows_}));
  run(std::vector<bool>(setup.cores.size(), false));
  fill_table(setup);
  for (const auto& worker : workers_) worker->start();
}

BenchSwitch::~BenchSwitch() {
  run(std::vector<bool>(workers_.size(), false));
  for (const auto& worker : workers_) worker->stop();
}

template <typename Visit>
void BenchSwitch::for_each_slot(Visit&& visit) const {
  for (const auto* slots : {&sources_, &sinks_})
    for (const auto& slot : *slots) visit(*slot);
}

void BenchSwitch::make_sinks(const Setup& setup) {
  if (setup.egress == Egress::Cross) return;
  const size_t sinks = setup.egress == Egress::Own ? setup.cores.size() * kSourcesPerWorker : 1;
  const auto queues = static_cast<uint16_t>(setup.egress == Egress::Locked ? 1 : setup.cores.size());
  for (size_t i = 0; i < sinks; ++i) {
    const auto id = static_cast<PortId>(kFirstSink + setup.first_source + i);
    sinks_.push_back(std::make_unique<PortSlot>(std::make_unique<SinkPort>(id, host_, queues)));
  }
}

void BenchSwitch::make_sources(const Setup& setup) {
  const auto sources = static_cast<PortId>(setup.cores.size() * kSourcesPerWorker);
  for (PortId i = 0; i < sources; ++i) {
    const auto id = static_cast<PortId>(setup.first_source + i);
    // Of Cross: the middle of the row is where the next worker's begin; one worker alone sends to itself.
    auto to = static_cast<PortId>(setup.first_source + (i + sources / 2) % sources);
    if (!sinks_.empty()) to = sinks_[i % sinks_.size()]->port->id();
    std::vector<Frame> frames = make_frames(id, to, setup.flows, setup.macs);
    sources_.push_back(
        std::make_unique<PortSlot>(std::make_unique<SourcePort>(id, host_, std::move(frames))));
  }
}

// As the housekeeping thread would have done it.
void BenchSwitch::fill_table(const Setup& setup) {
  const Fid fid = publisher_.current()->snapshot->ports[sources_.front()->port->id()].fid;
  for_each_slot([&](const PortSlot& slot) {
    const PortId port = slot.port->id();
    for (uint32_t i = 0; i < setup.macs; ++i)
      if (fdb_.learn(fdb_key(mac_of(port, i).as_u64(), fid), port, 1) != Fdb::Outcome::Stored)
        throw std::runtime_error("the table does not take all MACs");
  });
}

// As Engine::Impl::compile() does it.
TxRoute BenchSwitch::route(PortSlot& slot, size_t worker) const {
  Port& port = *slot.port;
  const auto queue = static_cast<uint16_t>(worker % port.spec().queues);
  const bool shared = workers_.size() > port.spec().queues && !port.send_is_thread_safe();
  return {&port, shared ? &slot.tx_locks[queue] : nullptr, queue};
}

// Likewise, and in the same order, as neighbours in memory may share a cache line. The fillers take the holes
// of the heap before, so that they do if nothing keeps them apart.
std::unique_ptr<Revision> BenchSwitch::compile(const std::vector<bool>& active) {
  auto revision = std::make_unique<Revision>();
  revision->number = ++revision_;
  std::vector<BridgePort> ports;
  for_each_slot([&](const PortSlot& slot) { ports.push_back(bridge_port(*slot.port)); });
  revision->snapshot = compile_snapshot(ports, {}, {}, fids_);
  revision->workers.resize(workers_.size());
  for (size_t worker = 0; worker < workers_.size(); ++worker) {
    WorkerView& view = revision->workers[worker];
    view.routes.resize(kMaxPorts);
    for_each_slot([&](PortSlot& slot) { view.routes[slot.port->id()] = route(slot, worker); });
    for (size_t i = 0; active[worker] && i < kSourcesPerWorker; ++i)
      view.queues.push_back({sources_[worker * kSourcesPerWorker + i]->port.get(), 0});
  }
  for (int i = 0; i < 100; ++i)
    for (size_t bytes = 16; bytes <= 128; bytes += 16) fillers_.push_back(std::make_unique<char[]>(bytes));
  for (WorkerView& view : revision->workers)
    view.order = std::make_unique<PollOrder>(static_cast<uint16_t>(view.queues.size()));
  return revision;
}

void BenchSwitch::run(const std::vector<bool>& active) {
  publisher_.publish(compile(active), [&] {
    for (const auto& worker : workers_) worker->wake();
  });
}

Reading BenchSwitch::read(size_t worker) const {
  const WorkerFigures& figures = workers_[worker]->figures();
  const auto& source = static_cast<const SourcePort&>(*sources_[worker * kSourcesPerWorker]->port);
  return {figures.busy_cycles.get(), figures.packets.get(), source.worker_cpu_seconds()};
}

uint64_t BenchSwitch::lost() const {
  uint64_t received = 0, sent = 0;
  for (const auto& worker : workers_) {
    received += worker->figures().packets.get();
    for_each_slot(
        [&](const PortSlot& slot) { sent += worker->counters()[slot.port->id()].tx_packets.get(); });
  }
  return received - sent;
}

}  // namespace podswitch::bench
