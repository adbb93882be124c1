// SPDX-License-Identifier: Apache-2.0
#include "pmd/underlay.h"

#include <gtest/gtest.h>

#include "switch/net/headers.h"
#include "tests/unit/packet_builder.h"

namespace podswitch {
namespace {

using test::ip4;
using test::mac;

class UnderlayTest : public testing::Test {
 protected:
  UnderlayTest()
      : underlay_(table_, test::packet_pool(), [this](PortId port, rte_mbuf* packet) {
          sent_.emplace_back(port, test::PacketPtr(packet));
        }) {
    set(1);
  }
  void set(uint32_t now) {
    PlannedHop planned{.id = 5, .hop = {}, .via = kNeighbour, .tunnel = {}};
    planned.hop.kind = NextHop::Kind::Underlay;
    planned.hop.port = 2;
    underlay_.set({2, mac("02:00:00:00:00:ee"), ip4("192.0.2.1"), std::nullopt}, {planned}, now);
  }
  // Frames sent since the last call, as text.
  std::vector<std::string> sent() {
    std::vector<std::string> frames;
    for (const auto& [port, packet] : sent_) frames.push_back(test::text_of(*packet));
    sent_.clear();
    return frames;
  }
  static std::string request(std::string_view to) {
    return test::text_of(test::Packet()
                             .eth("02:00:00:00:00:ee", to)
                             .arp(1, "02:00:00:00:00:ee", "192.0.2.1", test::kZeroMac, "192.0.2.9")
                             .bytes());
  }

  const IpAddress kNeighbour{ip4("192.0.2.9")};
  NextHopTable table_;
  std::vector<std::pair<PortId, test::PacketPtr>> sent_;
  Underlay underlay_;
};

TEST_F(UnderlayTest, TheTableSaysWhatKindAHopIsWithoutTheHop) {
  const NextHopTable empty;
  EXPECT_EQ(table_.memory_bytes(), empty.memory_bytes() + sizeof(NextHop));
  EXPECT_EQ(empty.kind_of(5), NextHop::Kind::None);
  EXPECT_EQ(table_.kind_of(5), NextHop::Kind::Unresolved);
  underlay_.heard(kNeighbour, mac("02:00:00:00:00:09"), 2);
  EXPECT_EQ(table_.kind_of(5), NextHop::Kind::Underlay);
  underlay_.set({2, mac("02:00:00:00:00:ee"), ip4("192.0.2.1"), std::nullopt}, {}, 3);
  EXPECT_EQ(table_.kind_of(5), NextHop::Kind::None);
  EXPECT_EQ(table_.memory_bytes(), empty.memory_bytes());
}

TEST_F(UnderlayTest, AsksUntilItHears) {
  EXPECT_EQ(table_[5].kind, NextHop::Kind::Unresolved);
  const auto first = sent();
  ASSERT_EQ(first.size(), 2u);  // who we are, and the question
  EXPECT_EQ(first[1], request(test::kBroadcastMac));
  underlay_.every_second(2);
  EXPECT_EQ(sent(), std::vector{request(test::kBroadcastMac)});
  underlay_.heard(kNeighbour, mac("02:00:00:00:00:09"), 2);
  EXPECT_EQ(table_[5].kind, NextHop::Kind::Underlay);
  EXPECT_EQ(std::vector<uint8_t>(table_[5].macs.begin(), table_[5].macs.begin() + 6),
            (std::vector<uint8_t>{2, 0, 0, 0, 0, 9}));
  underlay_.every_second(3);
  EXPECT_TRUE(sent().empty());
}

TEST_F(UnderlayTest, AsksTheSilentAndGivesThemUp) {
  underlay_.heard(kNeighbour, mac("02:00:00:00:00:09"), 2);
  sent();
  underlay_.every_second(31);
  EXPECT_TRUE(sent().empty());
  underlay_.every_second(32);
  EXPECT_EQ(sent(), std::vector{request("02:00:00:00:00:09")});
  underlay_.every_second(61);
  EXPECT_EQ(table_[5].kind, NextHop::Kind::Underlay);
  sent();
  underlay_.every_second(62);
  EXPECT_EQ(table_[5].kind, NextHop::Kind::Unresolved);
  EXPECT_EQ(sent(), std::vector{request(test::kBroadcastMac)});
}

TEST_F(UnderlayTest, FollowsANewMacAndKeepsItOverAChange) {
  underlay_.heard(kNeighbour, mac("02:00:00:00:00:09"), 2);
  EXPECT_TRUE(underlay_.heard(kNeighbour, mac("02:00:00:00:00:09"), 3).empty());
  EXPECT_EQ(underlay_.heard(kNeighbour, mac("02:00:00:00:00:0a"), 4).size(), 1u);
  EXPECT_EQ(table_[5].macs[5], 0x0a);
  set(5);
  EXPECT_EQ(table_[5].kind, NextHop::Kind::Underlay);
  EXPECT_TRUE(underlay_.heard(IpAddress(ip4("192.0.2.77")), mac("02:00:00:00:00:0b"), 6).empty());
}

TEST_F(UnderlayTest, EmptiesWhatIsNoLongerPlanned) {
  underlay_.set({}, {}, 2);
  EXPECT_EQ(table_[5].kind, NextHop::Kind::None);
}

}  // namespace
}  // namespace podswitch
