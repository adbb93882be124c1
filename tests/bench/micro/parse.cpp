// SPDX-License-Identifier: Apache-2.0
#include "switch/stages/stages.h"
#include "tests/bench/micro/measure.h"
#include "tests/bench/micro/scene.h"

namespace podswitch::bench {
namespace {

void run(benchmark::State& state, const Scene::Setup& setup) {
  Scene scene(setup);
  const auto receive = [&] { scene.next_frames(); };
  measure(state, setup.burst, receive, [&] { stages::parse(scene.burst, scene.snapshot(), scene.local); });
  require(state, scene.verdict(), "undecided");
}

Scene::Setup setup_of(const benchmark::State& state) {
  return {.macs = static_cast<size_t>(state.range(0)), .burst = static_cast<size_t>(state.range(1))};
}

void untagged(benchmark::State& state) {
  run(state, setup_of(state));
}

void tagged(benchmark::State& state) {
  Scene::Setup setup = setup_of(state);
  setup.ports = {trunk(kIn), trunk(kOut)};
  setup.frame = test::Packet()
                    .eth(mac_of(kIn, 0).to_string(), mac_of(kOut, 0).to_string())
                    .vlan(7)
                    .ipv4("10.0.0.1", "10.0.0.2")
                    .udp(1000, 2000)
                    .payload(22);
  run(state, setup);
}

// What a guest with checksum offload sends: a TCP segment whose checksum is left to the receiver.
void partial_checksum(benchmark::State& state) {
  Scene::Setup setup = setup_of(state);
  setup.frame = test::Packet()
                    .eth(mac_of(kIn, 0).to_string(), mac_of(kOut, 0).to_string())
                    .ipv4("10.0.0.1", "10.0.0.2")
                    .tcp(1000, 2000)
                    .payload(10)
                    .partial_checksum();
  setup.receive_flags = RTE_MBUF_F_RX_L4_CKSUM_NONE;
  run(state, setup);
}

BENCHMARK(untagged)->Name("parse/untagged")->Apply(macs_and_bursts);
BENCHMARK(tagged)->Name("parse/tagged")->Apply(macs_and_bursts);
BENCHMARK(partial_checksum)->Name("parse/partial_checksum")->Apply(macs_and_bursts);

}  // namespace
}  // namespace podswitch::bench
