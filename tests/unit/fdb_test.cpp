// SPDX-License-Identifier: Apache-2.0
#include "switch/fdb.h"

#include <gtest/gtest.h>

namespace podswitch {
namespace {

uint64_t key(uint64_t mac, Fid fid = 1) {
  return fdb_key(mac << 8 | 0x02, fid);
}

TEST(Fdb, LearnsMovesAndKeepsFidsApart) {
  Fdb fdb({.capacity = 64, .port_limit = 10, .aging_seconds = 300});
  EXPECT_EQ(fdb.learn(key(1), 7, 1), Fdb::Outcome::Stored);
  EXPECT_EQ(fdb.learn(key(1), 7, 2), Fdb::Outcome::Unchanged);
  EXPECT_EQ(fdb.find(key(1)).port, 7);
  EXPECT_FALSE(fdb.find(key(1, 2)));
  EXPECT_EQ(fdb.learn(key(1), 8, 3), Fdb::Outcome::Stored);
  EXPECT_EQ(fdb.find(key(1)).port, 8);
  EXPECT_EQ(fdb.moves(), 1u);
  EXPECT_EQ(fdb.size(), 1u);
}

TEST(Fdb, StaticEntriesAreNeitherMovedNorAged) {
  Fdb fdb({.capacity = 64, .port_limit = 10, .aging_seconds = 5});
  fdb.add_static(key(1), 3);
  EXPECT_EQ(fdb.learn(key(1), 4, 1), Fdb::Outcome::Static);
  EXPECT_EQ(fdb.age_slice(1000, fdb.bucket_count()), 0u);
  EXPECT_EQ(fdb.find(key(1)).port, 3);
  EXPECT_TRUE(fdb.find(key(1)).is_static);
}

TEST(Fdb, AgesWhatWasNotSeen) {
  Fdb fdb({.capacity = 64, .port_limit = 10, .aging_seconds = 5});
  fdb.learn(key(1), 3, 10);
  fdb.learn(key(2), 3, 10);
  fdb.find(key(2)).last_seen->store(14);
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
  // Two choices of four places, with a few moves, at half load or less: a refusal would be a broken
  // hash.
  EXPECT_EQ(stored, 131072u);
  for (uint64_t i = 1; i <= 131072; ++i) ASSERT_TRUE(fdb.find(key(i))) << i;
}

}  // namespace
}  // namespace podswitch
