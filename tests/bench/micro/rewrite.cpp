// SPDX-License-Identifier: Apache-2.0
#include "switch/stages/stages.h"
#include "tests/bench/micro/measure.h"
#include "tests/bench/micro/scene.h"

namespace podswitch::bench {
namespace {

const std::vector<Scene::Stage> kBefore{stages::parse, stages::guard, stages::learn, stages::answer,
                                        stages::forward};

void untagged(benchmark::State& state) {
  const auto burst = static_cast<size_t>(state.range(0));
  Scene scene({.macs = 1, .burst = burst});
  scene.reach(kBefore);
  const auto restore = [&] { scene.parsed(); };
  measure(state, burst, restore, [&] { stages::rewrite(scene.burst, scene.snapshot(), scene.local); });
  require(state, scene.verdict(), "to 1");
}

// From an access port of the VLAN to a trunk.
void push_tag(benchmark::State& state) {
  const auto burst = static_cast<size_t>(state.range(0));
  Scene::Setup setup{.macs = 1, .burst = burst};
  setup.ports[0].vlan = {VlanMode::Access, 7, {}};
  setup.ports[1] = trunk(kOut);
  Scene scene(setup);
  scene.reach(kBefore);
  const auto restore = [&] {
    scene.next_frames();
    scene.parsed();
  };
  measure(state, burst, restore, [&] { stages::rewrite(scene.burst, scene.snapshot(), scene.local); });
  require(state, scene.verdict(), "to 1");
}

BENCHMARK(untagged)->Name("rewrite/untagged")->Apply(bursts);
BENCHMARK(push_tag)->Name("rewrite/push_tag")->Apply(bursts);

}  // namespace
}  // namespace podswitch::bench
