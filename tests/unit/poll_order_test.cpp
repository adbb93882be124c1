// SPDX-License-Identifier: Apache-2.0
#include "pmd/poll_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace podswitch {
namespace {

// Queues that bring `traffic[i]` packets at every poll.
struct Queues {
  explicit Queues(uint16_t count) : traffic(count), order(count) {}

  std::vector<uint16_t> round() {
    std::vector<uint16_t> polled;
    packets = order.round([&](uint16_t queue) {
      polled.push_back(queue);
      return traffic[queue];
    });
    return polled;
  }
  void cool_down() {
    for (int i = 0; i < PollOrder::kPatience; ++i) round();
  }

  std::vector<uint32_t> traffic;
  PollOrder order;
  uint32_t packets = 0;
};

TEST(PollOrderTest, NoQueuesBringNothing) {
  EXPECT_EQ(PollOrder().round([](uint16_t) { return 1; }), 0u);
}

TEST(PollOrderTest, AllArePolledInTheBeginning) {
  Queues queues(5);
  queues.traffic[3] = 32;
  EXPECT_EQ(queues.round(), (std::vector<uint16_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(queues.packets, 32u);
}

TEST(PollOrderTest, ColdQueuesShareARoundsLooks) {
  Queues queues(200);
  queues.traffic[7] = 32;
  queues.cool_down();
  const std::vector<uint16_t> polled = queues.round();
  EXPECT_EQ(polled.size(), 1 + 32 / PollOrder::kPacketsPerLook + 1);
  EXPECT_EQ(polled.front(), 7);
}

TEST(PollOrderTest, EveryColdQueueGetsItsTurnInAFixedTime) {
  Queues queues(200);
  queues.traffic[7] = 32;
  queues.cool_down();
  std::set<uint16_t> seen;
  for (int i = 0; i < 199 / 9 + 1; ++i)
    for (const uint16_t queue : queues.round()) seen.insert(queue);
  EXPECT_EQ(seen.size(), 200u);
}

TEST(PollOrderTest, SlowTrafficDoesNotKeepColdQueuesWaiting) {
  Queues queues(1000);
  queues.traffic[7] = 1;
  queues.cool_down();
  std::set<uint16_t> seen;
  for (uint32_t i = 0; i < PollOrder::kMostRounds; ++i)
    for (const uint16_t queue : queues.round()) seen.insert(queue);
  EXPECT_EQ(seen.size(), 1000u);
}

TEST(PollOrderTest, ColdQueueWithAPacketIsHotAgain) {
  Queues queues(200);
  queues.traffic[7] = 32;
  queues.cool_down();
  queues.traffic[150] = 1;
  for (int i = 0; i < 199 / 9 + 1; ++i) queues.round();
  for (int i = 0; i < 3; ++i) {
    const std::vector<uint16_t> polled = queues.round();
    EXPECT_EQ(std::count(polled.begin(), polled.end(), 150), 1);
  }
}

// A worker sleeps after a round without packets: it must have looked everywhere.
TEST(PollOrderTest, RoundWithoutPacketsHasPolledAllQueuesOnce) {
  Queues queues(50);
  queues.cool_down();
  const std::vector<uint16_t> polled = queues.round();
  EXPECT_EQ(polled.size(), 50u);
  EXPECT_EQ(std::set<uint16_t>(polled.begin(), polled.end()).size(), 50u);
}

TEST(PollOrderTest, OneColdPacketDoesNotHideAnother) {
  Queues queues(50);
  queues.cool_down();
  queues.traffic[10] = queues.traffic[40] = 1;
  queues.round();
  EXPECT_EQ(queues.packets, 2u);
  // Both are hot now; the others are still polled in turns.
  EXPECT_EQ(queues.round().size(), 2u + 1);
}

}  // namespace
}  // namespace podswitch
