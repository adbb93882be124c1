// SPDX-License-Identifier: Apache-2.0
// A worker: one thread on one core that polls its receive queues, runs the pipeline and sends. Made and
// stopped by the configuration thread; its figures are read by anyone.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "pmd/engine.h"
#include "pmd/publisher.h"
#include "pmd/sleeper.h"
#include "pmd/spread.h"
#include "pmd/transmitter.h"
#include "switch/local.h"

namespace podswitch {

// Since start, in cycles of the time stamp counter. The worker is the only writer.
struct alignas(64) WorkerFigures {
  Counter busy_cycles;  // loops that brought packets
  Counter idle_cycles;  // loops that brought none
  Counter sleep_cycles;
  Counter packets;
  Counter taken_over;  // packets of other workers
  Counter bursts;
  Counter sleeps;
  Counter polls;
};

class Worker {
 public:
  struct Setup {
    unsigned index;
    unsigned core;
    IdlePolicy idle;
    Publisher& publisher;
    Fdb& fdb;
    const RemoteFdb& remote_fdb;
    const NeighbourTable& neighbours;  // behind tunnels
    const NeighbourTable& link_hosts;
    rte_mempool& pool;
    const std::atomic<uint32_t>& clock_seconds;
    FragmentTable& fragments;
    std::atomic<uint32_t>& ip_ids;
    FlowTable& flows;
    SpreadMesh* mesh = nullptr;  // nullptr: nothing is handed over
  };
  explicit Worker(const Setup& setup);
  ~Worker();

  void start();  // some revision has been published
  void stop();
  // Any thread: ends a sleep, or prevents the next.
  void wake() noexcept { sleeper_.wake(); }

  unsigned core() const { return setup_.core; }
  const WorkerFigures& figures() const { return figures_; }
  uint64_t handed_over() const { return spread_ == nullptr ? 0 : spread_->handed_over(); }
  const PortCounterTable& counters() const { return *counters_; }
  PortCounterTable& counters() { return *counters_; }
  uint64_t learn_queue_full() const { return local_.learn_queue_full.get(); }
  uint64_t fragments_evicted() const { return local_.fragments_evicted.get(); }
  uint64_t fragments_busy() const { return local_.fragments_busy.get(); }
  const FlowFigures& flow_figures() const { return local_.flow_figures; }
  uint32_t free_flow_slots() const { return local_.flow_worker.slots.count.load(std::memory_order_relaxed); }
  ServiceCounters& service_counters() { return *service_counters_; }  // configuration thread makes room
  uint64_t neighbour_answers() const { return local_.neighbour_answers.get(); }
  LearnRing& learned() { return *learned_; }  // housekeeping thread pops
  HeardRing& heard() { return *heard_; }      // housekeeping thread pops
  ClaimRing& claimed() { return *claimed_; }  // housekeeping thread pops
  WantedRing& wanted() { return *wanted_; }   // housekeeping thread pops
  // Housekeeping thread: has the worker send a packet that the switch itself made; frees it when too many
  // wait.
  void inject(PortId port, rte_mbuf* packet);
  bool is_asleep() const { return sleeper_.is_asleep(); }

 private:
  void run();
  uint32_t poll_once(const Revision& revision) noexcept;
  uint32_t poll(const RxQueue& rx, const WorkerView& view, const Snapshot& snapshot) noexcept;
  uint32_t take_over(const WorkerView& view, const Snapshot& snapshot) noexcept;
  uint32_t send_injected(const WorkerView& view) noexcept;
  uint32_t resume_fragments(const WorkerView& view, const Snapshot& snapshot) noexcept;
  void account(uint32_t packets) noexcept;
  uint64_t lap() noexcept;
  void rest(const Revision& revision) noexcept;
  void sleep() noexcept;

  const Setup setup_;
  std::unique_ptr<PortCounterTable> counters_;
  std::unique_ptr<LearnRing> learned_;
  std::unique_ptr<HeardRing> heard_;
  std::unique_ptr<ClaimRing> claimed_;
  std::unique_ptr<WantedRing> wanted_;
  std::unique_ptr<ServiceCounters> service_counters_;
  struct Injected {
    rte_mbuf* packet;
    PortId port;
  };
  using InjectRing = SpscRing<Injected, 8192>;
  std::unique_ptr<InjectRing> injected_;
  Local local_;
  Transmitter transmitter_;
  Sleeper sleeper_;
  std::unique_ptr<Spread> spread_;  // nullptr: nothing is handed over
  Burst burst_;
  WorkerFigures figures_;
  uint64_t last_tsc_ = 0;
  uint64_t idle_since_tsc_ = 0;  // 0: the last loop brought packets
  bool armed_ = false;           // polled since wake-ups were asked for, so that it may sleep
  bool notified_ = false;        // the other sides notify, which costs them: to be undone
  const uint64_t spin_cycles_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace podswitch
