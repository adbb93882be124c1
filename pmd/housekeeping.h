// SPDX-License-Identifier: Apache-2.0
// The housekeeping thread: writes what workers learned into the FDB, ages it, keeps the clock, lets ports
// notice what changed outside, samples the workers' figures. Never waits for parsing or compiling.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "pmd/aging_pace.h"
#include "pmd/publisher.h"
#include "pmd/underlay.h"
#include "pmd/worker.h"
#include "switch/fdb.h"
#include "switch/neighbour_table.h"
#include "switch/remote_fdb.h"

namespace podswitch {

class Housekeeping {
 public:
  Housekeeping(Fdb& fdb, RemoteFdb& remote_fdb, NeighbourTable& neighbours, uint32_t aging_seconds,
               std::vector<std::unique_ptr<Worker>>& workers, std::atomic<uint32_t>& clock_seconds,
               Underlay& underlay, const Publisher& publisher);
  ~Housekeeping();

  // Configuration thread. Runs `work` on the housekeeping thread, between its own steps, and returns when it
  // is done. `work` may write the FDB.
  void run(const std::function<void()>& work);
  void set_ports(std::vector<Port*> ports);
  // More that this thread is to do each second, told the second of the switch's clock.
  void set_each_second(std::function<void(uint32_t)> work);
  // What this thread is to do in each of its ticks, told that second and how long the last one was.
  void set_each_tick(std::function<void(uint32_t, std::chrono::nanoseconds)> work);
  static constexpr std::chrono::milliseconds kTick{10};  // a new MAC floods for this long at most
  // Writes what is waiting in the workers' rings; returns how many addresses were new or had moved.
  // Housekeeping thread.
  size_t drain_learned();

  // Any thread: what the last whole second looked like, by worker.
  struct Sample {
    double busy_share = 0, cycles_per_packet = 0, average_burst = 0;
  };
  std::vector<Sample> samples() const;
  // False when a worker that is not asleep finished no loop within the last two seconds, or when this thread
  // itself has not looked for five.
  bool workers_make_progress() const;
  const PortCounterTable& counters() const { return *counters_; }
  PortCounterTable& counters() { return *counters_; }

 private:
  struct Totals {
    uint64_t busy = 0, idle = 0, sleep = 0, packets = 0, taken_over = 0, bursts = 0, polls = 0;
  };
  void loop();
  void run_commands(std::unique_lock<std::mutex>& lock);
  void drain_heard();
  void drain_claimed();
  Fdb::Outcome learn_here(const LearnEvent& event);
  Fdb::Outcome learn_there(const LearnEvent& event);
  void every_second();
  void sample_workers();
  static Totals totals_of(const Worker& worker);

  Fdb& fdb_;
  RemoteFdb& remote_fdb_;
  NeighbourTable& neighbours_;
  AgingPace aging_pace_;
  AgingPace remote_aging_pace_;
  AgingPace neighbour_aging_pace_;
  std::vector<std::unique_ptr<Worker>>& workers_;
  std::atomic<uint32_t>& clock_seconds_;
  Underlay& underlay_;
  const Publisher& publisher_;
  std::unique_ptr<PortCounterTable> counters_;  // reasons that this thread finds
  std::vector<Port*> ports_;
  std::function<void(uint32_t)> each_second_;
  std::function<void(uint32_t, std::chrono::nanoseconds)> each_tick_;
  std::vector<Totals> last_totals_;
  std::vector<uint32_t> stalled_seconds_;
  std::atomic<bool> progress_{true};
  std::atomic<std::chrono::steady_clock::time_point> looked_at_{std::chrono::steady_clock::now()};

  mutable std::mutex sample_mutex_;
  std::vector<Sample> samples_;

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::deque<const std::function<void()>*> commands_;
  uint64_t commands_done_ = 0, commands_taken_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace podswitch
