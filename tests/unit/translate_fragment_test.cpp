// SPDX-License-Identifier: Apache-2.0
// Fragments to and from Services: the later ones go where the first one went, also when they come before it.
#include <gtest/gtest.h>

#include "tests/unit/service_rig.h"

namespace podswitch::test {
namespace {

constexpr uint16_t kMore = 0x2000;

class TranslateFragmentTest : public testing::TestWithParam<bool> {
 protected:
  TranslateFragmentTest()
      : rig_({{{ip(kVip), 53, Protocol::Udp}, make_service(0, {{ip(kPods[3]), 5353}})},
              {{ip(kVip6), 53, Protocol::Udp}, make_service(1, {{ip(kPods6[3]), 5353}})},
              {{ip(kVip), 53, Protocol::Sctp}, make_service(2, {{ip(kPods[3]), 5353}})},
              {{ip(kVip6), 53, Protocol::Sctp}, make_service(3, {{ip(kPods6[3]), 5353}})}}) {}

  // Of a datagram of 64 bytes and 24 more: what lies behind the IP header is made of the whole.
  Packet piece(Packet packet, std::string_view source, std::string_view destination, uint8_t ttl,
               bool is_first, uint16_t source_port, uint16_t destination_port) const {
    Packet whole;
    whole.eth(kGatewayMac, kGatewayMac);
    f_.ip(whole, source, destination, ttl);
    const Bytes all = whole.udp(source_port, destination_port).payload(80).bytes();
    const size_t l4 = whole.l4_offset();
    const Bytes part(all.begin() + l4 + (is_first ? 0 : 64), is_first ? all.begin() + l4 + 64 : all.end());
    if (f_.is_v6)
      return packet.ipv6(source, destination, {.hop_limit = ttl})
          .fragment6(is_first ? 0 : 64, is_first, net::kProtoUdp)
          .payload(part);
    return packet
        .ipv4(source, destination,
              {.ttl = ttl,
               .fragment = static_cast<uint16_t>(is_first ? kMore : 64 / 8),
               .protocol = net::kProtoUdp})
        .payload(part);
  }
  Packet sent(bool is_first, uint16_t port = 4000) const {
    return piece(ServiceRig::from(1), f_.pods[1], f_.vip, 64, is_first, port, 53);
  }
  Packet arrives(bool is_first, uint16_t port = 4000) const {
    return piece(ServiceRig::to(3), f_.pods[1], f_.pods[3], 63, is_first, port, 5353);
  }
  Packet answer(bool is_first) const {
    return piece(ServiceRig::from(3), f_.pods[3], f_.pods[1], 64, is_first, 5353, 4000);
  }
  Packet heard(bool is_first) const {
    return piece(ServiceRig::to(1), f_.vip, f_.pods[1], 63, is_first, 53, 4000);
  }

  const Family& f_ = GetParam() ? kV6 : kV4;
  ServiceRig rig_;
};
INSTANTIATE_TEST_SUITE_P(BothFamilies, TranslateFragmentTest, testing::Bool());

TEST_P(TranslateFragmentTest, LaterFragmentsFollowTheFirstInBothDirections) {
  expect_out(rig_.send(1, sent(true)), "to 3", arrives(true));
  expect_out(rig_.send(1, sent(false)), "to 3", arrives(false));
  expect_out(rig_.send(3, answer(true)), "to 1", heard(true));
  expect_out(rig_.send(3, answer(false)), "to 1", heard(false));
}

TEST_P(TranslateFragmentTest, ALaterFragmentThatComesFirstIsHeldUntilTheFirstOneIsThere) {
  ASSERT_EQ(rig_.send(1, sent(false)).verdict(), "held");
  EXPECT_TRUE(rig_.rig().resume().empty());
  expect_out(rig_.send(1, sent(true)), "to 3", arrives(true));
  const auto released = rig_.rig().resume();
  ASSERT_EQ(released.size(), 1u);
  expect_out(released[0], "to 3", arrives(false));
  // The endpoint's too.
  ASSERT_EQ(rig_.send(3, answer(false)).verdict(), "held");
  expect_out(rig_.send(3, answer(true)), "to 1", heard(true));
  const auto answers = rig_.rig().resume();
  ASSERT_EQ(answers.size(), 1u);
  expect_out(answers[0], "to 1", heard(false));
  EXPECT_TRUE(rig_.rig().resume().empty());
}

TEST_P(TranslateFragmentTest, HeldFragmentsOfSeveralPortsAreEachReleasedWithTheirOwn) {
  ASSERT_EQ(rig_.send(1, sent(false)).verdict(), "held");
  ASSERT_EQ(rig_.send(3, answer(false)).verdict(), "held");
  ASSERT_EQ(rig_.send(1, sent(false)).verdict(), "held");
  ASSERT_EQ(rig_.send(1, sent(true)).verdict(), "to 3");
  ASSERT_EQ(rig_.send(3, answer(true)).verdict(), "to 1");
  const auto released = rig_.rig().resume();
  ASSERT_EQ(released.size(), 3u);
  expect_out(released[0], "to 3", arrives(false));
  expect_out(released[1], "to 3", arrives(false));
  expect_out(released[2], "to 1", heard(false));
}

TEST_P(TranslateFragmentTest, AFragmentWhoseFirstOneDoesNotComeIsDroppedAfterAWhile) {
  ASSERT_EQ(rig_.send(1, sent(false)).verdict(), "held");
  rig_.rig().pass_seconds(1);
  EXPECT_TRUE(rig_.rig().resume().empty());
  rig_.rig().pass_seconds(1);
  const auto dropped = rig_.rig().resume();
  ASSERT_EQ(dropped.size(), 1u);
  EXPECT_EQ(dropped[0].verdict(), "fragment_early");
  EXPECT_TRUE(rig_.rig().resume().empty());
}

TEST_P(TranslateFragmentTest, OnlySoManyAreHeld) {
  for (int i = 0; i < HeldFragments::kOfOnePort; ++i) ASSERT_EQ(rig_.send(1, sent(false)).verdict(), "held");
  EXPECT_EQ(rig_.send(1, sent(false)).verdict(), "fragment_early");
  // Nobody takes the others' places.
  const auto others = piece(ServiceRig::from(2), f_.pods[2], f_.vip, 64, false, 4000, 53);
  EXPECT_EQ(rig_.send(2, others).verdict(), "held");
  rig_.rig().pass_seconds(2);
  EXPECT_EQ(rig_.rig().resume().size(), size_t{HeldFragments::kOfOnePort} + 1);
  EXPECT_EQ(rig_.send(1, sent(false)).verdict(), "held");
}

TEST_P(TranslateFragmentTest, FragmentsOfNoServiceAreNotHeld) {
  auto other = piece(ServiceRig::from(1), f_.pods[1], f_.pods[2], 64, false, 4000, 53);
  expect_out(rig_.send(1, other), "to 2",
             piece(ServiceRig::to(2), f_.pods[1], f_.pods[2], 63, false, 4000, 53));
}

TEST_P(TranslateFragmentTest, LaterFragmentsOfWhatWasRefusedAreDropped) {
  const auto to_nobody = [&](bool is_first) {
    return piece(ServiceRig::from(1), f_.pods[1], f_.vip, 64, is_first, 4000, 54);
  };
  EXPECT_EQ(rig_.send(1, to_nobody(true)).verdict(), "to 1");
  EXPECT_EQ(rig_.send(1, to_nobody(false)).verdict(), "service_no_connection");
}

TEST_P(TranslateFragmentTest, FragmentsOfAnEndpointThatBelongToNoFlowPassAsTheyAre) {
  const auto direct = [&](bool is_first, bool is_sent) {
    return is_sent ? piece(ServiceRig::from(3), f_.pods[3], f_.pods[2], 64, is_first, 9, 9)
                   : piece(ServiceRig::to(2), f_.pods[3], f_.pods[2], 63, is_first, 9, 9);
  };
  ASSERT_EQ(rig_.send(3, direct(false, true)).verdict(), "held");
  expect_out(rig_.send(3, direct(true, true)), "to 2", direct(true, false));
  const auto released = rig_.rig().resume();
  ASSERT_EQ(released.size(), 1u);
  expect_out(released[0], "to 2", direct(false, false));
}

// Its checksum would need all fragments.
TEST_P(TranslateFragmentTest, SctpInFragmentsToAnotherPortIsDropped) {
  Bytes sctp{0x0f, 0xa0, 0, 53, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 0, 4};
  Packet packet = ServiceRig::from(1);
  if (f_.is_v6)
    packet.ipv6(f_.pods[1], f_.vip).fragment6(0, true, net::kProtoSctp).payload(sctp);
  else
    packet.ipv4(f_.pods[1], f_.vip, {.fragment = kMore, .protocol = net::kProtoSctp}).payload(sctp);
  EXPECT_EQ(rig_.send(1, packet).verdict(), "flow_untranslatable");
}

}  // namespace
}  // namespace podswitch::test
