// SPDX-License-Identifier: Apache-2.0
#include "pmd/worker.h"

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_pause.h>

#include "pmd/eal.h"
#include "switch/pipeline.h"
#include "switch/stages/stages.h"

namespace podswitch {
namespace {

// How long a worker looks on before it sleeps: about what a sleep and a wake-up cost.
constexpr uint64_t kSpinMicroseconds = 50;

}  // namespace

Worker::Worker(const Setup& setup)
    : setup_(setup),
      counters_(std::make_unique<PortCounterTable>()),
      learned_(std::make_unique<LearnRing>()),
      heard_(std::make_unique<HeardRing>()),
      claimed_(std::make_unique<ClaimRing>()),
      wanted_(std::make_unique<WantedRing>()),
      service_counters_(std::make_unique<ServiceCounters>()),
      injected_(std::make_unique<InjectRing>()),
      transmitter_(setup.pool, *counters_, local_.ip_ids),
      spin_cycles_(rte_get_tsc_hz() / 1'000'000 * kSpinMicroseconds) {
  local_.fdb = &setup_.fdb;
  local_.remote_fdb = &setup_.remote_fdb;
  local_.ports = counters_.get();
  local_.learned = learned_.get();
  local_.heard = heard_.get();
  local_.fragments = &setup_.fragments;
  local_.ip_ids = IpIds(setup_.ip_ids);
  local_.neighbours = &setup_.neighbours;
  local_.claimed = claimed_.get();
  local_.link_hosts = &setup_.link_hosts;
  local_.wanted = wanted_.get();
  local_.flows = &setup_.flows;
  local_.flow_worker.random = rte_rdtsc() | 1;
  local_.service_counters = service_counters_.get();
  if (setup_.mesh == nullptr) return;
  setup_.mesh->join(setup_.index, figures_.busy_cycles, sleeper_);
  spread_ = std::make_unique<Spread>(*setup_.mesh, setup_.index);
}

Worker::~Worker() {
  stop();
  local_.held.free_all();
  setup_.flows.give_back(local_.flow_worker.slots);
  for (Injected injected; injected_->pop(injected);) rte_pktmbuf_free(injected.packet);
}

void Worker::inject(PortId port, rte_mbuf* packet) {
  packet->port = port;
  if (injected_->push({packet, port}))
    wake();
  else
    rte_pktmbuf_free(packet);
}

uint32_t Worker::send_injected(const WorkerView& view) noexcept {
  uint32_t count = 0;
  for (Injected injected; count < kBurstSize && injected_->pop(injected); ++count)
    transmitter_.add(injected.port, &injected.packet, 1, view);
  return count;
}

// Fragments that waited for their first one.
uint32_t Worker::resume_fragments(const WorkerView& view, const Snapshot& snapshot) noexcept {
  if (!local_.held.has_due(local_.now_seconds)) [[likely]]
    return 0;
  const uint16_t count = local_.held.take(burst_, *local_.fdb, local_.now_seconds);
  if (count == 0) return 0;
  run_later_stages(burst_, snapshot, local_);
  transmitter_.hand_on(burst_, view, snapshot);
  return count;
}

void Worker::start() {
  thread_ = std::thread([this] { run(); });
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  stopping_.store(true, std::memory_order_release);
  wake();
  thread_.join();
}

void Worker::run() {
  become_worker_thread(setup_.core, setup_.index);
  Publisher& publisher = setup_.publisher;
  publisher.online(setup_.index);
  last_tsc_ = rte_rdtsc();
  while (!stopping_.load(std::memory_order_acquire)) {
    const Revision& revision = *publisher.current();
    const uint32_t packets = poll_once(revision);
    account(packets);
    if (spread_ != nullptr) spread_->after_loop(revision, last_tsc_, local_);
    if (packets == 0 && setup_.idle == IdlePolicy::Adaptive) {
      rest(revision);
    } else if (notified_) {
      sleeper_.disarm(revision.workers[setup_.index]);
      if (spread_ != nullptr) spread_->disarm();
      armed_ = notified_ = false;
    }
    publisher.quiescent(setup_.index);
  }
  publisher.offline(setup_.index);
  rte_thread_unregister();
}

uint32_t Worker::poll_once(const Revision& revision) noexcept {
  const WorkerView& view = revision.workers[setup_.index];
  local_.now_seconds = setup_.clock_seconds.load(std::memory_order_relaxed);
  const uint32_t taken_over = spread_ == nullptr ? 0 : take_over(view, *revision.snapshot);
  const uint32_t resumed = resume_fragments(view, *revision.snapshot);
  const uint32_t injected = send_injected(view);
  const uint32_t received = injected + view.order->round([&](uint16_t queue) noexcept {
    return poll(view.queues[queue], view, *revision.snapshot);
  });
  if (received + taken_over + resumed == 0) return 0;
  transmitter_.flush(view);
  figures_.packets.add(received);
  return received + taken_over + resumed;
}

uint32_t Worker::poll(const RxQueue& rx, const WorkerView& view, const Snapshot& snapshot) noexcept {
  const uint16_t count = rx.port->receive(rx.queue, burst_.packets.data(), kBurstSize);
  if (count == 0) return 0;
  burst_.count = count;
  burst_.in_port = rx.port->id();
  run_pipeline(burst_, snapshot, local_);
  transmitter_.hand_on(burst_, view, snapshot);
  figures_.bursts.add(1);
  return count;
}

// What other workers have taken out of their uplinks' tunnels.
uint32_t Worker::take_over(const WorkerView& view, const Snapshot& snapshot) noexcept {
  return spread_->take_over([&](HandOverRing& ring) noexcept {
    const uint16_t count = stages::take_over(burst_, ring, snapshot);
    if (count == 0) return count;
    run_later_stages(burst_, snapshot, local_);
    transmitter_.hand_on(burst_, view, snapshot);
    figures_.taken_over.add(count);
    return count;
  });
}

uint64_t Worker::lap() noexcept {
  const uint64_t now = rte_rdtsc();
  const uint64_t cycles = now - last_tsc_;
  last_tsc_ = now;
  return cycles;
}

void Worker::account(uint32_t packets) noexcept {
  const uint64_t cycles = lap();
  figures_.polls.add(1);
  if (packets == 0) return figures_.idle_cycles.add(cycles);
  figures_.busy_cycles.add(cycles);
  idle_since_tsc_ = 0;
}

void Worker::rest(const Revision& revision) noexcept {
  if (idle_since_tsc_ == 0) idle_since_tsc_ = last_tsc_;
  if (last_tsc_ - idle_since_tsc_ < spin_cycles_) return rte_pause();
  if (armed_) return sleep();
  // The next loop polls once more, so that nothing that came before the other sides notify is left lying.
  sleeper_.arm(revision.workers[setup_.index], revision.number);
  if (spread_ != nullptr) spread_->arm();
  armed_ = notified_ = true;
}

void Worker::sleep() noexcept {
  setup_.publisher.offline(setup_.index);
  sleeper_.sleep();
  setup_.publisher.online(setup_.index);
  figures_.sleep_cycles.add(lap());
  figures_.sleeps.add(1);
  armed_ = false;  // wake sources may have changed
}

}  // namespace podswitch
