// SPDX-License-Identifier: Apache-2.0
#include "switch/fdb.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <map>
#include <random>
#include <thread>

namespace podswitch {

// The comparison of a whole bucket at once beside the plain search, which TSan's build has instead of it.
class FdbSearchTest : public testing::Test {
 protected:
  using Bucket = Fdb::Bucket;
  static constexpr uint64_t kKeyMask = Fdb::kKeyMask, kValidBit = Fdb::kValidBit,
                            kSecondaryBit = Fdb::kSecondaryBit;

  // Both halves from a few values, so that halves, words and keys agree by accident.
  // The port says which place it is.
  uint64_t any_word(PortId place) {
    if (random_() % 4 == 0) return 0;  // free
    const auto half = [&] { return halves_[random_() % halves_.size()]; };
    return half() << 32 | (half() & ~Fdb::kPortMask) | place | kValidBit;
  }
  uint64_t wanted(const Bucket& bucket) {
    uint64_t word = random_() % 2 == 0 ? any_word(0) : bucket.entries[random_() % 8].load();
    if (random_() % 8 == 0) word ^= kSecondaryBit;
    if (random_() % 8 == 0) word ^= uint64_t{1} << 63;
    return (word & kKeyMask) | kValidBit;
  }
  static PortId plainly(Bucket& bucket, uint64_t word) { return Fdb::search(bucket, word).port(); }
  static PortId at_once(Bucket& bucket, uint64_t word) { return Fdb::find_in(bucket, word).port(); }

  std::mt19937_64 random_{11};
  std::array<uint64_t, 5> halves_{0, 0xffff'ffff, 0x8000'0000, 0x0001'0000, 0x1234'4000};
};

TEST_F(FdbSearchTest, FindsWhatThePlainSearchFinds) {
  size_t hits = 0, misses = 0;
  for (int i = 0; i < 100'000; ++i) {
    Bucket bucket{};
    for (PortId place = 0; place < 8; ++place) bucket.entries[place] = any_word(place);
    for (int n = 0; n < 8; ++n) {
      const uint64_t word = wanted(bucket);
      const PortId expected = plainly(bucket, word);
      ASSERT_EQ(at_once(bucket, word), expected) << std::hex << word;
      ++(expected != kNoPort ? hits : misses);
    }
  }
  EXPECT_GT(hits, 100'000u);
  EXPECT_GT(misses, 100'000u);
}

namespace {

uint64_t key(uint64_t mac, Fid fid = 1) {
  return fdb_key(mac << 8 | 0x02, fid);
}

TEST(Fdb, LearnsMovesAndKeepsFidsApart) {
  Fdb fdb({.capacity = 64, .port_limit = 10, .aging_seconds = 300});
  EXPECT_EQ(fdb.learn(key(1), 7, 1), Fdb::Outcome::Stored);
  EXPECT_EQ(fdb.learn(key(1), 7, 2), Fdb::Outcome::Unchanged);
  EXPECT_EQ(fdb.find(key(1)).port(), 7);
  EXPECT_FALSE(fdb.find(key(1, 2)));
  EXPECT_EQ(fdb.learn(key(1), 8, 3), Fdb::Outcome::Stored);
  EXPECT_EQ(fdb.find(key(1)).port(), 8);
  EXPECT_EQ(fdb.moves(), 1u);
  EXPECT_EQ(fdb.size(), 1u);
}

TEST(Fdb, StaticEntriesAreNeitherMovedNorAged) {
  Fdb fdb({.capacity = 64, .port_limit = 10, .aging_seconds = 5});
  fdb.add_static(key(1), 3);
  EXPECT_EQ(fdb.learn(key(1), 4, 1), Fdb::Outcome::Static);
  EXPECT_EQ(fdb.age_slice(1000, fdb.bucket_count()), 0u);
  EXPECT_EQ(fdb.find(key(1)).port(), 3);
  EXPECT_TRUE(fdb.find(key(1)).is_static());
}

TEST(Fdb, AgesWhatWasNotSeen) {
  Fdb fdb({.capacity = 64, .port_limit = 10, .aging_seconds = 5});
  fdb.learn(key(1), 3, 10);
  fdb.learn(key(2), 3, 10);
  fdb.find(key(2)).mark_seen();
  fdb.age_slice(14, fdb.bucket_count());
  EXPECT_EQ(fdb.age_slice(15, fdb.bucket_count()), 1u);
  EXPECT_FALSE(fdb.find(key(1)));
  EXPECT_TRUE(fdb.find(key(2)));
}

TEST(Fdb, RefusesBeyondPortLimitAndCapacity) {
  Fdb fdb({.capacity = 8, .port_limit = 5, .aging_seconds = 300});
  for (uint64_t i = 1; i <= 5; ++i) EXPECT_EQ(fdb.learn(key(i), 1, 1), Fdb::Outcome::Stored);
  EXPECT_EQ(fdb.learn(key(6), 1, 1), Fdb::Outcome::PortLimit);
  for (uint64_t i = 7; i <= 9; ++i) EXPECT_EQ(fdb.learn(key(i), 2, 1), Fdb::Outcome::Stored);
  EXPECT_EQ(fdb.learn(key(10), 2, 1), Fdb::Outcome::TableFull);
  EXPECT_EQ(fdb.remove_if([](const Fdb::Record& r) { return r.port == 1; }), 5u);
  EXPECT_EQ(fdb.learn(key(6), 1, 1), Fdb::Outcome::Stored);
  EXPECT_EQ(fdb.size(), 4u);
}

TEST(Fdb, AFullTableHasRoomForWhatIsGiven) {
  Fdb fdb({.capacity = 64, .port_limit = 64, .aging_seconds = 300});
  for (uint64_t i = 1; fdb.size() < 64; ++i) fdb.learn(key(i), 3, 1);
  EXPECT_EQ(fdb.add_static(key(0xfff0), 4), Fdb::Outcome::Stored);
  fdb.age_slice(1000, fdb.bucket_count());
  EXPECT_EQ(fdb.learn(key(0xfff0), 3, 1000), Fdb::Outcome::Static) << "another port took the MAC";
}

// Every port may come with its MAC in many VLANs.
TEST(Fdb, AFullTableHasRoomForManyThatAreGiven) {
  constexpr uint64_t kLearned = 98304, kGiven = 32752, kFirst = 1 << 20;
  Fdb fdb({.capacity = kLearned, .port_limit = kLearned, .aging_seconds = 300});
  for (uint64_t i = 0; i < kLearned; ++i) ASSERT_EQ(fdb.learn(key(i), 3, 1), Fdb::Outcome::Stored);
  size_t stored = 0, found = 0;
  for (uint64_t i = kFirst; i < kFirst + kGiven; ++i)
    stored += fdb.add_static(key(i), 4) == Fdb::Outcome::Stored;
  EXPECT_EQ(stored, kGiven);
  for (uint64_t i = kFirst; i < kFirst + kGiven; ++i) found += fdb.find(key(i)).port() == 4;
  EXPECT_EQ(found, kGiven);
  for (uint64_t i = 0; i < kLearned; ++i) found += fdb.find(key(i)).port() == 3;
  EXPECT_EQ(found, kGiven + kLearned);
}

TEST(Fdb, WhatIsGivenReplacesWhatWasLearnedInATableWithoutAPlace) {
  Fdb fdb({.capacity = 1, .port_limit = 1, .aging_seconds = 300});
  ASSERT_EQ(fdb.learn(key(1), 3, 1), Fdb::Outcome::Stored);
  for (uint64_t i = 2, refused = 0; refused < 1000; ++i)
    refused += fdb.add_static(key(i), 4) == Fdb::Outcome::TableFull;
  const size_t size = fdb.size();
  EXPECT_EQ(fdb.add_static(key(1), 5), Fdb::Outcome::Stored);
  EXPECT_EQ(fdb.find(key(1)).port(), 5);
  EXPECT_TRUE(fdb.find(key(1)).is_static());
  EXPECT_EQ(fdb.size(), size);
  // Port 3 has its place back.
  fdb.remove_if([](const Fdb::Record& r) { return r.is_static; });
  EXPECT_EQ(fdb.size(), 0u);
  EXPECT_EQ(fdb.learn(key(2), 3, 1), Fdb::Outcome::Stored);
}

TEST(Fdb, WithoutAgingEntriesStayAndSayWhenTheyWereSeen) {
  Fdb fdb({.capacity = 64, .port_limit = 10, .aging_seconds = 0});
  fdb.learn(key(1), 3, 1);
  const auto last_seen = [&] {
    uint32_t seen = 0;
    fdb.for_each([&](const Fdb::Record& record) { seen = record.last_seen; });
    return seen;
  };
  for (const uint32_t now : {10U, 400U, 1'000'000U}) {
    fdb.find(key(1)).mark_seen();
    EXPECT_EQ(fdb.age_slice(now, fdb.bucket_count()), 0u);
    EXPECT_EQ(last_seen(), now);
  }
  EXPECT_EQ(fdb.age_slice(2'000'000, fdb.bucket_count()), 0u);
  EXPECT_EQ(last_seen(), 1'000'000u);
  EXPECT_EQ(fdb.find(key(1)).port(), 3);
}

// An entry takes its age with it, and whether it was seen since.
TEST(Fdb, AgesWhatWasMovedWithinTheTable) {
  constexpr uint64_t kLearned = 65536, kAll = 115'000;  // of 131,072 places: many of the latter need a move
  Fdb fdb({.capacity = kLearned, .port_limit = kLearned, .aging_seconds = 100});
  for (uint64_t i = 0; i < kLearned; ++i)
    ASSERT_EQ(fdb.learn(key(i), static_cast<PortId>(i % 3), i % 3 == 1 ? 60 : 1), Fdb::Outcome::Stored);
  for (uint64_t i = 2; i < kLearned; i += 3) fdb.find(key(i)).mark_seen();
  for (uint64_t i = kLearned; i < kAll; ++i) ASSERT_EQ(fdb.add_static(key(i), 9), Fdb::Outcome::Stored);
  // Port 0's are of second 1, port 1's of second 60, and port 2's are seen at the next look.
  const auto left = [&] {
    std::map<PortId, size_t> count;
    fdb.for_each([&](const Fdb::Record& record) { ++count[record.port]; });
    return count;
  };
  const std::map<PortId, size_t> all = left();
  fdb.age_slice(110, fdb.bucket_count());
  EXPECT_EQ(left(), (std::map<PortId, size_t>{{1, all.at(1)}, {2, all.at(2)}, {9, all.at(9)}}));
  fdb.age_slice(160, fdb.bucket_count());
  EXPECT_EQ(left(), (std::map<PortId, size_t>{{2, all.at(2)}, {9, all.at(9)}}));
  EXPECT_EQ(fdb.age_slice(209, fdb.bucket_count()), 0u);
  fdb.age_slice(210, fdb.bucket_count());
  EXPECT_EQ(left(), (std::map<PortId, size_t>{{9, all.at(9)}}));
}

TEST(Fdb, ARefusedMoveDoesNotKeepTheOldEntryAlive) {
  Fdb fdb({.capacity = 64, .port_limit = 1, .aging_seconds = 300});
  fdb.learn(key(1), 1, 1);
  fdb.learn(key(2), 2, 1);
  for (uint32_t now = 2; now < 400; ++now) {
    fdb.learn(key(2), 2, now);
    fdb.learn(key(1), 2, now);  // moved to a port at its limit
    fdb.age_slice(now, fdb.bucket_count());
  }
  EXPECT_FALSE(fdb.find(key(1)));
}

TEST(Fdb, HoldsItsWholeCapacity) {
  Fdb fdb({.capacity = 131072, .port_limit = 131072, .aging_seconds = 300});
  size_t stored = 0;
  for (uint64_t i = 1; i <= 131072; ++i) stored += fdb.learn(key(i), 1, 1) == Fdb::Outcome::Stored;
  // Two choices of eight places, with a few moves, at half of them or less: a refusal would be a broken hash.
  EXPECT_EQ(stored, 131072u);
  for (uint64_t i = 1; i <= 131072; ++i) ASSERT_TRUE(fdb.find(key(i))) << i;
}

// Every size has other bits in the bucket's number, and entries in both of their buckets.
TEST(Fdb, GivesBackTheKeysItWasGiven) {
  for (const size_t capacity : {size_t{65536}, size_t{131072}, size_t{262144}}) {
    Fdb fdb({.capacity = capacity, .port_limit = static_cast<uint32_t>(capacity), .aging_seconds = 300});
    std::mt19937_64 random(capacity);
    std::map<uint64_t, PortId> expected;
    while (expected.size() < capacity) {
      const uint64_t made = random() | 0x02;
      const auto port = static_cast<PortId>(random() % kMaxPorts);
      expected[made] = port;
      ASSERT_EQ(fdb.learn(made, port, 1), Fdb::Outcome::Stored);
    }
    std::map<uint64_t, PortId> found;
    fdb.for_each([&](const Fdb::Record& r) { found[fdb_key(r.mac.as_u64(), r.fid)] = r.port; });
    EXPECT_EQ(found, expected);
    for (const auto& [made, port] : expected) ASSERT_EQ(fdb.find(made).port(), port);
  }
}

// Random changes on a table as full as learning may make it, against a map.
TEST(Fdb, AgreesWithAMap) {
  constexpr size_t kCapacity = 65536;  // half of the places
  Fdb fdb({.capacity = kCapacity, .port_limit = kCapacity, .aging_seconds = 300});
  std::mt19937_64 random(7);
  std::map<uint64_t, PortId> expected;
  for (int i = 0; i < 500'000; ++i) {
    const uint64_t made = key(random() % 110'000);
    const auto port = static_cast<PortId>(random() % 8);
    const auto known = expected.find(made);
    if (random() % 4 == 0) {
      ASSERT_EQ(fdb.remove(made), known != expected.end());
      expected.erase(made);
    } else if (known == expected.end() && expected.size() == kCapacity) {
      ASSERT_EQ(fdb.learn(made, port, 1), Fdb::Outcome::TableFull);
    } else {
      const bool same = known != expected.end() && known->second == port;
      ASSERT_EQ(fdb.learn(made, port, 1), same ? Fdb::Outcome::Unchanged : Fdb::Outcome::Stored);
      expected[made] = port;
    }
    const uint64_t other = key(random() % 110'000);
    const auto there = expected.find(other);
    ASSERT_EQ(fdb.find(other).port(), there == expected.end() ? kNoPort : there->second);
  }
  EXPECT_EQ(fdb.size(), expected.size());
}

// A reader never sees another key's port, whatever the writer replaces meanwhile.
TEST(Fdb, ReadersSeeWholeEntries) {
  Fdb fdb({.capacity = 65536, .port_limit = 65536, .aging_seconds = 300});
  constexpr uint64_t kKeys = 110'000;
  const auto port_of = [](uint64_t i) { return static_cast<PortId>(i % 1000); };
  std::atomic<bool> done{false};
  std::atomic<uint64_t> hits{0}, wrong{0};
  std::thread reader([&] {
    std::mt19937_64 random(3);
    while (!done) {
      const uint64_t i = random() % kKeys;
      const Fdb::Hit hit = fdb.find(key(i));
      if (!hit) continue;
      hit.mark_seen();
      hits.fetch_add(1, std::memory_order_relaxed);
      if (hit.port() != port_of(i)) wrong.fetch_add(1, std::memory_order_relaxed);
    }
  });
  std::mt19937_64 random(4);
  for (int i = 0; i < 300'000 || hits == 0; ++i) {
    const uint64_t n = random() % kKeys;
    if (random() % 3 == 0)
      fdb.remove(key(n));
    else
      fdb.learn(key(n), port_of(n), 1);
  }
  done = true;
  reader.join();
  EXPECT_EQ(wrong, 0u);
}

}  // namespace
}  // namespace podswitch
