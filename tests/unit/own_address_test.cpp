// SPDX-License-Identifier: Apache-2.0
// What a node's switch does with packets for itself: its gateway asked by other nodes, and its own address on
// the uplink's link.
#include <gtest/gtest.h>

#include "tests/unit/node_rig.h"

namespace podswitch::test {
namespace {

// From a pod of another node.
TEST(OwnAddress, ItsGatewayAnswersPings) {
  Node one(1), two(2);
  const auto ping = [](uint8_t type) {
    return Packet().eth(kPodMac, kGatewayMac).ipv4("10.244.1.1", "10.244.2.254").icmp(type, 0).payload(8);
  };
  Outcome out = one.send(kPod, ping(8));
  ASSERT_EQ(out.verdict(), "to 2");
  Outcome back = two.send(kUplink, std::move(out.packet));
  ASSERT_EQ(back.verdict(), "to 2");
  const Outcome in = one.send(kUplink, std::move(back.packet));
  ASSERT_EQ(in.verdict(), "to 1");
  EXPECT_EQ(text_of(*in.packet), text_of(Packet()
                                             .eth(kGatewayMac, kPodMac)
                                             .ipv4("10.244.2.254", "10.244.1.1", {.ttl = 63})
                                             .icmp(0, 0)
                                             .payload(8)
                                             .bytes()));
  Outcome other = one.send(kPod, ping(13));  // a timestamp request
  Outcome refused = two.send(kUplink, std::move(other.packet));
  ASSERT_EQ(refused.verdict(), "to 2");
  const Outcome error = one.send(kUplink, std::move(refused.packet));
  ASSERT_EQ(error.verdict(), "to 1");
  EXPECT_EQ(net::header_at<net::IcmpHeader>(*error.packet, 34)->type, net::kIcmpUnreachable);
}

TEST(OwnAddress, TellsWhoSendsToAHostThatDoesNotAnswer) {
  Node one(1);
  one.resolve(ip("192.0.2.77"), MacAddress{});
  const Packet to_host = Packet().eth(kPodMac, kGatewayMac).ipv4("10.244.1.1", "192.0.2.77").udp(1, 2);
  Outcome out = one.send(kPod, to_host);
  ASSERT_EQ(out.verdict(), "to 1");
  const auto* ip = net::header_at<net::Ipv4Header>(*out.packet, 14);
  ASSERT_EQ(ip->protocol, net::kProtoIcmp);
  EXPECT_EQ(IpAddress(ip->source).to_string(), "10.244.1.254");
  const auto* icmp = net::header_at<net::IcmpHeader>(*out.packet, 34);
  EXPECT_EQ(icmp->type, net::kIcmpUnreachable);
  EXPECT_EQ(icmp->code, 1);  // host
  EXPECT_TRUE(one.rig().wanted().empty());
}
TEST(OwnAddress, AnswersForItselfWithoutAHost) {
  for (const uint16_t vlan : {0, 100}) {
    Node one(1, {}, 4, vlan), two(2, {}, 4, vlan, false);
    const auto question = [&](std::string_view whom) {
      Packet packet = Packet().eth(kNicOne, kBroadcastMac);
      if (vlan != 0) packet.vlan(vlan);
      return packet.arp(1, kNicOne, "192.0.2.1", kZeroMac, whom);
    };
    const Outcome answer = two.send(kUplink, question("192.0.2.2"));
    ASSERT_EQ(answer.verdict(), "to 2") << vlan;
    Packet expected = Packet().eth(kNicTwo, kNicOne);
    if (vlan != 0) expected.vlan(vlan);
    EXPECT_EQ(text_of(*answer.packet),
              text_of(expected.arp(2, kNicTwo, "192.0.2.2", kNicOne, "192.0.2.1").bytes()));
    EXPECT_EQ(two.rig().heard().size(), 1u);
    EXPECT_NE(two.send(kUplink, question("192.0.2.3")).verdict(), "to 2");
    EXPECT_EQ(one.send(kUplink, question("192.0.2.1")).verdict(), "flood") << "the host answers";
  }
  Node two(2, {}, 4, 0, false);
  const Outcome ping =
      two.send(kUplink, Packet().eth(kNicOne, kNicTwo).ipv4("192.0.2.1", "192.0.2.2").icmp(8, 0));
  EXPECT_EQ(ping.verdict(), "to 2");
  // What routers say about our tunnels is heard still.
  two.send(kUplink, too_big("192.0.2.2", "192.0.2.1", 1400, 4789, kNicTwo, "192.0.2.2"));
  EXPECT_EQ(two.rig().heard().size(), 1u);
  const Outcome own =
      two.send(kPod, Packet().eth(kPodMac, kGatewayMac).ipv4("10.244.2.1", "192.0.2.2").icmp(8, 0));
  EXPECT_EQ(own.verdict(), "to 1");
}
// Two switches without a host port, or two gateways, must not send each other one packet for ever.
TEST(OwnAddress, NoPacketGoesToAndFro) {
  for (const bool is_v6 : {false, true}) {
    Node one(1), two(2);
    // Of a ping, and not its first part: it does not say whether it asks or answers.
    const auto fragment = [&](Packet packet) {
      if (is_v6)
        return packet.ipv6("fd00:244:1::1", "fd00:244:2::fe")
            .fragment6(1, true, net::kProtoIcmpv6)
            .payload(16);
      return packet.ipv4("10.244.1.1", "10.244.2.254", {.fragment = 0x2001, .protocol = net::kProtoIcmp})
          .payload(16);
    };
    Outcome out = one.send(kPod, fragment(Packet().eth(kPodMac, kGatewayMac)));
    ASSERT_EQ(out.verdict(), "to 2");
    const Outcome in = two.send(kUplink, std::move(out.packet));
    EXPECT_NE(in.verdict(), "to 2") << "a fragment came back";
  }
  Node two(2, {}, 4, 0, false);
  EXPECT_NE(
      two.send(kUplink, Packet()
                            .eth(kNicOne, kNicTwo)
                            .ipv4("192.0.2.1", "192.0.2.2", {.fragment = 0x2001, .protocol = net::kProtoIcmp})
                            .payload(16))
          .verdict(),
      "to 2");
}

TEST(OwnAddress, ThePodsGatewayIsNotOnTheUplinksLink) {
  Node two(2, {}, 4, 0, false);
  EXPECT_NE(
      two.send(kUplink,
               Packet().eth(kNicOne, kBroadcastMac).arp(1, kNicOne, "192.0.2.1", kZeroMac, "10.244.2.254"))
          .verdict(),
      "to 2");
  // Nor is what others are sent.
  EXPECT_NE(
      two.send(kUplink, Packet().eth(kNicOne, "02:00:00:00:99:99").ipv4("192.0.2.1", "192.0.2.2").icmp(8, 0))
          .verdict(),
      "to 2");
}

}  // namespace
}  // namespace podswitch::test
