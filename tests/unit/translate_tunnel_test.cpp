// SPDX-License-Identifier: Apache-2.0
// A Service on one node whose endpoint is on the other: its flows are translated where the client is.
#include <gtest/gtest.h>

#include "tests/unit/make_services.h"
#include "tests/unit/node_rig.h"

namespace podswitch::test {
namespace {

constexpr std::string_view kVip = "10.96.0.1";

std::shared_ptr<const ServiceTable> services() {
  return make_table({{{ip(kVip), 80, Protocol::Tcp}, make_service(0, {{ip("10.244.2.1"), 8080}})},
                     {{ip(kVip), 53, Protocol::Udp}, make_service(1, {{ip("10.244.2.1"), 5353}})}});
}

class TranslateTunnelTest : public testing::Test {
 protected:
  static Packet from_pod(std::string_view source, std::string_view destination) {
    return Packet().eth(kPodMac, kGatewayMac).ipv4(source, destination, {.ttl = 64});
  }
  static Packet to_pod(std::string_view source, std::string_view destination) {
    return Packet().eth(kGatewayMac, kPodMac).ipv4(source, destination, {.ttl = 62});
  }
  // Through both switches.
  static Outcome carry(Node& from, Node& to, const Packet& packet) {
    Outcome outcome = from.send(kPod, packet);
    EXPECT_EQ(outcome.verdict(), "to 2");
    return to.send(kUplink, std::move(outcome.packet));
  }

  Node one_{1, {}, 4, 0, true, services()};
  Node two_{2, {}, 4, 0, true, services()};
};

void expect_out(const Outcome& outcome, const std::string& verdict, const Packet& packet) {
  ASSERT_EQ(outcome.verdict(), verdict);
  EXPECT_EQ(text_of(*outcome.packet), text_of(packet.bytes()));
}

TEST_F(TranslateTunnelTest, TheAnswerThatComesOutOfTheTunnelComesFromTheService) {
  expect_out(carry(one_, two_, from_pod("10.244.1.1", kVip).tcp(4000, 80, {.flags = 2})), "to 1",
             to_pod("10.244.1.1", "10.244.2.1").tcp(4000, 8080, {.flags = 2}));
  expect_out(carry(two_, one_, from_pod("10.244.2.1", "10.244.1.1").tcp(8080, 4000, {.flags = 0x12})), "to 1",
             to_pod(kVip, "10.244.1.1").tcp(80, 4000, {.flags = 0x12}));
  expect_out(carry(one_, two_, from_pod("10.244.1.1", kVip).udp(4000, 53).payload(9)), "to 1",
             to_pod("10.244.1.1", "10.244.2.1").udp(4000, 5353).payload(9));
  expect_out(carry(two_, one_, from_pod("10.244.2.1", "10.244.1.1").udp(5353, 4000).payload(9)), "to 1",
             to_pod(kVip, "10.244.1.1").udp(53, 4000).payload(9));
}

TEST_F(TranslateTunnelTest, TheNodeOfTheEndpointKeepsNoFlowOfAnotherNodesClient) {
  carry(one_, two_, from_pod("10.244.1.1", kVip).udp(4000, 53));
  EXPECT_EQ(two_.rig().flows().end(), 0u);
  EXPECT_NE(one_.rig().flows().end(), 0u);
}

TEST_F(TranslateTunnelTest, AnErrorFromTheOtherNodeIsTranslated) {
  const Packet small = from_pod("10.244.1.1", kVip).udp(4000, 53).payload(9);
  const Outcome arrived = carry(one_, two_, small);
  ASSERT_EQ(arrived.verdict(), "to 1");
  const Bytes quoted = bytes_of(*arrived.packet);
  const auto body = [](const Bytes& frame) {
    Bytes bytes(4, 0);
    bytes.insert(bytes.end(), frame.begin() + 14, frame.end());
    return bytes;
  };
  const Bytes heard = to_pod("10.244.1.1", kVip).udp(4000, 53).payload(9).bytes();
  expect_out(carry(two_, one_, from_pod("10.244.2.1", "10.244.1.1").icmp(3, 3).payload(body(quoted))), "to 1",
             to_pod(kVip, "10.244.1.1").icmp(3, 3).payload(body(heard)));
}

}  // namespace
}  // namespace podswitch::test
