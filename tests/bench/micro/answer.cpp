// SPDX-License-Identifier: Apache-2.0
#include "switch/net/headers.h"
#include "switch/stages/stages.h"
#include "tests/bench/micro/measure.h"
#include "tests/bench/micro/scene.h"

namespace podswitch::bench {
namespace {

Scene::Setup setup_of(size_t burst) {
  Scene::Setup setup{.macs = 1, .burst = burst};
  setup.gateway = {mac_of(100, 0), {*IpAddress::parse("10.0.0.254")}};
  setup.ports[1].mac = mac_of(kOut, 0);
  setup.ports[1].ips = {*IpAddress::parse("10.0.0.2")};
  return setup;
}

// Traffic that is not the switch's to answer, which is nearly all.
void others(benchmark::State& state) {
  const auto burst = static_cast<size_t>(state.range(0));
  Scene scene(setup_of(burst));
  scene.reach({stages::parse});
  const auto restore = [&] { scene.parsed(); };
  measure(state, burst, restore, [&] { stages::answer(scene.burst, scene.snapshot(), scene.local); });
  require(state, scene.verdict(), "undecided");
}

// Requests for a pod's address, sent to all; each turned into a reply.
void arp(benchmark::State& state) {
  const auto burst = static_cast<size_t>(state.range(0));
  Scene::Setup setup = setup_of(burst);
  const std::string own = mac_of(kIn, 0).to_string();
  setup.frame =
      test::Packet().eth(own, test::kBroadcastMac).arp(1, own, "10.0.0.1", test::kZeroMac, "10.0.0.2");
  Scene scene(setup);
  scene.reach({stages::parse});
  const uint64_t broadcast =
      fdb_key(test::mac(test::kBroadcastMac).as_u64(), scene.snapshot().ports[kIn].fid);
  const auto restore = [&] {
    scene.next_frames();
    scene.parsed();
    for (uint16_t i = 0; i < burst; ++i) scene.burst.meta[i].destination = broadcast;
  };
  measure(state, burst, restore, [&] { stages::answer(scene.burst, scene.snapshot(), scene.local); });
  require(state, scene.verdict(), "to 0");
}

// Requests for addresses of a table that is as large as a node's, or a cluster's; in random order.
void arp_of_many(benchmark::State& state) {
  const auto addresses = static_cast<size_t>(state.range(0)), burst = static_cast<size_t>(state.range(1));
  Scene::Setup setup = setup_of(burst);
  std::vector<Ipv4Address> targets;
  for (size_t i = 0; i < addresses; ++i) {
    const Ipv4Address target{
        {11, static_cast<uint8_t>(i >> 16), static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)}};
    targets.push_back(target);
    setup.ports[1].ips.emplace_back(target);
  }
  const std::string own = mac_of(kIn, 0).to_string();
  setup.frame =
      test::Packet().eth(own, test::kBroadcastMac).arp(1, own, "10.0.0.1", test::kZeroMac, "11.0.0.0");
  Scene scene(setup);
  scene.reach({stages::parse});
  const uint64_t broadcast =
      fdb_key(test::mac(test::kBroadcastMac).as_u64(), scene.snapshot().ports[kIn].fid);
  Shuffled order(addresses);
  const auto restore = [&] {
    scene.next_frames();
    scene.parsed();
    for (uint16_t i = 0; i < burst; ++i) {
      scene.burst.meta[i].destination = broadcast;
      rte_pktmbuf_mtod_offset(scene.burst.packets[i], net::ArpPacket*, sizeof(net::EtherHeader))->target_ip =
          targets[order.next()];
    }
  };
  measure(state, burst, restore, [&] { stages::answer(scene.burst, scene.snapshot(), scene.local); });
  require(state, scene.verdict(), "to 0");
}

BENCHMARK(others)->Name("answer/others")->Apply(bursts);
BENCHMARK(arp)->Name("answer/arp")->Apply(bursts);
BENCHMARK(arp_of_many)
    ->Name("answer/arp")
    ->ArgNames({"addresses", "burst"})
    ->ArgsProduct({{4000, 100'000}, {1, 8, 32}});

}  // namespace
}  // namespace podswitch::bench
