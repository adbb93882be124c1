// SPDX-License-Identifier: Apache-2.0
#include "switch/stages/stages.h"
#include "tests/bench/micro/measure.h"
#include "tests/bench/micro/scene.h"

namespace podswitch::bench {
namespace {

// A pod with a MAC, and `ips` of which the frame uses the last.
void run(benchmark::State& state, const std::vector<std::string>& ips, const test::Packet& frame) {
  Scene::Setup setup{.macs = 1, .burst = static_cast<size_t>(state.range(0))};
  BridgePort& pod = setup.ports[0];
  pod.mac = mac_of(kIn, 0);
  for (const std::string& ip : ips) pod.ips.push_back(*IpAddress::parse(ip));
  setup.frame = frame;
  Scene scene(setup);
  scene.reach({stages::parse});
  const auto restore = [&] { scene.parsed(); };
  measure(state, setup.burst, restore, [&] { stages::guard(scene.burst, scene.snapshot(), scene.local); });
  require(state, scene.verdict(), "undecided");
}

// A burst of each of many such pods in turn: with 1,000, neither port nor rules are in the L1 cache. All have
// the same addresses, so that one frame will do.
void ipv4_of_many_ports(benchmark::State& state) {
  const auto ports = static_cast<PortId>(state.range(0));
  Scene::Setup setup{.macs = 1, .burst = static_cast<size_t>(state.range(1)), .ports = {}};
  for (PortId id = 0; id < ports; ++id) {
    BridgePort& pod = setup.ports.emplace_back(port(id));
    pod.mac = mac_of(kIn, 0);
    pod.ips = {*IpAddress::parse("10.0.0.1")};
  }
  Scene scene(setup);
  scene.reach({stages::parse});
  Shuffled order(ports);
  const auto restore = [&] {
    scene.parsed();
    scene.burst.in_port = static_cast<PortId>(order.next());
  };
  measure(state, setup.burst, restore, [&] { stages::guard(scene.burst, scene.snapshot(), scene.local); });
  require(state, scene.verdict(), "undecided");
}

test::Packet ether() {
  return test::Packet().eth(mac_of(kIn, 0).to_string(), mac_of(kOut, 0).to_string());
}

void ipv4(benchmark::State& state) {
  run(state, {"10.0.0.1"}, Scene::udp_frame());
}

void ipv4_of_16(benchmark::State& state) {
  std::vector<std::string> ips;
  for (int i = 101; i <= 115; ++i) ips.push_back("10.0.0." + std::to_string(i));
  ips.emplace_back("10.0.0.1");
  run(state, ips, Scene::udp_frame());
}

void ipv6(benchmark::State& state) {
  run(state, {"2001:db8::1"}, ether().ipv6("2001:db8::1", "2001:db8::2").udp(1000, 2000).payload(10));
}

void arp(benchmark::State& state) {
  const std::string own = mac_of(kIn, 0).to_string();
  run(state, {"10.0.0.1"}, ether().arp(1, own, "10.0.0.1", test::kZeroMac.data(), "10.0.0.9"));
}

BENCHMARK(ipv4)->Name("guard/ipv4")->Apply(bursts);
BENCHMARK(ipv4_of_16)->Name("guard/ipv4_of_16")->Apply(bursts);
BENCHMARK(ipv4_of_many_ports)->Name("guard/ipv4")->Apply(ports_and_bursts);
BENCHMARK(ipv6)->Name("guard/ipv6")->Apply(bursts);
BENCHMARK(arp)->Name("guard/arp")->Apply(bursts);

}  // namespace
}  // namespace podswitch::bench
