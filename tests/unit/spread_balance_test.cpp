// SPDX-License-Identifier: Apache-2.0
#include "pmd/spread_balance.h"

#include <gtest/gtest.h>

#include "tests/unit/spread_rig.h"

namespace podswitch::test {
namespace {

class BalanceTest : public testing::Test {
 protected:
  // One window in which the uplink's bursts were full, or not.
  void window(bool full, const std::vector<double>& busy) {
    for (uint32_t i = 0; i < SpreadBalance::kFewestBursts; ++i)
      mesh_.spreader->saw_burst(full ? kBurstSize : 3);
    balance_.step(busy);
  }
  // `count` packets for worker 1, of a flow that is its.
  void fill(size_t count) {
    PacketPtr packet = inner(1).mbuf();
    mesh_.spreader->want(share_of(*packet), 1);
    for (size_t i = 0; i < count; ++i) mesh_.spreader->offer(*packet, decapsulated(*packet), kUplink);
    mesh_.spreader->publish();
  }
  unsigned kept() const { return mesh_.owned_by(kSelf); }

  static constexpr unsigned kAll = Spreader::kShares, kStep = SpreadBalance::kStep;
  Mesh mesh_{2};
  SpreadBalance balance_{*mesh_.spreader, kSelf};
};

TEST_F(BalanceTest, GivesAwayWhenOverloadedForAWhile) {
  for (uint32_t i = 1; i < SpreadBalance::kPatience; ++i) window(true, {1, 0.5, 0.2});
  EXPECT_EQ(kept(), kAll);
  window(true, {1, 0.5, 0.2});
  EXPECT_EQ(mesh_.owned_by(2), kStep);
  window(true, {1, 0.5, 0.6});
  EXPECT_EQ(mesh_.owned_by(1), kStep);
  EXPECT_EQ(kept(), kAll - 2 * kStep);
}

TEST_F(BalanceTest, NeitherBusyAloneNorFullBurstsAloneAreOverload) {
  for (int i = 0; i < 20; ++i) window(false, {1, 0, 0});
  for (int i = 0; i < 20; ++i) window(true, {0.7, 0, 0});
  for (int i = 0; i < 20; ++i) window(i % 2 == 0, {1, 0, 0});
  EXPECT_EQ(kept(), kAll);
}

TEST_F(BalanceTest, GivesNothingToTheBusy) {
  for (int i = 0; i < 20; ++i) window(true, {1, 0.85, 0.95});
  EXPECT_EQ(kept(), kAll);
}

TEST_F(BalanceTest, TakesBackWhenCalm) {
  for (uint32_t i = 0; i < SpreadBalance::kPatience + 1; ++i) window(true, {1, 0.1, 0.9});
  ASSERT_EQ(kept(), kAll - 2 * kStep);
  for (uint32_t i = 0; i < 10 * SpreadBalance::kCalmWindows; ++i) window(false, {0.7, 0.1, 0.1});
  EXPECT_EQ(kept(), kAll - 2 * kStep);
  for (uint32_t i = 0; i < SpreadBalance::kCalmWindows; ++i) window(false, {0.4, 0.1, 0.1});
  EXPECT_EQ(kept(), kAll - kStep);
  for (uint32_t i = 0; i < SpreadBalance::kCalmWindows; ++i) window(false, {0.4, 0.1, 0.1});
  EXPECT_EQ(kept(), kAll);
  EXPECT_FALSE(mesh_.spreader->is_active());
}

TEST_F(BalanceTest, TakesAwayFromAWorkerThatCannotKeepUp) {
  for (uint16_t share = 0; share < kAll; ++share) mesh_.spreader->want(share, 1);
  fill(HandOverRing::kCapacity + 1);
  window(false, {0.5, 1, 0.9});
  EXPECT_EQ(kept(), kStep);
  fill(1);
  window(false, {0.5, 1, 0.1});
  EXPECT_EQ(mesh_.owned_by(2), kStep);
  const unsigned left = mesh_.owned_by(1);
  window(false, {0.5, 1, 0.1});  // nothing overflowed any more
  EXPECT_EQ(mesh_.owned_by(1), left);
}

}  // namespace
}  // namespace podswitch::test
