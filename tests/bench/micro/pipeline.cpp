// SPDX-License-Identifier: Apache-2.0
#include "switch/pipeline.h"

#include "tests/bench/micro/measure.h"
#include "tests/bench/micro/scene.h"

namespace podswitch::bench {
namespace {

void run(benchmark::State& state, const Scene::Setup& setup) {
  Scene scene(setup);
  const auto receive = [&] { scene.next_frames(); };
  measure(state, setup.burst, receive, [&] { run_pipeline(scene.burst, scene.snapshot(), scene.local); });
  require(state, scene.verdict(), "to 1");
}

// Ports without addresses: every source is looked up, every destination too.
void plain(benchmark::State& state) {
  run(state, {.macs = static_cast<size_t>(state.range(0)), .burst = static_cast<size_t>(state.range(1))});
}

Scene::Setup pod_setup(size_t burst) {
  Scene::Setup setup{.macs = 1, .burst = burst};
  setup.gateway = {mac_of(100, 0), {*IpAddress::parse("10.0.0.254")}};
  setup.ports[0].mac = mac_of(kIn, 0);
  setup.ports[0].ips = {*IpAddress::parse("10.0.0.1")};
  setup.ports[1].mac = mac_of(kOut, 0);
  setup.ports[1].ips = {*IpAddress::parse("10.0.0.2")};
  return setup;
}

// What a Kubernetes pod is: a MAC and an IP address given to it, both guarded; a gateway.
void pod(benchmark::State& state) {
  run(state, pod_setup(static_cast<size_t>(state.range(0))));
}

// From an access port to a trunk.
void to_trunk(benchmark::State& state) {
  Scene::Setup setup{.macs = 1, .burst = static_cast<size_t>(state.range(0))};
  setup.ports[0].vlan = {VlanMode::Access, 7, {}};
  setup.ports[1] = trunk(kOut);
  run(state, setup);
}

BENCHMARK(plain)->Name("pipeline/plain")->Apply(macs_and_bursts);
BENCHMARK(pod)->Name("pipeline/pod")->Apply(bursts);
BENCHMARK(to_trunk)->Name("pipeline/to_trunk")->Apply(bursts);

}  // namespace
}  // namespace podswitch::bench
