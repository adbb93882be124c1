// SPDX-License-Identifier: Apache-2.0
#include "switch/neighbour_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "tests/unit/packet_builder.h"

namespace podswitch::test {
namespace {

using Outcome = NeighbourTable::Outcome;
using Record = NeighbourTable::Record;

constexpr Fid kFid = 7;

IpAddress address(uint32_t n) {
  Ipv6Address ip = ip6("2001:db8::");
  for (size_t i = 0; i < 4; ++i) ip.bytes[12 + i] = static_cast<uint8_t>(n >> 8 * i);
  return IpAddress(ip);
}
MacAddress mac_of(uint32_t n) {
  return MacAddress::from_u64(0x02 | uint64_t{n} << 8);
}

TEST(NeighbourTable, FindsWhatWasSet) {
  NeighbourTable table({.capacity = 100});
  const IpAddress v4(ip4("192.0.2.1")), v6(ip6("2001:db8::1"));
  EXPECT_FALSE(table.find(kFid, v4));
  EXPECT_EQ(table.set(kFid, v4, mac_of(1), 1), Outcome::Stored);
  EXPECT_EQ(table.set(kFid, v6, mac_of(2), 1), Outcome::Stored);
  EXPECT_EQ(table.find(kFid, v4), mac_of(1));
  EXPECT_EQ(table.find(kFid, v6), mac_of(2));
  EXPECT_EQ(table.set(kFid, v4, mac_of(1), 2), Outcome::Unchanged);
  EXPECT_EQ(table.set(kFid, v4, mac_of(3), 3), Outcome::Changed);
  EXPECT_EQ(table.peek(kFid, v4), mac_of(3));
  EXPECT_EQ(table.size(), 2u);
  EXPECT_TRUE(table.remove(kFid, v4));
  EXPECT_FALSE(table.remove(kFid, v4));
  EXPECT_FALSE(table.find(kFid, v4));
  EXPECT_EQ(table.find(kFid, v6), mac_of(2));
  EXPECT_EQ(table.size(), 1u);
}

TEST(NeighbourTable, EveryPartOfTheKeyCounts) {
  NeighbourTable table({.capacity = 1});  // two buckets: all keys are compared
  const IpAddress present(ip6("2001:db8::1"));
  ASSERT_EQ(table.set(kFid, present, mac_of(1), 1), Outcome::Stored);
  for (size_t i = 0; i < 16; ++i) {
    IpAddress other = present;
    other.v6.bytes[i] ^= 1;
    EXPECT_FALSE(table.find(kFid, other)) << i;
  }
  for (int bit = 0; bit < 16; ++bit)
    EXPECT_FALSE(table.find(static_cast<Fid>(kFid ^ 1 << bit), present)) << bit;
  EXPECT_FALSE(table.find(kFid, IpAddress{}));
}

TEST(NeighbourTable, HoldsItsCapacityAndNoMore) {
  NeighbourTable table({.capacity = 10'000});
  EXPECT_EQ(table.capacity(), 10'000u);
  unsigned refused = 0;
  for (uint32_t i = 0; i < table.capacity(); ++i)
    refused += table.set(kFid, address(i), mac_of(i), 1) == Outcome::TableFull;
  EXPECT_LE(refused, 10u) << "two buckets without room";
  for (uint32_t i = 0; i < 1000; ++i) table.set(kFid, address(1'000'000 + i), mac_of(i), 1);
  EXPECT_EQ(table.size(), table.capacity());
  EXPECT_EQ(table.set(kFid, address(2'000'000), mac_of(1), 1), Outcome::TableFull);
  EXPECT_EQ(table.set(kFid, address(0), mac_of(5), 1), Outcome::Changed) << "it is there already";
  ASSERT_TRUE(table.remove(kFid, address(0)));
  EXPECT_EQ(table.set(kFid, address(0), mac_of(6), 1), Outcome::Stored);
  EXPECT_EQ(table.find(kFid, address(0)), mac_of(6));
}

TEST(NeighbourTable, IsWhatAMapWouldBe) {
  NeighbourTable table({.capacity = 300});
  std::map<std::pair<Fid, IpAddress>, MacAddress> model;
  std::mt19937 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const Fid fid = static_cast<Fid>(1 + random() % 3);
    const IpAddress ip = address(random() % 100);
    if (random() % 3 == 0) {
      EXPECT_EQ(table.remove(fid, ip), model.erase({fid, ip}) == 1);
    } else {
      const MacAddress mac = mac_of(random() % 4);
      ASSERT_NE(table.set(fid, ip, mac, 1), Outcome::TableFull);
      model[{fid, ip}] = mac;
    }
  }
  EXPECT_EQ(table.size(), model.size());
  std::map<std::pair<Fid, IpAddress>, MacAddress> listed;
  table.for_each([&](const Record& record) { listed[{record.fid, record.ip}] = record.mac; });
  EXPECT_EQ(listed, model);
  for (const auto& [key, mac] : model) EXPECT_EQ(table.find(key.first, key.second), mac);
}

TEST(NeighbourTable, KnowsWhatWasUsedAndForgetsTheRest) {
  NeighbourTable table({.capacity = 100});
  table.set(kFid, address(1), mac_of(1), 10);
  table.set(kFid, address(2), mac_of(2), 10);
  EXPECT_TRUE(table.find(kFid, address(1)));
  EXPECT_TRUE(table.peek(kFid, address(2)));
  std::map<IpAddress, Record> seen;
  const auto age = [&](uint32_t now, uint32_t idle) {
    seen.clear();
    return table.age_slice(now, table.bucket_count(), [&](const Record& record) {
      seen[record.ip] = record;
      return now - record.used < idle;
    });
  };
  EXPECT_EQ(age(20, 15), 0u);
  EXPECT_EQ(seen[address(1)].used, 20u);
  EXPECT_EQ(seen[address(2)].used, 10u) << "a peek is no use";
  EXPECT_EQ(seen[address(1)].heard, 10u);
  table.set(kFid, address(1), mac_of(1), 22);
  EXPECT_EQ(age(26, 15), 1u);
  EXPECT_EQ(seen[address(1)].heard, 22u);
  EXPECT_FALSE(table.peek(kFid, address(2)));
  EXPECT_TRUE(table.peek(kFid, address(1)));
  EXPECT_EQ(age(35, 15), 1u);
  EXPECT_EQ(table.size(), 0u);
  table.set(kFid, address(1), mac_of(1), 40);
  EXPECT_EQ(age(41, 15), 0u);
  EXPECT_EQ(seen[address(1)].used, 40u) << "the use of who was there before does not count";
}

TEST(NeighbourTable, AgesSliceBySlice) {
  NeighbourTable table({.capacity = 1000});
  for (uint32_t i = 0; i < 500; ++i) table.set(kFid, address(i), mac_of(i), 1);
  size_t visited = 0;
  for (size_t i = 0; i < table.bucket_count(); ++i)
    table.age_slice(2, 1, [&](const Record&) { return ++visited != 0; });
  EXPECT_EQ(visited, 500u);
  EXPECT_EQ(table.remove_if([](const Record& record) { return record.mac.bytes[1] % 2 == 0; }), 250u);
  EXPECT_EQ(table.size(), 250u);
}

// Whatever is written meanwhile, a reader gets nothing or what belongs to the key; and what stays is found.
TEST(NeighbourTable, ReadersSeeWholeEntries) {
  NeighbourTable table({.capacity = 5});  // few buckets, so that readers meet the writer
  constexpr uint32_t kAddresses = 10;     // of which address(0) stays
  constexpr int kReaders = 2;
  table.set(kFid, address(0), mac_of(0), 1);
  std::atomic<int> reading{kReaders};
  std::atomic<uint64_t> hits{0}, wrong{0};
  const auto read = [&](unsigned seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < 1'000'000 || (hits == 0 && i < 100'000'000); ++i) {
      const uint32_t n = random() % kAddresses;
      const auto mac = table.find(kFid, address(n));
      if (!mac) continue;
      hits.fetch_add(1, std::memory_order_relaxed);
      // The upper bytes say which of the address's MACs it is.
      if (mac->as_u64() % (1 << 24) != mac_of(n).as_u64()) wrong.fetch_add(1, std::memory_order_relaxed);
    }
    reading.fetch_sub(1);
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < kReaders; ++i) threads.emplace_back(read, 100 + i);
  // One address follows another in one place.
  for (uint32_t i = 0; reading > 0; ++i) {
    const uint32_t n = 1 + i % (kAddresses - 1);
    table.set(kFid, address(n), MacAddress::from_u64(mac_of(n).as_u64() | uint64_t{i % 4} << 32), 1);
    table.remove(kFid, address(n));
    if (i % 1024 == 0) table.age_slice(1, 1, [](const Record&) { return true; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_GT(hits, 0u);
  EXPECT_TRUE(table.find(kFid, address(0)));
}

}  // namespace
}  // namespace podswitch::test
