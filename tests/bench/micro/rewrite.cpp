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

// Each packet to another port, in random order.
void many_ports(benchmark::State& state) {
  const auto ports = static_cast<size_t>(state.range(0)), burst = static_cast<size_t>(state.range(1));
  Scene::Setup setup{.macs = 1, .burst = burst, .ports = {}};
  for (size_t id = 0; id <= ports; ++id) setup.ports.push_back(port(static_cast<PortId>(id)));
  Scene scene(setup);
  scene.reach(kBefore);
  Shuffled order(ports);
  const auto restore = [&] {
    scene.parsed();
    for (size_t i = 0; i < burst; ++i) scene.burst.meta[i].out_port = static_cast<PortId>(1 + order.next());
  };
  measure(state, burst, restore, [&] { stages::rewrite(scene.burst, scene.snapshot(), scene.local); });
  if (!scene.verdict().starts_with("to ")) fail(state, "packets came to '" + scene.verdict() + "'");
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
BENCHMARK(many_ports)->Name("rewrite/untagged")->Apply(ports_and_bursts);
BENCHMARK(push_tag)->Name("rewrite/push_tag")->Apply(bursts);

}  // namespace
}  // namespace podswitch::bench
