// SPDX-License-Identifier: Apache-2.0
// Micro-benchmarks of the packet path, in an EAL without hugepages, devices or privileges.
#include <benchmark/benchmark.h>
#include <rte_eal.h>
#include <sched.h>

#include <array>
#include <cstdio>
#include <string>

#include "pmd/log.h"
#include "tests/bench/micro/measure.h"

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  // Stays where it is: a move to another core costs more than most of what is measured.
  const std::string lcore = "--lcores=0@" + std::to_string(sched_getcpu());
  std::array<const char*, 9> eal{"bench-stages", "--no-huge",      "--no-shconf",       "--no-pci",   "-m",
                                 "128",          "--no-telemetry", "--log-level=error", lcore.c_str()};
  if (rte_eal_init(static_cast<int>(eal.size()), const_cast<char**>(eal.data())) < 0) {
    std::fprintf(stderr, "bench-stages: EAL did not start\n");
    return 1;
  }
  podswitch::log::set_level(podswitch::log::Level::Error);  // ports say when they come up
  const size_t ran = benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  rte_eal_cleanup();
  return ran == 0 || podswitch::bench::any_failed ? 1 : 0;
}
