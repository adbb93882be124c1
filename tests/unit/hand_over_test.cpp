// SPDX-License-Identifier: Apache-2.0
#include "switch/hand_over.h"

#include <gtest/gtest.h>

namespace podswitch {
namespace {

HandedOver item(size_t number, PortId in_port = 2) {
  HandedOver made{};
  made.packet = reinterpret_cast<rte_mbuf*>(number);
  made.in_port = in_port;
  return made;
}

TEST(HandOverRing, GivesInOrderWhatWasPublished) {
  HandOverRing ring;
  std::array<HandedOver, kBurstSize> got;
  for (size_t i = 1; i <= 40; ++i) ASSERT_TRUE(ring.put(item(i)));
  EXPECT_EQ(ring.take(got.data(), kBurstSize), 0);
  ring.publish();
  ASSERT_EQ(ring.take(got.data(), kBurstSize), 32);
  EXPECT_FALSE(ring.is_empty());
  ASSERT_EQ(ring.take(got.data(), kBurstSize), 8);
  EXPECT_EQ(got[7].packet, item(40).packet);
  EXPECT_TRUE(ring.is_empty());
}

TEST(HandOverRing, KeepsThePlaceOfWhatHasNotBeenSent) {
  HandOverRing ring;
  HandedOver got;
  for (size_t i = 0; i < HandOverRing::kCapacity; ++i) ASSERT_TRUE(ring.put(item(i)));
  EXPECT_FALSE(ring.put(item(0)));
  ring.publish();
  ASSERT_EQ(ring.take(&got, 1), 1);
  EXPECT_FALSE(ring.put(item(0)));
  EXPECT_FALSE(ring.is_past(1));
  ring.finish();
  EXPECT_TRUE(ring.is_past(1));
  EXPECT_FALSE(ring.is_past(2));
  EXPECT_TRUE(ring.put(item(0)));
  EXPECT_FALSE(ring.put(item(0)));
}

TEST(HandOverRing, TakesPacketsOfOnePortAtATime) {
  HandOverRing ring;
  for (const PortId port : {3, 3, 4, 3}) ring.put(item(1, port));
  ring.publish();
  std::array<HandedOver, kBurstSize> got;
  EXPECT_EQ(ring.take(got.data(), kBurstSize), 2);
  EXPECT_EQ(ring.take(got.data(), kBurstSize), 1);
  EXPECT_EQ(ring.take(got.data(), kBurstSize), 1);
  EXPECT_TRUE(ring.is_empty());
}

TEST(Doorbell, WakesOnlyWhoMaySleep) {
  Doorbell bell;
  EXPECT_FALSE(bell.answer());
  EXPECT_FALSE(bell.ring());
  bell.arm();  // rung before: it will look
  EXPECT_FALSE(bell.ring());
  EXPECT_TRUE(bell.answer());
  EXPECT_FALSE(bell.answer());
  bell.arm();
  EXPECT_FALSE(bell.answer());
  EXPECT_TRUE(bell.ring());
  EXPECT_FALSE(bell.ring());
  bell.disarm();  // does not silence it
  EXPECT_TRUE(bell.answer());
  bell.arm();
  bell.disarm();
  EXPECT_FALSE(bell.ring());
}

}  // namespace
}  // namespace podswitch
