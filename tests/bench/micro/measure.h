// SPDX-License-Identifier: Apache-2.0
// How a benchmark of this program measures: a loop of `restore` alone, then a loop of `restore` and `work`,
// and the difference is what the work costs. Reported per packet, in nanoseconds and in cycles of the time
// stamp counter. The single thread of the program.
#pragma once

#include <benchmark/benchmark.h>
#include <rte_cycles.h>

#include <algorithm>
#include <string>

namespace podswitch::bench {

// Packets of a burst, for a benchmark without any other parameter.
inline void bursts(benchmark::internal::Benchmark* made) {
  made->ArgName("burst")->Arg(1)->Arg(8)->Arg(32);
}
inline void ports_and_bursts(benchmark::internal::Benchmark* made) {
  made->ArgNames({"ports", "burst"})->ArgsProduct({{30, 1000}, {1, 8, 32}});
}
// One MAC and few: tables that are hot. 100,000 behind each port, in random order: 4 MiB, more than L2.
inline void macs_and_bursts(benchmark::internal::Benchmark* made) {
  made->ArgNames({"macs", "burst"})->ArgsProduct({{1, 8, 100'000}, {1, 8, 32}});
}

// Of one round; as many as are measured with the work, within reason.
template <typename Restore>
double restore_cycles(benchmark::IterationCount rounds, Restore&& restore) {
  rounds = std::clamp<benchmark::IterationCount>(rounds, 1000, 100'000);
  const uint64_t start = rte_rdtsc();
  for (benchmark::IterationCount i = 0; i < rounds; ++i) {
    restore();
    benchmark::ClobberMemory();
  }
  return static_cast<double>(rte_rdtsc() - start) / static_cast<double>(rounds);
}

// `restore` puts back what `work` changes; each takes `packets` packets a round.
template <typename Restore, typename Work>
void measure(benchmark::State& state, size_t packets, Restore&& restore, Work&& work) {
  const double restoring = restore_cycles(state.max_iterations, restore);
  const uint64_t start = rte_rdtsc();
  for (auto _ : state) {
    restore();
    benchmark::ClobberMemory();  // what was restored is in memory, and what is done to it matters
    work();
    benchmark::ClobberMemory();
  }
  const double cycles = static_cast<double>(rte_rdtsc() - start) /
                        static_cast<double>(std::max<int64_t>(state.iterations(), 1));
  const double ns_per_cycle = 1e9 / static_cast<double>(rte_get_tsc_hz());
  const double per_packet = 1.0 / static_cast<double>(packets);
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(packets));
  state.counters["cycles/pkt"] = (cycles - restoring) * per_packet;
  state.counters["ns/pkt"] = (cycles - restoring) * ns_per_cycle * per_packet;
  state.counters["restore/pkt"] = restoring * ns_per_cycle * per_packet;
}

// A benchmark that did something else than it says has no result, and the program fails.
inline bool any_failed = false;
inline void fail(benchmark::State& state, const std::string& why) {
  any_failed = true;
  state.SkipWithError(why.c_str());
}
inline void require(benchmark::State& state, const std::string& is, const std::string& should) {
  if (is != should) fail(state, "the packets came to '" + is + "', not to '" + should + "'");
}

}  // namespace podswitch::bench
