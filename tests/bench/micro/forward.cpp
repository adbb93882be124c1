// SPDX-License-Identifier: Apache-2.0
#include "switch/stages/stages.h"
#include "tests/bench/micro/measure.h"
#include "tests/bench/micro/scene.h"

namespace podswitch::bench {
namespace {

void run(benchmark::State& state, Fdb* table, const std::string& verdict) {
  const auto burst = static_cast<size_t>(state.range(1));
  Scene scene({.macs = static_cast<size_t>(state.range(0)), .burst = burst});
  scene.reach({stages::parse});
  if (table != nullptr) scene.local.fdb = table;
  const auto restore = [&] { scene.parsed(); };
  measure(state, burst, restore, [&] { stages::forward(scene.burst, scene.snapshot(), scene.local); });
  require(state, scene.verdict(), verdict);
}

// Nothing was prefetched here, as parse does for it: see pipeline.cpp for the two together.
void known(benchmark::State& state) {
  run(state, nullptr, "to 1");
}

void unknown(benchmark::State& state) {
  Fdb empty(Addresses::of(static_cast<size_t>(state.range(0))).options);
  run(state, &empty, "flood");
}

BENCHMARK(known)->Name("forward/known")->Apply(macs_and_bursts);
BENCHMARK(unknown)->Name("forward/unknown")->Apply(macs_and_bursts);

}  // namespace
}  // namespace podswitch::bench
