// SPDX-License-Identifier: Apache-2.0
#include "switch/stages/stages.h"
#include "tests/bench/micro/measure.h"
#include "tests/bench/micro/scene.h"

namespace podswitch::bench {
namespace {

// Nothing was prefetched here, as parse does for it: see pipeline.cpp for the two together.
void known(benchmark::State& state) {
  const auto burst = static_cast<size_t>(state.range(1));
  Scene scene({.macs = static_cast<size_t>(state.range(0)), .burst = burst});
  scene.reach({stages::parse});
  const auto restore = [&] { scene.parsed(); };
  measure(state, burst, restore, [&] { stages::learn(scene.burst, scene.snapshot(), scene.local); });
  require(state, scene.verdict(), "undecided");
}

// Not in the table, but posted within this second.
void posted(benchmark::State& state) {
  const auto burst = static_cast<size_t>(state.range(0));
  Scene scene({.macs = 1, .burst = burst});
  Fdb empty({.capacity = 131072, .port_limit = 1, .aging_seconds = 0});
  scene.reach({stages::parse});
  scene.local.fdb = &empty;
  const auto restore = [&] { scene.parsed(); };
  measure(state, burst, restore, [&] { stages::learn(scene.burst, scene.snapshot(), scene.local); });
  LearnEvent event;
  if (!scene.local.learned->pop(event) || scene.local.learned->pop(event)) fail(state, "not posted once");
}

BENCHMARK(known)->Name("learn/known")->Apply(macs_and_bursts);
BENCHMARK(posted)->Name("learn/posted")->Apply(bursts);

}  // namespace
}  // namespace podswitch::bench
