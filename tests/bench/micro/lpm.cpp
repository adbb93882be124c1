// SPDX-License-Identifier: Apache-2.0
// Longest-prefix match by itself, with the routes of a cluster: a /24 and a /64 for each node, host routes
// for the 254 pods of the first one, default routes.
#include "switch/lpm.h"

#include <array>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "tests/bench/micro/measure.h"

namespace podswitch::bench {
namespace {

constexpr size_t kLookUps = 32;  // a round's, as a burst's
constexpr size_t kDestinations = 1 << 16;
constexpr size_t kHot = 8;
constexpr unsigned kPods = 254;

// Node CIDRs from 10.64.0.0 and fd00:10:244:: on.
template <typename Address>
Address address_of(size_t node, unsigned pod);
template <>
Ipv4Address address_of(size_t node, unsigned pod) {
  const size_t subnet = (64 << 8) + node;
  return {{10, static_cast<uint8_t>(subnet >> 8), static_cast<uint8_t>(subnet), static_cast<uint8_t>(pod)}};
}
template <>
Ipv6Address address_of(size_t node, unsigned pod) {
  Ipv6Address address{{0xfd, 0, 0, 0x10, 0x02, 0x44}};
  address.bytes[6] = static_cast<uint8_t>(node >> 8);
  address.bytes[7] = static_cast<uint8_t>(node);
  address.bytes[15] = static_cast<uint8_t>(pod);
  return address;
}

std::vector<Route> cluster(size_t nodes) {
  std::vector<Route> routes;
  const auto add = [&](const auto& address, uint8_t length) {
    routes.push_back({{IpAddress(address), length}, static_cast<uint32_t>(routes.size())});
  };
  add(Ipv4Address{}, 0);
  add(Ipv6Address{}, 0);
  for (size_t node = 0; node < nodes; ++node) {
    add(address_of<Ipv4Address>(node, 0), 24);
    add(address_of<Ipv6Address>(node, 0), 64);
  }
  for (unsigned pod = 1; pod <= kPods; ++pod) {
    add(address_of<Ipv4Address>(0, pod), 32);
    add(address_of<Ipv6Address>(0, pod), 128);
  }
  return routes;
}

// Half the destinations are pods of the first node, which takes longer; the others are anywhere.
template <typename Address>
struct Destinations {
  explicit Destinations(size_t nodes)
      : lpm(Lpm::build(cluster(nodes))), random(kDestinations), hot(kLookUps) {
    std::mt19937_64 numbers(nodes);
    for (size_t i = 0; i < kDestinations; ++i) {
      const size_t node = numbers() % 2 == 0 ? 0 : numbers() % nodes;
      random[i] = address_of<Address>(node, 1 + static_cast<unsigned>(numbers() % kPods));
    }
    for (size_t i = 0; i < kLookUps; ++i) hot[i] = random[i % kHot];
  }
  static Destinations& of(size_t nodes) {
    static std::map<size_t, std::unique_ptr<Destinations>> made;
    std::unique_ptr<Destinations>& slot = made[nodes];
    if (!slot) slot = std::make_unique<Destinations>(nodes);
    return *slot;
  }

  std::unique_ptr<const Lpm> lpm;
  std::vector<Address> random, hot;
};

void sizes(benchmark::internal::Benchmark* made) {
  made->ArgName("nodes")->Arg(2)->Arg(500)->Arg(5000);
}

enum class Prefetch { No, Yes };

// Every destination has a route of its node or its own; the first two are the default routes.
template <typename Address>
void look_up(benchmark::State& state, const Lpm& lpm, const std::vector<Address>& destinations,
             Prefetch prefetch) {
  size_t at = 0;
  size_t wrong = 0;
  const auto nothing = [] {};
  measure(state, kLookUps, nothing, [&] {
    const Address* burst = &destinations[at];
    if (prefetch == Prefetch::Yes)
      for (size_t i = 0; i < kLookUps; ++i) lpm.prefetch(burst[i]);
    for (size_t i = 0; i < kLookUps; ++i) wrong += lpm.find(burst[i]) - 2 > kNoRoute - 3;
    at = (at + kLookUps) & (destinations.size() - 1);
  });
  if (wrong != 0) fail(state, "wrong answers");
}

// Look-ups that do not wait for each other.
template <typename Address>
void hot(benchmark::State& state) {
  const auto& table = Destinations<Address>::of(static_cast<size_t>(state.range(0)));
  look_up(state, *table.lpm, table.hot, Prefetch::No);
}
template <typename Address>
void random(benchmark::State& state) {
  const auto& table = Destinations<Address>::of(static_cast<size_t>(state.range(0)));
  look_up(state, *table.lpm, table.random, Prefetch::No);
}
// As the packet path does it: 32 prefetches, then 32 look-ups.
template <typename Address>
void random_prefetched(benchmark::State& state) {
  const auto& table = Destinations<Address>::of(static_cast<size_t>(state.range(0)));
  look_up(state, *table.lpm, table.random, Prefetch::Yes);
}
// Each look-up waits for the one before: what one takes from its start to its end.
template <typename Address>
void hot_latency(benchmark::State& state) {
  const auto& table = Destinations<Address>::of(static_cast<size_t>(state.range(0)));
  size_t always_zero = 0;
  const auto nothing = [] {};
  measure(state, kLookUps, nothing, [&] {
    for (size_t i = 0; i < kLookUps; ++i)
      always_zero = table.lpm->find(table.hot[i + always_zero]) >> 31;  // kNoRoute has the bit
  });
  if (always_zero != 0) fail(state, "wrong answers");
}
// A switch without routes.
template <typename Address>
void empty(benchmark::State& state) {
  const auto& table = Destinations<Address>::of(2);
  const auto lpm = Lpm::build({});
  size_t found = 0;
  const auto nothing = [] {};
  measure(state, kLookUps, nothing, [&] {
    for (size_t i = 0; i < kLookUps; ++i) found += lpm->find(table.hot[i]) != kNoRoute;
  });
  if (found != 0) fail(state, "wrong answers");
}

// Of all routes, once for each change of the cluster.
void build(benchmark::State& state) {
  const std::vector<Route> routes = cluster(static_cast<size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(Lpm::build(routes));
  state.counters["routes"] = static_cast<double>(routes.size());
  state.counters["bytes"] = static_cast<double>(Lpm::build(routes)->memory_bytes());
}

BENCHMARK_TEMPLATE(hot, Ipv4Address)->Name("lpm/ipv4/hot")->Apply(sizes);
BENCHMARK_TEMPLATE(random, Ipv4Address)->Name("lpm/ipv4/random")->Apply(sizes);
BENCHMARK_TEMPLATE(random_prefetched, Ipv4Address)->Name("lpm/ipv4/random_prefetched")->Apply(sizes);
BENCHMARK_TEMPLATE(hot_latency, Ipv4Address)->Name("lpm/ipv4/hot_latency")->Apply(sizes);
BENCHMARK_TEMPLATE(empty, Ipv4Address)->Name("lpm/ipv4/empty");
BENCHMARK_TEMPLATE(hot, Ipv6Address)->Name("lpm/ipv6/hot")->Apply(sizes);
BENCHMARK_TEMPLATE(random, Ipv6Address)->Name("lpm/ipv6/random")->Apply(sizes);
BENCHMARK_TEMPLATE(random_prefetched, Ipv6Address)->Name("lpm/ipv6/random_prefetched")->Apply(sizes);
BENCHMARK_TEMPLATE(hot_latency, Ipv6Address)->Name("lpm/ipv6/hot_latency")->Apply(sizes);
BENCHMARK_TEMPLATE(empty, Ipv6Address)->Name("lpm/ipv6/empty");
BENCHMARK(build)->Name("lpm/build")->Apply(sizes)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace podswitch::bench
