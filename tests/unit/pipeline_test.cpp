// SPDX-License-Identifier: Apache-2.0
// The stages together: which frame goes where, and what provokes each reason that a stage drops for.
#include <gtest/gtest.h>

#include <algorithm>

#include "switch/mtu.h"
#include "tests/unit/provoked.h"
#include "tests/unit/rig.h"

namespace podswitch::test {
namespace {

// Network "default": 1 is a pod with addresses, 2 a pod with a MAC, 3 and 4 belong to nobody, 5 is an access
// port of VLAN 7, 6 and 7 are trunks of 7 and 8, 10 has a small MTU. Port 9 is alone in its network.
constexpr std::string_view kMac1 = "02:00:00:00:00:01";
constexpr std::string_view kMac2 = "02:00:00:00:00:02";
constexpr std::string_view kMac3 = "02:00:00:00:00:03";
constexpr std::string_view kMac5 = "02:00:00:00:00:05";
constexpr std::string_view kMac6 = "02:00:00:00:00:06";
constexpr std::string_view kMac10 = "02:00:00:00:00:10";
constexpr std::string_view kUnknown = "02:00:00:00:00:99";
constexpr std::string_view kGateway = "02:aa:00:00:00:fe";

std::vector<BridgePort> ports() {
  return {
      {.id = 1, .mac = mac(kMac1), .ips = {*IpAddress::parse("10.0.0.1"), *IpAddress::parse("2001:db8::1")}},
      {.id = 2, .mac = mac(kMac2)},
      {.id = 3},
      {.id = 4},
      {.id = 5, .vlan = {.mode = VlanMode::Access, .access = 7}},
      {.id = 6, .vlan = {.mode = VlanMode::Trunk, .trunk = {7, 8}}},
      {.id = 7, .vlan = {.mode = VlanMode::Trunk, .trunk = {7, 8}}},
      {.id = 9, .network = "lonely"},
      {.id = 10, .mac = mac(kMac10), .mtu = 600}};
}

class Pipeline : public testing::Test {
 protected:
  // Lets the switch learn where `address` lives.
  void learn(PortId port, std::string_view address, std::optional<uint16_t> tag = {}) {
    Packet packet = Packet().eth(address, kUnknown);
    if (tag) packet.vlan(*tag);
    rig.send(port, packet.ipv4("10.9.9.9", "10.9.9.8"));
    rig.apply_learned();
  }
  Rig rig{ports(), {mac(kGateway), {*IpAddress::parse("10.0.0.254")}}};
};

Packet plain(std::string_view source, std::string_view destination) {
  return Packet().eth(source, destination).ipv4("10.0.0.1", "10.0.0.2").udp(1, 2).payload(30);
}
Packet tagged(std::string_view source, std::string_view destination, uint16_t tci) {
  return Packet().eth(source, destination).vlan(tci).ipv4("10.0.0.3", "10.0.0.2").udp(1, 2).payload(30);
}

TEST_F(Pipeline, EveryReasonOfAStageHasAFrame) {
  learn(3, kMac3);
  struct Case {
    DropReason reason;
    PortId in;
    Packet packet;
    uint64_t flags = 0;
  };
  const Packet own = Packet().eth(kMac1, kMac3);
  const std::vector<Case> cases{
      {DropReason::Malformed, 3, plain(kMac3, kMac1).cut(60)},
      {DropReason::SourceMacInvalid, 3, plain(kBroadcastMac, kMac1)},
      {DropReason::SourceMacInvalid, 3, plain(kZeroMac, kMac1)},
      {DropReason::VlanTagged, 3, tagged(kMac3, kMac1, 7)},
      {DropReason::VlanTagged, 5, tagged(kMac5, kMac1, 7)},
      {DropReason::VlanUntagged, 6, plain(kMac6, kMac1)},
      {DropReason::VlanUntagged, 6, tagged(kMac6, kMac1, 0)},
      {DropReason::VlanNotAllowed, 6, tagged(kMac6, kMac1, 9)},
      {DropReason::OffloadInvalid, 3, Packet().eth(kMac3, kMac1).ether_type(0x88cc).payload(50),
       RTE_MBUF_F_RX_L4_CKSUM_NONE},
      {DropReason::GuardMac, 1, plain(kMac3, kMac2)},
      {DropReason::GuardIpv4, 1, Packet(own).ipv4("10.0.0.9", "10.0.0.2")},
      {DropReason::GuardIpv6, 1, Packet(own).ipv6("2001:db8::9", "2001:db8::2")},
      {DropReason::GuardArp, 1, Packet(own).arp(2, kMac1, "10.0.0.9", kMac3, "10.0.0.3")},
      {DropReason::GuardNd, 1,
       Packet(own).ipv6("2001:db8::1", "2001:db8::2").advertisement("2001:db8::9", 0)},
      {DropReason::GuardEtherType, 1, Packet(own).ether_type(0x88cc).payload(50)},
      {DropReason::MacOfOtherPort, 3, plain(kMac2, kMac1)},
      {DropReason::ReservedGroup, 3, plain(kMac3, "01:80:c2:00:00:0e")},
      {DropReason::GatewayNotRouted, 3, Packet().eth(kMac3, kGateway).ether_type(0x88cc).payload(50)},
      {DropReason::RouteNone, 3, plain(kMac3, kGateway)},
      {DropReason::SamePort, 3, plain(kUnknown, kMac3)},
      {DropReason::NoOtherPort, 9, plain(kMac3, kBroadcastMac)},
      {DropReason::MtuExceeded, 3, plain(kMac3, kMac10).payload(600)},
  };
  for (const Case& c : cases) {
    PacketPtr packet = c.packet.mbuf();
    packet->ol_flags = c.flags;
    EXPECT_EQ(rig.send(c.in, std::move(packet)).verdict(), info(c.reason).name);
    provoked_reasons().insert(c.reason);
  }
  // A frame without room for the tag of the trunk it goes to.
  learn(6, kMac6, 7);
  PacketPtr full = plain(kMac5, kMac6).mbuf();
  const Bytes frame = bytes_of(*full);
  full->data_off = 0;
  std::copy(frame.begin(), frame.end(), rte_pktmbuf_mtod(full.get(), uint8_t*));
  EXPECT_EQ(rig.send(5, std::move(full)).verdict(), "no_buffer");
  provoked_reasons().insert(DropReason::NoBuffer);
}

TEST_F(Pipeline, FloodsWhatItDoesNotKnowAndLearns) {
  EXPECT_EQ(rig.send(3, plain(kMac3, kUnknown)).verdict(), "flood");
  rig.apply_learned();
  EXPECT_EQ(rig.send(4, plain(kUnknown, kMac3)).verdict(), "to 3");
  rig.apply_learned();
  EXPECT_EQ(rig.send(3, plain(kMac3, kUnknown)).verdict(), "to 4");
  EXPECT_EQ(rig.send(3, plain(kMac3, kMac1)).verdict(), "to 1") << "given, not learned";
  EXPECT_EQ(rig.send(3, plain(kMac3, kBroadcastMac)).verdict(), "flood");
  EXPECT_EQ(rig.send(3, plain(kMac3, "01:00:5e:00:00:01")).verdict(), "flood");
}

TEST_F(Pipeline, FollowsAMacThatMoves) {
  learn(3, kMac3);
  learn(4, kMac3);
  EXPECT_EQ(rig.send(3, plain(kUnknown, kMac3)).verdict(), "to 4");
}

TEST_F(Pipeline, FloodsReachTheMembersOfTheirVlan) {
  const auto members = [&](const Outcome& outcome) {
    EXPECT_EQ(outcome.verdict(), "flood");
    std::vector<PortId> list = rig.snapshot().fids.at(outcome.meta.fid).members;
    std::sort(list.begin(), list.end());
    return list;
  };
  using Ports = std::vector<PortId>;
  EXPECT_EQ(members(rig.send(3, plain(kMac3, kBroadcastMac))), (Ports{1, 2, 3, 4, 10}));
  EXPECT_EQ(members(rig.send(5, plain(kMac5, kBroadcastMac))), (Ports{5, 6, 7}));
  EXPECT_EQ(members(rig.send(6, tagged(kMac6, kBroadcastMac, 7))), (Ports{5, 6, 7}));
  EXPECT_EQ(members(rig.send(6, tagged(kMac6, kBroadcastMac, 8))), (Ports{6, 7}));
}

TEST_F(Pipeline, TagsAndUntags) {
  learn(5, kMac5);
  learn(6, kMac6, 7);
  const Packet inside = Packet().eth(kMac6, kMac5).ipv4("10.0.0.3", "10.0.0.2").udp(1, 2).payload(30);

  Outcome outcome = rig.send(6, tagged(kMac6, kMac5, 7));
  EXPECT_EQ(outcome.verdict(), "to 5");
  EXPECT_EQ(text_of(*outcome.packet), text_of(inside.bytes())) << "trunk to access";

  outcome = rig.send(5, Packet().eth(kMac5, kMac6).ipv4("10.0.0.3", "10.0.0.2").udp(1, 2).payload(30));
  EXPECT_EQ(outcome.verdict(), "to 6");
  EXPECT_EQ(text_of(*outcome.packet), text_of(tagged(kMac5, kMac6, 7).bytes())) << "access to trunk";

  outcome = rig.send(7, tagged(kMac3, kMac6, 0xb007));
  EXPECT_EQ(outcome.verdict(), "to 6");
  EXPECT_EQ(text_of(*outcome.packet), text_of(tagged(kMac3, kMac6, 0xb007).bytes())) << "priority stays";
  EXPECT_EQ(rig.send(7, tagged(kMac3, kMac6, 8)).verdict(), "flood") << "known in VLAN 7 only";
}

TEST_F(Pipeline, CarriesInnerTagsAlong) {
  learn(6, kMac6, 7);
  const Packet twice = Packet().eth(kMac3, kMac6).vlan(7).vlan(5).ipv4("10.0.0.3", "10.0.0.2").udp(1, 2);
  const Outcome outcome = rig.send(7, twice);
  EXPECT_EQ(outcome.verdict(), "to 6");
  EXPECT_EQ(text_of(*outcome.packet), text_of(twice.bytes()));
}

TEST_F(Pipeline, AnswersGoBackTagged) {
  Rig trunk({{.id = 1,
              .vlan = {.mode = VlanMode::Access, .access = 7},
              .mac = mac(kMac1),
              .ips = {*IpAddress::parse("10.0.0.1")}},
             {.id = 6, .vlan = {.mode = VlanMode::Trunk, .trunk = {7, 8}}}});
  const auto request = [](uint16_t tci) {
    return Packet().eth(kMac6, kBroadcastMac).vlan(tci).arp(1, kMac6, "10.0.0.6", kZeroMac, "10.0.0.1");
  };
  const Outcome outcome = trunk.send(6, request(7));
  EXPECT_EQ(outcome.verdict(), "to 6");
  EXPECT_EQ(text_of(*outcome.packet),
            text_of(Packet().eth(kMac1, kMac6).vlan(7).arp(2, kMac1, "10.0.0.1", kMac6, "10.0.0.6").bytes()));
  EXPECT_EQ(trunk.send(6, request(8)).verdict(), "no_other_port") << "VLAN 8 has no such address";
}

TEST_F(Pipeline, SuperFramesAreMeasuredBySegment) {
  const auto super = [](uint16_t segment_size) {
    PacketPtr packet =
        Packet().eth(kMac3, kMac10).ipv4("10.0.0.3", "10.0.0.2").tcp(1, 2).payload(3000).mbuf();
    packet->ol_flags = RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE;
    packet->tso_segsz = segment_size;
    return packet;
  };
  EXPECT_EQ(rig.send(3, super(560)).verdict(), "to 10") << "560 + 40 = 600";
  EXPECT_EQ(rig.send(3, super(561)).verdict(), "mtu_exceeded");
}

TEST_F(Pipeline, NetworksAreApart) {
  Rig two({{.id = 1}, {.id = 2}, {.id = 3, .network = "blue"}, {.id = 4, .network = "blue"}});
  two.send(1, plain(kMac3, kUnknown));
  two.apply_learned();
  EXPECT_EQ(two.send(2, plain(kMac6, kMac3)).verdict(), "to 1");
  EXPECT_EQ(two.send(4, plain(kMac6, kMac3)).verdict(), "flood");
}

}  // namespace
}  // namespace podswitch::test
