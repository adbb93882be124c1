// SPDX-License-Identifier: Apache-2.0
#include "switch/remote_fdb.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <thread>

namespace podswitch {
namespace {

using Outcome = RemoteFdb::Outcome;

uint64_t key(uint64_t n, Fid fid = 1) {
  return fdb_key(n << 8 | 0x02, fid);
}
NextHopId hop_of(const RemoteFdb& fdb, uint64_t wanted) {
  const RemoteFdb::Hit hit = fdb.find(wanted);
  return hit ? hit.hop() : kNoNextHop;
}

TEST(RemoteFdb, FindsWhatWasLearnedInItsNetworkOnly) {
  RemoteFdb fdb({.capacity = 8});
  EXPECT_FALSE(fdb.find(key(1)));
  EXPECT_EQ(fdb.learn(key(1), 65535, 1), Outcome::Stored);
  EXPECT_EQ(hop_of(fdb, key(1)), 65535u);
  EXPECT_EQ(hop_of(fdb, key(1, 2)), kNoNextHop);
  EXPECT_EQ(fdb.learn(key(1), 65535, 2), Outcome::Unchanged);
  EXPECT_EQ(fdb.learn(key(1), 7, 2), Outcome::Stored);  // moved
  EXPECT_EQ(hop_of(fdb, key(1)), 7u);
  EXPECT_EQ(fdb.size(), 1u);
  EXPECT_TRUE(fdb.remove(key(1)));
  EXPECT_FALSE(fdb.remove(key(1)));
  EXPECT_EQ(fdb.size(), 0u);
}

TEST(RemoteFdb, KeepsStaticEntries) {
  RemoteFdb fdb({.capacity = 8, .aging_seconds = 10});
  fdb.learn(key(1), 3, 1);
  EXPECT_EQ(fdb.add_static(key(1), 4), Outcome::Stored);
  EXPECT_EQ(fdb.add_static(key(2), 4), Outcome::Stored);
  EXPECT_TRUE(fdb.find(key(1)).is_static());
  EXPECT_EQ(fdb.learn(key(1), 5, 1), Outcome::Static);
  fdb.age_slice(1000, fdb.bucket_count());
  EXPECT_EQ(hop_of(fdb, key(1)), 4u);
  EXPECT_EQ(hop_of(fdb, key(2)), 4u);
}

TEST(RemoteFdb, RefusesLearningBeyondItsCapacityButNotStaticEntries) {
  RemoteFdb fdb({.capacity = 64, .vtep_limit = 100});
  for (uint64_t i = 0; i < 64; ++i) ASSERT_EQ(fdb.learn(key(i), 1, 1), Outcome::Stored);
  EXPECT_EQ(fdb.learn(key(64), 1, 1), Outcome::TableFull);
  EXPECT_EQ(fdb.add_static(key(64), 1), Outcome::Stored);
  EXPECT_EQ(hop_of(fdb, key(64)), 1u);
}

TEST(RemoteFdb, LimitsWhatOneVtepFills) {
  RemoteFdb fdb({.capacity = 64, .vtep_limit = 2});
  EXPECT_EQ(fdb.learn(key(1), 1, 1), Outcome::Stored);
  EXPECT_EQ(fdb.learn(key(2), 1, 1), Outcome::Stored);
  EXPECT_EQ(fdb.learn(key(3), 1, 1), Outcome::VtepLimit);
  EXPECT_EQ(fdb.learn(key(3), 2, 1), Outcome::Stored);
  EXPECT_EQ(fdb.learn(key(3), 1, 1), Outcome::VtepLimit);  // nor by moving
  EXPECT_EQ(fdb.learn(key(1), 2, 1), Outcome::Stored);
  EXPECT_EQ(fdb.learn(key(4), 1, 1), Outcome::Stored);  // the move made room
  fdb.remove(key(4));
  EXPECT_EQ(fdb.learn(key(5), 1, 1), Outcome::Stored);
}

TEST(RemoteFdb, ForgetsTheSilent) {
  RemoteFdb fdb({.capacity = 64, .aging_seconds = 10});
  for (uint64_t i = 0; i < 10; ++i) fdb.learn(key(i), 1, 1);
  fdb.find(key(3)).mark_seen();
  EXPECT_EQ(fdb.age_slice(10, fdb.bucket_count()), 0u);
  EXPECT_EQ(fdb.age_slice(11, fdb.bucket_count()), 9u);
  EXPECT_EQ(hop_of(fdb, key(3)), 1u);  // last seen at 10
  EXPECT_EQ(fdb.age_slice(20, fdb.bucket_count()), 1u);
  EXPECT_EQ(fdb.size(), 0u);
}

TEST(RemoteFdb, AgesInSlices) {
  RemoteFdb fdb({.capacity = 1024, .aging_seconds = 10});
  for (uint64_t i = 0; i < 500; ++i) fdb.learn(key(i), 1, 1);
  size_t removed = 0;
  for (size_t i = 0; i < fdb.bucket_count(); ++i) removed += fdb.age_slice(100, 1);
  EXPECT_EQ(removed, 500u);
}

TEST(RemoteFdb, RemovesByWhatARecordSays) {
  RemoteFdb fdb({.capacity = 64});
  fdb.learn(key(1, 1), 1, 5);
  fdb.learn(key(1, 2), 1, 5);
  fdb.add_static(key(2, 1), 2);
  std::map<uint64_t, RemoteFdb::Record> seen;
  fdb.for_each([&](const RemoteFdb::Record& record) {
    seen.emplace(fdb_key(record.mac.as_u64(), record.fid), record);
  });
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen.at(key(1, 2)).last_seen, 5u);
  EXPECT_EQ(seen.at(key(2, 1)).hop, 2u);
  EXPECT_TRUE(seen.at(key(2, 1)).is_static);
  EXPECT_EQ(fdb.remove_if([](const auto& record) { return record.fid == 1 && !record.is_static; }), 1u);
  EXPECT_EQ(fdb.size(), 2u);
}

// Random changes on a table as full as learning may make it, against a map.
TEST(RemoteFdb, AgreesWithAMap) {
  constexpr size_t kCapacity = 16384;  // half of the places
  RemoteFdb fdb({.capacity = kCapacity, .vtep_limit = kCapacity});
  std::mt19937_64 random(7);
  std::map<uint64_t, NextHopId> expected;
  for (int i = 0; i < 200'000; ++i) {
    const uint64_t made = key(random() % 27'000);
    const auto hop = static_cast<NextHopId>(random() % 8);
    const auto known = expected.find(made);
    if (random() % 4 == 0) {
      ASSERT_EQ(fdb.remove(made), known != expected.end());
      expected.erase(made);
    } else if (known == expected.end() && expected.size() == kCapacity) {
      ASSERT_EQ(fdb.learn(made, hop, 1), Outcome::TableFull);
    } else {
      const bool same = known != expected.end() && known->second == hop;
      ASSERT_EQ(fdb.learn(made, hop, 1), same ? Outcome::Unchanged : Outcome::Stored);
      expected[made] = hop;
    }
    const uint64_t other = key(random() % 27'000);
    const auto there = expected.find(other);
    ASSERT_EQ(hop_of(fdb, other), there == expected.end() ? kNoNextHop : there->second);
  }
  EXPECT_EQ(fdb.size(), expected.size());
}

// A reader never sees another key's next hop, whatever the writer replaces meanwhile.
TEST(RemoteFdb, ReadersSeeWholeEntries) {
  constexpr uint64_t kKeys = 1100;
  RemoteFdb fdb({.capacity = 1024, .vtep_limit = 1024});
  const auto hop_for = [](uint64_t i) { return static_cast<NextHopId>(i % 1000); };
  std::atomic<bool> done{false};
  std::atomic<uint64_t> hits{0}, wrong{0};
  std::thread reader([&] {
    std::mt19937_64 random(3);
    while (!done) {
      const uint64_t i = random() % kKeys;
      const RemoteFdb::Hit hit = fdb.find(key(i));
      if (!hit) continue;
      hit.mark_seen();
      hits.fetch_add(1, std::memory_order_relaxed);
      if (hit.hop() != hop_for(i)) wrong.fetch_add(1, std::memory_order_relaxed);
    }
  });
  std::mt19937_64 random(4);
  for (uint32_t i = 0; i < 300'000 || hits == 0; ++i) {
    const uint64_t n = random() % kKeys;
    if (random() % 3 == 0)
      fdb.remove(key(n));
    else
      fdb.learn(key(n), hop_for(n), i);
    if (i % 64 == 0) fdb.age_slice(i, 8);
  }
  done = true;
  reader.join();
  EXPECT_EQ(wrong, 0u);
}

}  // namespace
}  // namespace podswitch
