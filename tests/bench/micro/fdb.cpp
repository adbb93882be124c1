// SPDX-License-Identifier: Apache-2.0
// The forwarding database by itself: random keys of tables from one entry to a million.
#include "switch/fdb.h"

#include <algorithm>
#include <bit>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <vector>

#include "tests/bench/micro/measure.h"
#include "tests/bench/micro/scene.h"

namespace podswitch::bench {
namespace {

constexpr size_t kMinKeys = 1 << 16;

struct Table {
  explicit Table(size_t entries)
      : fdb({.capacity = std::max<size_t>(131072, entries),
             .port_limit = static_cast<uint32_t>(std::max<size_t>(131072, entries)),
             .aging_seconds = 0}),
        hits(std::bit_ceil(std::max(entries, kMinKeys))),
        misses(hits.size()) {
    for (size_t i = 0; i < entries; ++i)
      if (fdb.learn(key(kOut, i), kOut, 1) != Fdb::Outcome::Stored) throw std::runtime_error("table is full");
    std::mt19937_64 random(entries);
    for (size_t i = 0; i < hits.size(); ++i) {
      hits[i] = key(kOut, random() % entries);
      misses[i] = key(kIn, random() % entries);
    }
  }
  static uint64_t key(PortId port, size_t index) { return fdb_key(mac_of(port, index).as_u64(), 1); }
  static Table& of(size_t entries) {
    static std::map<size_t, std::unique_ptr<Table>> made;
    std::unique_ptr<Table>& slot = made[entries];
    if (!slot) slot = std::make_unique<Table>(entries);
    return *slot;
  }

  Fdb fdb;
  std::vector<uint64_t> hits, misses;  // as many as there are entries, or more: a power of two
};

void sizes(benchmark::internal::Benchmark* made) {
  made->ArgNames({"entries", "burst"})->ArgsProduct({{1, 1000, 10'000, 100'000, 1'000'000}, {1, 8, 32}});
}

enum class Prefetch { No, Yes };

void look_up(benchmark::State& state, const Fdb& fdb, const std::vector<uint64_t>& keys, Prefetch prefetch,
             PortId expected) {
  const auto look_ups = static_cast<size_t>(state.range(1));
  size_t at = 0;
  size_t wrong = 0;
  const auto nothing = [] {};
  measure(state, look_ups, nothing, [&] {
    const uint64_t* burst = &keys[at];
    if (prefetch == Prefetch::Yes)
      for (size_t i = 0; i < look_ups; ++i) fdb.prefetch(fdb.place_of(burst[i]));
    for (size_t i = 0; i < look_ups; ++i) wrong += fdb.find(burst[i]).port() != expected;
    at = (at + look_ups) & (keys.size() - 1);
  });
  if (wrong != 0) fail(state, "wrong answers");
}

// Look-ups that do not wait for each other.
void hit(benchmark::State& state) {
  const Table& table = Table::of(static_cast<size_t>(state.range(0)));
  look_up(state, table.fdb, table.hits, Prefetch::No, kOut);
}
void miss(benchmark::State& state) {
  const Table& table = Table::of(static_cast<size_t>(state.range(0)));
  look_up(state, table.fdb, table.misses, Prefetch::No, kNoPort);
}
// As the packet path does it: a burst's prefetches, then its look-ups.
void hit_prefetched(benchmark::State& state) {
  const Table& table = Table::of(static_cast<size_t>(state.range(0)));
  look_up(state, table.fdb, table.hits, Prefetch::Yes, kOut);
}

// Each look-up waits for the one before: what one takes from its start to its end.
void hit_latency(benchmark::State& state) {
  const Table& table = Table::of(static_cast<size_t>(state.range(0)));
  const auto look_ups = static_cast<size_t>(state.range(1));
  size_t at = 0;
  uint64_t always_zero = 0;
  const auto nothing = [] {};
  measure(state, look_ups, nothing, [&] {
    for (size_t i = 0; i < look_ups; ++i)
      always_zero = table.fdb.find(table.hits[at + i] ^ always_zero).port() ^ uint64_t { kOut };
    at = (at + look_ups) & (table.hits.size() - 1);
  });
  if (always_zero != 0) fail(state, "wrong answers");
}

BENCHMARK(hit)->Name("fdb/hit")->Apply(sizes);
BENCHMARK(hit_prefetched)->Name("fdb/hit_prefetched")->Apply(sizes);
BENCHMARK(hit_latency)->Name("fdb/hit_latency")->Apply(sizes);
BENCHMARK(miss)->Name("fdb/miss")->Apply(sizes);

}  // namespace
}  // namespace podswitch::bench
