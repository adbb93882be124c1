// SPDX-License-Identifier: Apache-2.0
#include "pmd/underlay.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "switch/net/headers.h"
#include "tests/unit/packet_builder.h"

namespace podswitch {
namespace {

using test::ip4;
using test::mac;

constexpr std::string_view kOwn = "02:00:00:00:00:ee";

class UnderlayTest : public testing::Test {
 protected:
  UnderlayTest()
      : underlay_(table_, link_hosts_, test::packet_pool(), [this](PortId port, rte_mbuf* packet) {
          sent_.emplace_back(port, test::PacketPtr(packet));
        }) {
    set(1);
  }
  static std::shared_ptr<PlannedHop> hop(NextHopId id, const IpAddress& via) {
    auto planned = std::make_shared<PlannedHop>(PlannedHop{.id = id, .hop = {}, .via = via, .tunnel = {}});
    planned->hop.kind = NextHop::Kind::Underlay;
    planned->hop.port = 2;
    return planned;
  }
  static std::shared_ptr<PlannedHop> tunnel(NextHopId id, const IpAddress& vtep, const IpAddress& via) {
    auto planned = hop(id, via);
    planned->hop.kind = NextHop::Kind::Tunnel;
    planned->hop.mtu = 1450;
    planned->tunnel = TunnelSpec{};
    planned->tunnel->outer_source = IpAddress(ip4("192.0.2.1"));
    planned->tunnel->outer_destination = vtep;
    return planned;
  }
  static Underlay::Uplink uplink(uint16_t vlan = 0) {
    return {2, kFid, vlan, mac(kOwn), ip4("192.0.2.1"), std::nullopt};
  }
  static PlannedHops hops(std::initializer_list<std::shared_ptr<PlannedHop>> list) {
    PlannedHops hops;
    for (const auto& hop : list) hops.insert_or_assign(hop->id, hop);
    return hops;
  }
  void set(uint32_t now) { underlay_.set(uplink(), hops({hop(5, kNeighbour)}), now); }
  // Frames sent since the last call, as text.
  std::vector<std::string> sent() {
    std::vector<std::string> frames;
    for (const auto& [port, packet] : sent_) frames.push_back(test::text_of(*packet));
    sent_.clear();
    return frames;
  }
  static std::string request(std::string_view to, std::string_view who = "192.0.2.9") {
    return test::text_of(test::Packet().eth(kOwn, to).arp(1, kOwn, "192.0.2.1", test::kZeroMac, who).bytes());
  }

  static constexpr Fid kFid = 3;
  const IpAddress kNeighbour{ip4("192.0.2.9")};
  NextHopTable table_;
  NeighbourTable link_hosts_{{.capacity = 100}};
  std::vector<std::pair<PortId, test::PacketPtr>> sent_;
  Underlay underlay_;
};

TEST_F(UnderlayTest, TheTableSaysWhatKindAHopIsWithoutTheHop) {
  const NextHopTable empty;
  EXPECT_EQ(table_.memory_bytes(), empty.memory_bytes() + sizeof(NextHop));
  EXPECT_EQ(empty.kind_of(5), NextHop::Kind::None);
  EXPECT_EQ(table_.kind_of(5), NextHop::Kind::UnderlayUnresolved);
  underlay_.heard(kNeighbour, mac("02:00:00:00:00:09"), 2);
  EXPECT_EQ(table_.kind_of(5), NextHop::Kind::Underlay);
  underlay_.set(uplink(), {}, 3);
  EXPECT_EQ(table_.kind_of(5), NextHop::Kind::None);
  EXPECT_EQ(table_.memory_bytes(), empty.memory_bytes());
}

TEST_F(UnderlayTest, AsksUntilItHears) {
  EXPECT_EQ(table_[5].kind, NextHop::Kind::UnderlayUnresolved);
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
  EXPECT_EQ(table_[5].kind, NextHop::Kind::UnderlayUnresolved);
  EXPECT_EQ(sent(), std::vector{request(test::kBroadcastMac)});
}

TEST_F(UnderlayTest, SaysOfWhoDoesNotAnswerThatHeIsSilent) {
  for (uint32_t now = 2; now <= 3; ++now) {
    underlay_.every_second(now);
    EXPECT_FALSE(table_[5].is_silent) << now;
  }
  EXPECT_EQ(sent().size(), 4u);  // who we are, and three questions
  underlay_.every_second(4);
  EXPECT_EQ(table_[5].kind, NextHop::Kind::UnderlayUnresolved);
  EXPECT_TRUE(table_[5].is_silent);
  underlay_.heard(kNeighbour, mac("02:00:00:00:00:09"), 5);
  EXPECT_EQ(table_[5].kind, NextHop::Kind::Underlay);
  EXPECT_FALSE(table_[5].is_silent);
  underlay_.every_second(65);  // was asked for half a minute
  EXPECT_TRUE(table_[5].is_silent);
}

TEST_F(UnderlayTest, HostsOnTheLinkAreSilentForAMoment) {
  const IpAddress host(ip4("192.0.2.77"));
  underlay_.wanted(host, 1);
  for (uint32_t now = 2; now <= 3; ++now) underlay_.every_second(now);
  EXPECT_FALSE(link_hosts_.peek(kFid, host));
  underlay_.every_second(4);
  EXPECT_EQ(link_hosts_.peek(kFid, host), MacAddress{});
  const auto list = underlay_.neighbours(4);
  ASSERT_EQ(list.size(), 2u);
  EXPECT_FALSE(list[1].mac);
  underlay_.wanted(host, 5);  // nobody is asked about him meanwhile
  for (uint32_t now = 5; now <= 12; ++now) underlay_.every_second(now);
  EXPECT_FALSE(link_hosts_.peek(kFid, host));
}

TEST_F(UnderlayTest, AHostThatWakesUpIsNoLongerSilent) {
  const IpAddress host(ip4("192.0.2.77"));
  underlay_.wanted(host, 1);
  for (uint32_t now = 2; now <= 4; ++now) underlay_.every_second(now);
  underlay_.heard(host, mac("02:00:00:00:00:77"), 5);
  EXPECT_EQ(link_hosts_.peek(kFid, host), mac("02:00:00:00:00:77"));
  EXPECT_EQ(underlay_.neighbours(5)[1].mac, mac("02:00:00:00:00:77"));
}

TEST_F(UnderlayTest, ASilentNextHopIsASilentHost) {
  for (uint32_t now = 2; now <= 4; ++now) underlay_.every_second(now);
  underlay_.wanted(kNeighbour, 5);
  EXPECT_EQ(link_hosts_.peek(kFid, kNeighbour), MacAddress{});
}

TEST_F(UnderlayTest, TellsTheLinkWhenItsFramesTakeAnotherWay) {
  Underlay::Uplink dual = uplink();
  dual.v6 = test::ip6("2001:db8::1");
  underlay_.set(dual, {}, 1);
  sent();
  underlay_.follow_way(2, 1);
  const auto told = sent();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0], request(test::kBroadcastMac, "192.0.2.1"));
  EXPECT_EQ(told[1], test::text_of(test::Packet()
                                       .eth(kOwn, "33:33:00:00:00:01")
                                       .ipv6("2001:db8::1", "ff02::1", {.hop_limit = 255})
                                       .advertisement("2001:db8::1", 0x20000000)
                                       .nd_option(2, kOwn)
                                       .bytes()));
  underlay_.follow_way(2, 1);
  underlay_.follow_way(3, 7);  // another port
  EXPECT_TRUE(sent().empty());
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

TEST_F(UnderlayTest, AsksWhoNeverAnswersLessAndLessOften) {
  sent();
  std::vector<uint32_t> asked;
  for (uint32_t now = 2; now < 40; ++now) {
    underlay_.every_second(now);
    if (!sent().empty()) asked.push_back(now);
  }
  EXPECT_EQ(asked, (std::vector<uint32_t>{2, 3, 4, 5, 7, 11, 19, 27, 35}));
}

TEST_F(UnderlayTest, WritesOnlyWhatIsNew) {
  const auto five = hop(5, kNeighbour), six = hop(6, kNeighbour);
  underlay_.set(uplink(), hops({five}), 2);
  const NextHop* before = &table_[5];
  EXPECT_TRUE(underlay_.set(uplink(), hops({six, five}), 3).empty());
  EXPECT_EQ(&table_[5], before);
  EXPECT_EQ(table_[6].kind, NextHop::Kind::UnderlayUnresolved);
  underlay_.heard(kNeighbour, mac("02:00:00:00:00:09"), 3);
  EXPECT_EQ(table_[5].kind, NextHop::Kind::Underlay);
  EXPECT_EQ(table_[6].kind, NextHop::Kind::Underlay);
  EXPECT_EQ(underlay_.set(uplink(), hops({six}), 4).size(), 1u);
  EXPECT_EQ(table_[5].kind, NextHop::Kind::None);
  EXPECT_EQ(table_[6].kind, NextHop::Kind::Underlay);
}

TEST_F(UnderlayTest, TagsItsFramesInAVlan) {
  sent();
  underlay_.set(uplink(100), hops({hop(5, kNeighbour)}), 2);
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[1], test::text_of(test::Packet()
                                         .eth(kOwn, test::kBroadcastMac)
                                         .vlan(100)
                                         .arp(1, kOwn, "192.0.2.1", test::kZeroMac, "192.0.2.9")
                                         .bytes()));
}

TEST_F(UnderlayTest, FindsHostsOnTheLink) {
  const IpAddress host(ip4("192.0.2.77"));
  sent();
  underlay_.wanted(host, 2);
  underlay_.wanted(host, 2);
  EXPECT_EQ(sent(), std::vector{request(test::kBroadcastMac, "192.0.2.77")});
  underlay_.heard(host, mac("02:00:00:00:00:77"), 2);
  EXPECT_EQ(link_hosts_.peek(kFid, host), mac("02:00:00:00:00:77"));
  underlay_.heard(IpAddress(ip4("192.0.2.78")), mac("02:00:00:00:00:78"), 2);
  EXPECT_FALSE(link_hosts_.peek(kFid, IpAddress(ip4("192.0.2.78")))) << "nobody asked for it";
  underlay_.heard(host, mac("02:00:00:00:00:79"), 3);
  EXPECT_EQ(link_hosts_.peek(kFid, host), mac("02:00:00:00:00:79"));
  underlay_.wanted(kNeighbour, 2);
  sent();
  EXPECT_EQ(underlay_.neighbours(3).size(), 2u);
  underlay_.set({}, {}, 4);
  EXPECT_EQ(link_hosts_.size(), 0u);
}

TEST_F(UnderlayTest, AsksUsedHostsAgainAndForgetsTheRest) {
  const IpAddress used(ip4("192.0.2.77")), unused(ip4("192.0.2.78"));
  underlay_.heard(kNeighbour, mac("02:00:00:00:00:09"), 1);
  for (const IpAddress& host : {used, unused}) {
    underlay_.wanted(host, 2);
    underlay_.heard(host, mac("02:00:00:00:00:77"), 1);
  }
  sent();
  unsigned asked = 0;
  for (uint32_t now = 2; now < 120; ++now) {
    underlay_.heard(kNeighbour, mac("02:00:00:00:00:09"), now);
    (void)link_hosts_.find(kFid, used);
    underlay_.every_second(now);
    const auto frames = sent();
    if (std::find(frames.begin(), frames.end(), request("02:00:00:00:00:77", "192.0.2.77")) != frames.end()) {
      ++asked;
      underlay_.heard(used, mac("02:00:00:00:00:77"), now);
    }
    EXPECT_TRUE(now > 30 || link_hosts_.peek(kFid, unused));
  }
  EXPECT_EQ(asked, 3u);
  EXPECT_TRUE(link_hosts_.peek(kFid, used));
  EXPECT_FALSE(link_hosts_.peek(kFid, unused));
  for (uint32_t now = 120; now < 190; ++now) {  // it is used and silent
    (void)link_hosts_.find(kFid, used);
    underlay_.every_second(now);
  }
  EXPECT_FALSE(link_hosts_.peek(kFid, used));
}

TEST_F(UnderlayTest, AScanOfTheLinkGetsNoFurther) {
  underlay_.heard(kNeighbour, mac("02:00:00:00:00:09"), 1);
  sent();
  for (unsigned i = 0; i < 5000; ++i)
    underlay_.wanted(IpAddress(Ipv4Address{{192, 0, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)}}),
                     2);
  EXPECT_EQ(sent().size(), 1024u);
  for (uint32_t now = 2; now <= 4; ++now) underlay_.every_second(now);
  EXPECT_EQ(sent().size(), 2048u) << "three questions in all";
  underlay_.wanted(IpAddress(ip4("192.0.20.77")), 2);
  EXPECT_EQ(sent().size(), 1u) << "there is room again";
}

TEST_F(UnderlayTest, NotesWhatFitsOnTheWay) {
  const IpAddress vtep(ip4("203.0.113.2"));
  underlay_.set(uplink(), hops({tunnel(5, vtep, kNeighbour), tunnel(6, kNeighbour, kNeighbour)}), 2);
  underlay_.heard(kNeighbour, mac("02:00:00:00:00:09"), 2);
  EXPECT_EQ(table_[5].mtu, 1450);
  EXPECT_EQ(underlay_.too_big(vtep, 1400, 10).size(), 1u);
  EXPECT_EQ(table_[5].kind, NextHop::Kind::Tunnel);
  EXPECT_EQ(table_[5].mtu, 1350);
  EXPECT_EQ(table_[6].mtu, 1450);
  EXPECT_EQ(underlay_.path_mtus(), (std::map<IpAddress, uint16_t>{{vtep, 1400}}));
  EXPECT_TRUE(underlay_.too_big(vtep, 1450, 11).empty()) << "an error never raises it";
  EXPECT_TRUE(underlay_.too_big(IpAddress(ip4("203.0.113.3")), 1400, 11).empty());
  underlay_.too_big(vtep, 68, 20);
  EXPECT_EQ(table_[5].mtu, 576 - 50);
  underlay_.every_second(619);
  EXPECT_EQ(table_[5].mtu, 576 - 50);
  underlay_.every_second(620);
  EXPECT_EQ(table_[5].mtu, 1450);
  EXPECT_TRUE(underlay_.path_mtus().empty());
}

TEST_F(UnderlayTest, EmptiesWhatIsNoLongerPlanned) {
  underlay_.set({}, {}, 2);
  EXPECT_EQ(table_[5].kind, NextHop::Kind::None);
}

}  // namespace
}  // namespace podswitch
