// SPDX-License-Identifier: Apache-2.0
#include "pmd/aging_pace.h"

#include <gtest/gtest.h>

namespace podswitch {
namespace {

using namespace std::chrono_literals;

TEST(AgingPace, LooksAtAllOnceInARound) {
  for (const size_t buckets : {size_t{16384}, size_t{32768}, size_t{1} << 22}) {
    AgingPace pace(buckets, 5s, 10ms);
    size_t looked = 0;
    for (int tick = 0; tick < 500; ++tick) looked += pace.due(10ms);
    EXPECT_EQ(looked, buckets);
  }
}

TEST(AgingPace, ALookIsATicksPartOfTheRound) {
  AgingPace pace(1 << 22, 5s, 10ms);
  for (int tick = 0; tick < 1000; ++tick) {
    const size_t looked = pace.due(10ms);
    EXPECT_GE(looked, (1u << 22) / 500);
    EXPECT_LE(looked, (1u << 22) / 500 + 1);
  }
}

TEST(AgingPace, CountsTimeNotCalls) {
  AgingPace pace(32768, 5s, 10ms);
  size_t looked = 0;
  for (int call = 0; call < 5'000'000; ++call) looked += pace.due(1us);
  EXPECT_EQ(looked, 32768u);
}

TEST(AgingPace, MakesUpForADelayInSmallSteps) {
  constexpr size_t kTicksWorth = (size_t{1} << 22) / 500;
  AgingPace pace(1 << 22, 5s, 10ms);
  size_t looked = pace.due(100ms);
  for (size_t tick = 0; tick < 3; ++tick) {
    EXPECT_LE(looked, (tick + 1) * (4 * kTicksWorth + 4));
    looked += pace.due(10ms);
  }
  EXPECT_GE(looked, 13 * kTicksWorth);
  EXPECT_LE(looked, 13 * kTicksWorth + 13);
}

TEST(AgingPace, OwesAtMostTheWholeTable) {
  AgingPace pace(16384, 1s, 10ms);
  size_t looked = pace.due(std::chrono::hours(24 * 365));
  for (int call = 0; call < 1000; ++call) looked += pace.due(0ns);
  EXPECT_EQ(looked, 16384u);
}

TEST(AgingPace, AlwaysGetsOn) {
  AgingPace pace(1, 10s, 10ms);
  size_t looked = 0;
  for (int tick = 0; tick < 1000; ++tick) looked += pace.due(10ms);
  EXPECT_EQ(looked, 1u);
}

}  // namespace
}  // namespace podswitch
