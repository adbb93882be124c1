// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/inprocess/spread_switch.h"

namespace podswitch::bench {

SpreadSwitch::SpreadSwitch(const Setup& setup, const Cluster& cluster, rte_mempool& pool)
    : host_(pool),
      cluster_(cluster),
      uplink_(kUplinkPort, host_, cluster.from_nodes(setup.flows)),
      pods_(kOtherPodPort, host_, static_cast<uint16_t>(setup.cores.size()), setup.copied_bytes),
      publisher_(static_cast<unsigned>(setup.cores.size())) {
  const auto workers = static_cast<unsigned>(setup.cores.size());
  if (setup.policy != SpreadPolicy::Off) mesh_ = std::make_unique<SpreadMesh>(workers, setup.policy);
  for (unsigned i = 0; i < workers; ++i)
    workers_.push_back(std::make_unique<Worker>(
        Worker::Setup{i, setup.cores[i], IdlePolicy::Adaptive, publisher_, fdb_, remote_fdb_, neighbours_,
                      link_hosts_, pool, clock_seconds_, fragments_, ip_ids_, flows_, mesh_.get()}));
  run(false);
  for (const auto& worker : workers_) worker->start();
}

SpreadSwitch::~SpreadSwitch() {
  run(false);
  for (const auto& worker : workers_) worker->stop();
}

// As Engine::Impl::publish() does it.
void SpreadSwitch::run(bool active) {
  auto revision = std::make_unique<Revision>();
  revision->number = ++revision_;
  revision->snapshot = compile_snapshot(bridge_ports_, Cluster::gateway(), cluster_.routing(), fids_);
  revision->workers.resize(workers_.size());
  for (uint16_t i = 0; i < workers_.size(); ++i) {
    WorkerView& view = revision->workers[i];
    view.routes.resize(kMaxPorts);
    view.routes[uplink_.id()] = {&uplink_, nullptr, 0};
    view.routes[pods_.id()] = {&pods_, nullptr, i};
  }
  WorkerView& first = revision->workers.front();
  first.has_uplink = active;
  if (active) first.queues.push_back({&uplink_, 0});
  for (WorkerView& view : revision->workers)
    view.order = std::make_unique<PollOrder>(static_cast<uint16_t>(view.queues.size()));
  publisher_.publish(std::move(revision), [&] {
    for (const auto& worker : workers_) worker->wake();
  });
  if (mesh_ != nullptr) mesh_->wait_until_finished();
}

uint64_t SpreadSwitch::arrived() const {
  uint64_t sum = 0;
  for (const auto& worker : workers_) sum += worker->counters()[kOtherPodPort].tx_packets.get();
  return sum;
}

uint64_t SpreadSwitch::refused() const {
  constexpr auto kReason = static_cast<size_t>(DropReason::HandOverRefused);
  return workers_.front()->counters()[kUplinkPort].reasons[kReason].get();
}

uint64_t SpreadSwitch::lost() const {
  return workers_.front()->figures().packets.get() - arrived() - refused();
}

}  // namespace podswitch::bench
