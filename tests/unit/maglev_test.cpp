// SPDX-License-Identifier: Apache-2.0
#include "lb/maglev.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "lb/maglev_cache.h"
#include "lb/service_table.h"

namespace podswitch {
namespace {

std::vector<IpAddress> random_addresses(size_t count, uint64_t seed) {
  std::mt19937_64 numbers(seed);
  std::vector<IpAddress> addresses;
  while (addresses.size() < count) {
    const uint64_t n = numbers();
    const auto byte = [&](unsigned i) { return static_cast<uint8_t>(n >> 8 * i); };
    if (seed % 2 == 0)
      addresses.emplace_back(Ipv4Address{{10, byte(0), byte(1), byte(2)}});
    else
      addresses.emplace_back(
          Ipv6Address{{0xfd, 0, 0, 1, byte(0), byte(1), 0, 0, 0, 0, 0, 0, 0, 0, 0, byte(2)}});
    if (addresses.size() < count) continue;
    std::sort(addresses.begin(), addresses.end());
    addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  }
  return addresses;
}

// As a deployment's pods are: one after the other.
std::vector<IpAddress> neighbours(size_t count) {
  std::vector<IpAddress> addresses;
  for (size_t i = 0; i < count; ++i)
    addresses.emplace_back(
        Ipv4Address{{10, 244, static_cast<uint8_t>(i / 250), static_cast<uint8_t>(1 + i % 250)}});
  return addresses;
}

std::vector<size_t> shares(const Maglev& table, size_t backends) {
  std::vector<size_t> counts(backends);
  for (const uint16_t entry : table.entries()) ++counts.at(entry);
  return counts;
}

// The share of entries that another backend has although theirs has stayed.
double needless_moves(const std::vector<IpAddress>& backends, size_t leaving) {
  std::vector<IpAddress> others = backends;
  others.erase(others.begin() + static_cast<std::ptrdiff_t>(leaving));
  const Maglev before(backends), after(others);
  EXPECT_EQ(before.size(), after.size());
  size_t moves = 0;
  for (size_t i = 0; i < before.size(); ++i)
    moves += before.entries()[i] != leaving && backends[before.entries()[i]] != others[after.entries()[i]];
  return static_cast<double>(moves) / before.size();
}

TEST(Maglev, SizesFollowTheLadder) {
  EXPECT_EQ(maglev_size(1), 1021u);
  EXPECT_EQ(maglev_size(15), 1021u);
  EXPECT_EQ(maglev_size(16), 4093u);
  EXPECT_EQ(maglev_size(63), 4093u);
  EXPECT_EQ(maglev_size(64), 16381u);
  EXPECT_EQ(maglev_size(255), 16381u);
  EXPECT_EQ(maglev_size(256), 65521u);
  EXPECT_EQ(maglev_size(kMaxBackends), 65521u);
}

TEST(Maglev, IsEvenForAnyNumberOfBackends) {
  for (size_t count = 1; count <= 5000; count += count < 70 ? 1 : 1 + count / 5) {
    const Maglev table(random_addresses(count, count));
    const auto counts = shares(table, count);
    const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
    EXPECT_LE(*most, *least + 1) << count;
    const double most_to_average = static_cast<double>(*most * count) / table.size();
    EXPECT_LE(count <= 1023 ? most_to_average : 1.0, 1.02) << count;
  }
}

TEST(Maglev, HasPlaceForAsManyBackendsAsEntries) {
  std::vector<IpAddress> backends;
  for (size_t i = 0; i < kMaxBackends; ++i)
    backends.emplace_back(Ipv4Address{
        {10, static_cast<uint8_t>(i >> 16), static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)}});
  const auto counts = shares(Maglev(backends), backends.size());
  EXPECT_EQ(std::count(counts.begin(), counts.end(), 1u), static_cast<std::ptrdiff_t>(kMaxBackends));
}

TEST(Maglev, MovesFewFlowsWithoutNeedWhenABackendLeaves) {
  for (size_t count = 3; count <= 1023; count += count < 20 ? 1 : count / 2) {
    double sum = 0, worst = 0;
    const size_t sets = count < 16 ? 60 : 2;
    for (size_t set = 0; set < sets; ++set) {
      if (maglev_size(count) != maglev_size(count - 1)) continue;
      const double moves = needless_moves(random_addresses(count, 1000 * count + set), set % count);
      sum += moves;
      worst = std::max(worst, moves);
    }
    EXPECT_LE(worst, 0.05) << count;
    EXPECT_LE(sum / static_cast<double>(sets), 0.035) << count;
  }
  for (const size_t count : {size_t{3}, size_t{10}, size_t{15}, size_t{60}})
    for (size_t leaving = 0; leaving < count; ++leaving)
      EXPECT_LE(needless_moves(neighbours(count), leaving), 0.05) << count << " less " << leaving;
}

// Every release and every node must say the same: these are not to be changed with the code.
TEST(Maglev, GivesTheSameTableEverywhere) {
  const auto digest = [](const std::vector<IpAddress>& backends) {
    const Maglev table(backends);
    uint64_t hash = 0xcbf2'9ce4'8422'2325;  // FNV-1a
    for (const uint16_t entry : table.entries()) hash = (hash ^ entry) * 0x100'0000'01b3;
    return hash;
  };
  const Maglev table(neighbours(10));
  EXPECT_EQ(std::vector<uint16_t>(table.entries().begin(), table.entries().begin() + 16),
            (std::vector<uint16_t>{3, 0, 5, 9, 8, 8, 5, 9, 8, 7, 0, 7, 9, 2, 9, 4}));
  EXPECT_EQ(digest(neighbours(10)), 3850535762859643767u);
  EXPECT_EQ(digest(neighbours(300)), 16404636507549298411u);
  EXPECT_EQ(digest(random_addresses(40, 7)), 7939467422502818353u);
  const Frontend frontend{*IpAddress::parse("10.96.0.10"), 53, Protocol::Udp};
  EXPECT_EQ(choice_hash(*IpAddress::parse("10.244.1.7"), 40000, frontend), 4177696706u);
  EXPECT_EQ(choice_hash(*IpAddress::parse("fd00::7"), 40000, frontend), 465190195u);
}

TEST(Maglev, PlacesAreChosenByTheWholeHash) {
  const Maglev table(neighbours(10));
  EXPECT_EQ(table.choose(0), table.entries().front());
  EXPECT_EQ(table.choose(~uint32_t{0}), table.entries().back());
  std::vector<size_t> counts(10);
  const Frontend frontend{*IpAddress::parse("10.96.0.1"), 443, Protocol::Tcp};
  for (uint16_t port = 1024; port < 31024; ++port)
    ++counts[table.choose(choice_hash(*IpAddress::parse("10.244.1.7"), port, frontend))];
  for (const size_t count : counts) EXPECT_NEAR(static_cast<double>(count), 3000, 300);
}

TEST(Maglev, EqualAddressesAreBackendsOfTheirOwn) {
  const std::vector<IpAddress> twins(2, *IpAddress::parse("10.244.0.1"));
  const auto counts = shares(Maglev(twins), 2);
  EXPECT_EQ(counts[0] + counts[1], 1021u);
  EXPECT_GE(std::min(counts[0], counts[1]), 510u);
}

std::vector<Backend> backends_of(size_t count, uint16_t port) {
  std::vector<Backend> backends;
  for (const IpAddress& ip : neighbours(count)) backends.push_back({ip, port});
  return backends;
}

TEST(MaglevCache, SharesATableAmongPortsOfTheSamePodsWhileItIsUsed) {
  MaglevCache cache;
  auto http = cache.get(backends_of(10, 80));
  EXPECT_EQ(http, cache.get(backends_of(10, 443)));
  EXPECT_NE(http, cache.get(backends_of(9, 80)));
  EXPECT_EQ(cache.get({}), nullptr);
  EXPECT_EQ(cache.memory().tables, 1u);
  EXPECT_GE(cache.memory().bytes, 2 * 1021u);
  http = nullptr;
  EXPECT_EQ(cache.memory().tables, 0u);
}

}  // namespace
}  // namespace podswitch
