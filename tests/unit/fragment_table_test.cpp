// SPDX-License-Identifier: Apache-2.0
#include "switch/fragment_table.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "switch/fragment.h"
#include "tests/unit/packet_builder.h"

namespace podswitch::test {
namespace {

using Outcome = FragmentTable::Outcome;

FragmentKey key(uint32_t id) {
  return {IpAddress(ip4("10.0.0.1")), IpAddress(ip4("10.0.0.2")), id, 7, 17};
}
FragmentPorts ports(uint32_t id) {
  return {static_cast<uint16_t>(id), static_cast<uint16_t>(id >> 4 ^ 0x5555), static_cast<uint8_t>(id % 251)};
}

TEST(FragmentTable, FindsWhatWasInserted) {
  FragmentTable table({.capacity = 5000, .lifetime_seconds = 30});
  EXPECT_FALSE(table.find(key(1), 1));
  EXPECT_EQ(table.insert(key(1), {53, 4000, 17}, 1), Outcome::Stored);
  EXPECT_EQ(table.find(key(1), 1), (FragmentPorts{53, 4000, 17}));
  EXPECT_EQ(table.insert(key(1), {0xffff, 0xfffe, 0xff}, 1), Outcome::Stored) << "the id is used again";
  EXPECT_EQ(table.find(key(1), 1), (FragmentPorts{0xffff, 0xfffe, 0xff}));
  EXPECT_EQ(table.count(1), 1u);
}

TEST(FragmentTable, EveryPartOfTheKeyCounts) {
  FragmentTable table({.capacity = 5, .lifetime_seconds = 30});  // one bucket: all keys are compared
  const FragmentKey present{IpAddress(ip6("2001:db8::1")), IpAddress(ip6("2001:db8::2")), 0x12345678, 7, 17};
  table.insert(present, {1, 2, 17}, 1);
  ASSERT_TRUE(table.find(present, 1));
  for (size_t i = 0; i < 16; ++i) {
    FragmentKey other = present;
    other.source.v6.bytes[i] ^= 1;
    EXPECT_FALSE(table.find(other, 1)) << "source " << i;
    other = present;
    other.destination.v6.bytes[i] ^= 1;
    EXPECT_FALSE(table.find(other, 1)) << "destination " << i;
  }
  for (int bit = 0; bit < 32; ++bit) {
    FragmentKey other = present;
    other.id ^= 1u << bit;
    EXPECT_FALSE(table.find(other, 1)) << "id " << bit;
  }
  for (int bit = 0; bit < 16; ++bit) {
    FragmentKey other = present;
    other.network = static_cast<uint16_t>(other.network ^ 1 << bit);
    EXPECT_FALSE(table.find(other, 1)) << "network " << bit;
  }
  FragmentKey other = present;
  other.protocol = 6;
  EXPECT_FALSE(table.find(other, 1)) << "protocol";
  other = present;
  std::swap(other.source, other.destination);
  EXPECT_FALSE(table.find(other, 1)) << "the other direction";
}

TEST(FragmentTable, Expires) {
  FragmentTable table({.capacity = 5, .lifetime_seconds = 30});
  table.insert(key(1), ports(1), 100);
  EXPECT_TRUE(table.find(key(1), 129));
  EXPECT_FALSE(table.find(key(1), 130));
  EXPECT_EQ(table.count(129), 1u);
  EXPECT_EQ(table.count(130), 0u);
  table.insert(key(1), ports(1), 130);
  EXPECT_TRUE(table.find(key(1), 159)) << "noted anew";
}

TEST(FragmentTable, TheOldestOfAFullBucketGoes) {
  FragmentTable table({.capacity = 5, .lifetime_seconds = 30});
  ASSERT_EQ(table.capacity(), 5u);
  for (const uint32_t id : {2, 1, 3, 4, 5})
    EXPECT_EQ(table.insert(key(id), ports(id), 10 + id), Outcome::Stored);
  EXPECT_EQ(table.count(15), 5u);
  EXPECT_EQ(table.insert(key(3), ports(3), 20), Outcome::Stored) << "it is there already";
  EXPECT_EQ(table.insert(key(6), ports(6), 20), Outcome::Evicted);
  EXPECT_FALSE(table.find(key(1), 20));
  for (const uint32_t id : {2, 3, 4, 5, 6}) EXPECT_EQ(table.find(key(id), 20), ports(id)) << id;
  EXPECT_EQ(table.insert(key(7), ports(7), 42), Outcome::Stored) << "2 has expired at 42";
  EXPECT_EQ(table.find(key(4), 42), ports(4));
  EXPECT_EQ(table.find(key(7), 42), ports(7));
}

TEST(FragmentTable, CapacityIsBoundedAndUsed) {
  FragmentTable table({.capacity = 1000, .lifetime_seconds = 30});
  EXPECT_GE(table.capacity(), 1000u);
  EXPECT_LE(table.capacity(), 2000u);
  for (uint32_t id = 0; id < 100'000; ++id) ASSERT_NE(table.insert(key(id), ports(id), 1), Outcome::Busy);
  EXPECT_EQ(table.count(1), table.capacity());
  FragmentTable half({.capacity = 1000, .lifetime_seconds = 30});
  unsigned evicted = 0;
  for (uint32_t id = 0; id < half.capacity() / 2; ++id)
    evicted += half.insert(key(id), ports(id), 1) == Outcome::Evicted;
  EXPECT_LT(evicted, half.capacity() / 10) << "spread evenly over buckets";
}

// All fragments of a datagram have one key; IPv4's made here, IPv6's as a source makes them.
TEST(FragmentTable, KeysOfPackets) {
  const Packet whole =
      Packet().eth(kZeroMac, kZeroMac).ipv4("10.0.0.1", "10.0.0.2", {.id = 77}).udp(53, 4000).payload(3000);
  const PacketPtr mbuf = whole.mbuf();
  std::array<rte_mbuf*, 4> out{};
  const uint16_t count = fragment(*mbuf, 14, 1280, packet_pool(), out.data(), 4);
  ASSERT_EQ(count, 3);
  FragmentTable table({});
  for (uint16_t i = 0; i < count; ++i) {
    const PacketPtr piece(out[i]);
    const auto l3 = net::inspect_l3(*piece, 0x0800, 14);
    ASSERT_TRUE(l3);
    const FragmentKey of_packet = fragment_key(*piece, *l3, 14, 7);
    EXPECT_EQ(of_packet, key(77));
    EXPECT_EQ(l3->is_first, i == 0);
    EXPECT_EQ(ports_of(*piece, *l3).has_value(), i == 0);
    if (i == 0) table.insert(of_packet, ports_of(*piece, *l3).value(), 1);
    EXPECT_EQ(table.find(of_packet, 1), (FragmentPorts{53, 4000, 17}));
  }

  const auto v6 = [] { return Packet().eth(kZeroMac, kZeroMac).ipv6("2001:db8::1", "2001:db8::2"); };
  const FragmentKey key6{IpAddress(ip6("2001:db8::1")), IpAddress(ip6("2001:db8::2")), 0xabcd, 7, 0};
  for (const Packet& packet :
       {v6().fragment6(0, true).udp(53, 4000).payload(8),
        v6().extension(0).fragment6(0, true).extension(60).udp(53, 4000).payload(8),
        v6().fragment6(8, true, 60).payload(8), v6().fragment6(16, false, 17).payload(3)}) {
    const PacketPtr piece = packet.mbuf();
    const auto l3 = net::inspect_l3(*piece, 0x86dd, 14);
    ASSERT_TRUE(l3);
    EXPECT_EQ(fragment_key(*piece, *l3, 14, 7), key6);
    if (l3->is_first)
      EXPECT_EQ(ports_of(*piece, *l3), (FragmentPorts{53, 4000, 17}));
    else
      EXPECT_FALSE(ports_of(*piece, *l3));
  }
}

TEST(FragmentTable, PortsOfPackets) {
  const auto of = [](const Packet& packet, const std::vector<size_t>& sizes = {}) {
    const PacketPtr mbuf = packet.mbuf(sizes);
    return ports_of(*mbuf, *net::inspect_l3(*mbuf, 0x0800, 14));
  };
  const auto v4 = [] { return Packet().eth(kZeroMac, kZeroMac).ipv4("10.0.0.1", "10.0.0.2"); };
  EXPECT_EQ(of(v4().tcp(1, 2)), (FragmentPorts{1, 2, 6}));
  EXPECT_EQ(of(v4().udp(1, 2)), (FragmentPorts{1, 2, 17}));
  EXPECT_EQ(of(v4().sctp(1, 2)), (FragmentPorts{1, 2, 132}));
  EXPECT_FALSE(of(v4().icmp(8)));
  EXPECT_FALSE(of(v4().udp(1, 2), {37})) << "ports in two segments";
  EXPECT_FALSE(of(v4().poke(23, 17).padding(20))) << "padding is no port";
}

// Whatever is written meanwhile, a reader gets nothing or what belongs to the key.
TEST(FragmentTable, ReadersSeeWholeEntries) {
  FragmentTable table({.capacity = 5, .lifetime_seconds = 30});
  constexpr uint32_t kIds = 10;
  constexpr int kWriters = 2, kReaders = 2;
  std::atomic<int> reading{kReaders};
  std::atomic<uint64_t> hits{0}, wrong{0}, stored{0}, busy{0};
  const auto write = [&](unsigned seed) {
    std::mt19937 random(seed);
    for (uint32_t i = 0; reading > 0; ++i) {
      const uint32_t id = random() % kIds;
      const bool is_busy = table.insert(key(id), ports(id), 1 + i / 1000) == Outcome::Busy;
      (is_busy ? busy : stored).fetch_add(1, std::memory_order_relaxed);
    }
  };
  const auto read = [&](unsigned seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < 1'000'000 || (hits == 0 && i < 100'000'000); ++i) {
      const uint32_t id = random() % kIds;
      const auto found = table.find(key(id), 1);
      if (!found) continue;
      hits.fetch_add(1, std::memory_order_relaxed);
      if (*found != ports(id)) wrong.fetch_add(1, std::memory_order_relaxed);
    }
    reading.fetch_sub(1);
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < kWriters; ++i) threads.emplace_back(write, i);
  for (unsigned i = 0; i < kReaders; ++i) threads.emplace_back(read, 100 + i);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_GT(hits, 0u);
  EXPECT_GT(stored, 10'000u) << "of them busy: " << busy;
  EXPECT_EQ(table.count(1), 5u);
}

// A difference in a word's top bit must not be taken back by one in the next word, whatever the secret.
TEST(KeyedHash, NoCollisionsByConstruction) {
  const KeyedHash hash = KeyedHash::random();
  constexpr uint64_t kTop = uint64_t{1} << 63;
  for (int bit = 0; bit < 64; ++bit)
    for (int other = 0; other < 64; ++other)
      EXPECT_NE(hash(1, 2, 3), hash(1 ^ kTop, 2 ^ uint64_t{1} << bit ^ uint64_t{1} << other, 3));
  EXPECT_NE(KeyedHash::random()(1), KeyedHash::random()(1));
}

}  // namespace
}  // namespace podswitch::test
