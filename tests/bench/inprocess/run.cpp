// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/inprocess/run.h"

#include <rte_errno.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "pmd/eal.h"

namespace podswitch::bench {
namespace {

constexpr uint32_t kBuffers = 16383;
constexpr double kWarmUpSeconds = 0.02;

// One worker of one switch.
struct Seat {
  BenchSwitch* at;
  size_t worker;
};

void sleep_for(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

EngineOptions engine_options(const Options& options) {
  EngineOptions engine;
  engine.instance = "bench-workers-" + std::to_string(getpid());
  engine.worker_cores = options.cores;
  engine.other_cores = options.cores;
  engine.memory.hugepages = options.hugepages ? HugepagePolicy::Auto : HugepagePolicy::None;
  engine.memory.buffers = kBuffers;
  return engine;
}

rte_mempool& second_pool(bool hugepages) {
  rte_mempool* pool = make_packet_pool("second", kBuffers, hugepages);
  if (pool == nullptr) throw std::runtime_error(std::string("no second pool: ") + rte_strerror(rte_errno));
  return *pool;
}

// `seats` run from here on, and nobody else on their switches.
void seat(const std::vector<BenchSwitch*>& switches, const std::vector<Seat>& seats) {
  for (BenchSwitch* one : switches) {
    std::vector<bool> active(one->workers(), false);
    for (const Seat& taken : seats)
      if (taken.at == one) active[taken.worker] = true;
    one->run(active);
  }
}

// Cycles per packet of each seat while just these run; `off_core` is raised to what was seen.
std::vector<double> measure(const std::vector<BenchSwitch*>& switches, const std::vector<Seat>& seats,
                            double seconds, double& off_core) {
  seat(switches, seats);
  sleep_for(kWarmUpSeconds);
  for (BenchSwitch* one : switches) one->next_second();  // entries' ages are written now, as once a second
  std::vector<Reading> before;
  for (const Seat& one : seats) before.push_back(one.at->read(one.worker));
  const auto start = std::chrono::steady_clock::now();
  sleep_for(seconds);
  std::vector<double> cycles;
  for (size_t i = 0; i < seats.size(); ++i) {
    const Reading after = seats[i].at->read(seats[i].worker);
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    if (after.packets == before[i].packets) throw std::runtime_error("a worker moved no packets");
    cycles.push_back(static_cast<double>(after.busy_cycles - before[i].busy_cycles) /
                     static_cast<double>(after.packets - before[i].packets));
    off_core = std::max(off_core, 1 - (after.cpu_seconds - before[i].cpu_seconds) / passed.count());
  }
  seat(switches, {});
  return cycles;
}

Round run_round(const std::vector<BenchSwitch*>& switches, const std::vector<Seat>& seats, double seconds) {
  Round round;
  for (const Seat& one : seats) round.alone.push_back(measure(switches, {one}, seconds, round.off_core)[0]);
  round.together = measure(switches, seats, seconds, round.off_core);
  return round;
}

}  // namespace

double Round::ratio() const {
  double sum = 0;
  for (size_t i = 0; i < alone.size(); ++i) sum += together[i] / alone[i];
  return sum / static_cast<double>(alone.size());
}

std::string_view to_string(Egress egress) {
  constexpr std::array<std::string_view, 4> names{"own", "shared", "locked", "cross"};
  return names[static_cast<size_t>(egress)];
}

Result run(const Options& options) {
  const Eal eal(engine_options(options));
  Result result;
  result.hugepages = eal.hugepages();
  BenchSwitch::Setup setup{options.cores, options.egress, options.flows, options.macs, eal.pool()};
  BenchSwitch both(setup);
  setup.cores = {options.cores[0]};
  BenchSwitch first(setup);
  BenchSwitch second(
      {{options.cores[1]}, options.egress, options.flows, options.macs, second_pool(eal.hugepages()), 2});
  for (unsigned i = 0; i < options.rounds; ++i) {
    result.one_switch.push_back(run_round({&both}, {{&both, 0}, {&both, 1}}, options.seconds));
    result.two_switches.push_back(run_round({&first, &second}, {{&first, 0}, {&second, 0}}, options.seconds));
  }
  for (const BenchSwitch* one : {&both, &first, &second}) result.lost += one->lost();
  return result;
}

}  // namespace podswitch::bench
