// SPDX-License-Identifier: Apache-2.0
// Packets to Services and their answers: every protocol in both directions and families, with checksums of
// all kinds.
#include <gtest/gtest.h>

#include "switch/offload.h"
#include "tests/unit/flow_checker.h"
#include "tests/unit/service_rig.h"

namespace podswitch::test {
namespace {

enum class L4 { Udp, Tcp, Sctp };
constexpr L4 kProtocols[] = {L4::Udp, L4::Tcp, L4::Sctp};

Packet& l4(Packet& packet, L4 protocol, uint16_t source, uint16_t destination, bool is_first = false) {
  if (protocol == L4::Udp) return packet.udp(source, destination);
  if (protocol == L4::Tcp)
    return packet.tcp(source, destination, {.flags = is_first ? kSyn : kSynAck, .options = Bytes(4, 1)});
  // An INIT or a DATA chunk.
  return packet.sctp(source, destination).payload(Bytes{static_cast<uint8_t>(is_first ? 1 : 0), 3, 0, 4});
}

class TranslateTest : public testing::Test {
 protected:
  TranslateTest() : rig_(services()) {}
  static ServiceChanges services() {
    ServiceChanges all;
    ServiceId id = 0;
    for (const Family& family : kFamilies) {
      const auto add = [&](std::string_view vip, uint16_t port, Protocol protocol, uint16_t target) {
        all.push_back({{ip(vip), port, protocol}, make_service(id++, {{ip(family.pods[3]), target}})});
      };
      for (const Protocol protocol : {Protocol::Udp, Protocol::Tcp, Protocol::Sctp}) {
        add(family.vip, 80, protocol, 8080);
        add(family.other_vip, 80, protocol, 8080);
        add(family.vip, 8080, protocol, 8080);
      }
    }
    return all;
  }
  Outcome send(PortId in, const Packet& packet) { return rig_.send(in, packet); }

  ServiceRig rig_;
};

TEST_F(TranslateTest, APacketReachesItsEndpointAndTheAnswerComesFromTheService) {
  for (const Family& f : kFamilies)
    for (const L4 protocol : kProtocols)
      for (const size_t length : {0, 1, 40}) {
        SCOPED_TRACE(testing::Message() << f.is_v6 << static_cast<int>(protocol) << length);
        auto sent = f.sent(1, f.pods[1], f.vip);
        auto arrives = f.received(3, f.pods[1], f.pods[3]);
        expect_out(send(1, l4(sent, protocol, 4000, 80, true).payload(length)), "to 3",
                   l4(arrives, protocol, 4000, 8080, true).payload(length));
        auto answer = f.sent(3, f.pods[3], f.pods[1]);
        auto heard = f.received(1, f.vip, f.pods[1]);
        expect_out(send(3, l4(answer, protocol, 8080, 4000).payload(length)), "to 1",
                   l4(heard, protocol, 80, 4000).payload(length));
      }
  EXPECT_EQ(
      FlowChecker(rig_.rig().flow_memory(), rig_.rig().flows()).defect(rig_.rig().flow_worker().slots.count),
      "");
}

TEST_F(TranslateTest, AnAnswerThatIsBridgedInsideTheSubnetComesFromTheServiceAsWell) {
  for (const Family& f : kFamilies)
    for (const L4 protocol : kProtocols) {
      auto sent = f.sent(1, f.pods[1], f.vip);
      ASSERT_EQ(send(1, l4(sent, protocol, 4000, 80, true)).verdict(), "to 3");
      auto answer = f.bridged(3, 1, f.pods[3], f.pods[1]);
      auto heard = f.bridged(3, 1, f.vip, f.pods[1]);
      expect_out(send(3, l4(answer, protocol, 8080, 4000).payload(9)), "to 1",
                 l4(heard, protocol, 80, 4000).payload(9));
    }
}

TEST_F(TranslateTest, AChainedPacketIsTranslatedAsOneInOnePiece) {
  for (const Family& f : kFamilies)
    for (const L4 protocol : kProtocols)
      for (const size_t first : {100, 101}) {
        auto sent = f.sent(1, f.pods[1], f.vip);
        auto arrives = f.received(3, f.pods[1], f.pods[3]);
        expect_out(rig_.rig().send(1, l4(sent, protocol, 4000, 80, true).payload(700).mbuf({first, 33, 201})),
                   "to 3", l4(arrives, protocol, 4000, 8080, true).payload(700));
      }
}

TEST_F(TranslateTest, AUdpPacketWithoutAChecksumStaysWithoutOne) {
  auto sent = kV4.sent(1, kPods[1], kVip);
  auto arrives = kV4.received(3, kPods[1], kPods[3]);
  expect_out(send(1, sent.udp(4000, 80).payload(9).no_checksum()), "to 3",
             arrives.udp(4000, 8080).payload(9).no_checksum());
}

// Half of all checksums a UDP packet can have come out as 0 for some payload: then all ones are written.
TEST_F(TranslateTest, AUdpChecksumThatComesOutAsZeroIsWrittenAsAllOnes) {
  int ones = 0;
  for (unsigned i = 0; i < 65536; ++i) {
    const Bytes payload{static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)};
    auto arrives = kV4.received(3, kPods[1], kPods[3]);
    const Bytes expected = arrives.udp(4000, 8080).payload(payload).bytes();
    if (expected[40] != 0xff || expected[41] != 0xff) continue;
    ++ones;
    auto sent = kV4.sent(1, kPods[1], kVip);
    expect_out(send(1, sent.udp(4000, 80).payload(payload)), "to 3", arrives);
  }
  EXPECT_GT(ones, 0);
}

TEST_F(TranslateTest, APartialChecksumStaysPartialAndIsCompletedToTheRightOne) {
  for (const Family& f : kFamilies)
    for (const L4 protocol : kProtocols) {
      SCOPED_TRACE(testing::Message() << f.is_v6 << static_cast<int>(protocol));
      auto sent = f.sent(1, f.pods[1], f.vip);
      auto arrives = f.received(3, f.pods[1], f.pods[3]);
      PacketPtr packet = l4(sent, protocol, 4000, 80, true).payload(30).partial_checksum().mbuf();
      packet->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
      const Outcome outcome = rig_.rig().send(1, std::move(packet));
      auto partial = l4(arrives, protocol, 4000, 8080, true).payload(30);
      expect_out(outcome, "to 3", Packet(partial).partial_checksum());
      ASSERT_TRUE(has_open_request(*outcome.packet));
      complete_checksum(*outcome.packet);
      EXPECT_EQ(text_of(*outcome.packet), text_of(partial.bytes()));
    }
}

TEST_F(TranslateTest, EverySegmentOfASuperFrameHasARightChecksumInBothDirections) {
  for (const Family& f : kFamilies)
    for (const bool is_answer : {false, true}) {
      SCOPED_TRACE(testing::Message() << f.is_v6 << is_answer);
      auto opening = f.sent(1, f.pods[1], f.vip);
      ASSERT_EQ(send(1, opening.tcp(4000, 80, {.flags = kSyn})).verdict(), "to 3");
      auto sent = is_answer ? f.sent(3, f.pods[3], f.pods[1]) : f.sent(1, f.pods[1], f.vip);
      const uint16_t from = is_answer ? 8080 : 4000, to = is_answer ? 4000 : 80;
      PacketPtr packet = sent.tcp(from, to).payload(5000).partial_checksum().mbuf({500});
      packet->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE | RTE_MBUF_F_RX_LRO;
      packet->tso_segsz = 1400;
      const Outcome outcome = rig_.rig().send(is_answer ? 3 : 1, std::move(packet));
      ASSERT_EQ(outcome.verdict(), is_answer ? "to 1" : "to 3");
      rte_mbuf* out[10];
      const uint16_t count = segment(*outcome.packet, packet_pool(), out, 10);
      ASSERT_EQ(count, 4);
      for (uint16_t i = 0; i < count; ++i) {
        const Bytes frame = bytes_of(*out[i]);
        const size_t ip = 14, l4 = ip + (f.is_v6 ? 40 : 20);
        EXPECT_TRUE(f.is_v6 || slow_sum(frame, ip, l4) == 0xffff);
        const uint64_t pseudo = slow_sum(frame, ip + (f.is_v6 ? 8 : 12), l4) + 6u + (frame.size() - l4);
        const uint64_t sum = pseudo + slow_sum(frame, l4, frame.size());
        EXPECT_EQ(sum % 0xffff, 0u) << i;
        EXPECT_EQ(frame[l4 + 1] | frame[l4] << 8, is_answer ? 80 : 4000);
      }
      rte_pktmbuf_free_bulk(out, count);
    }
}

TEST_F(TranslateTest, AWrongChecksumStaysAsWrongAsItWas) {
  for (const Family& f : kFamilies)
    for (const L4 protocol : kProtocols) {
      auto sent = f.sent(1, f.pods[1], f.vip);
      auto arrives = f.received(3, f.pods[1], f.pods[3]);
      l4(sent, protocol, 4000, 80, true).payload(20);
      l4(arrives, protocol, 4000, 8080, true).payload(20);
      // The last byte of the payload was damaged on its way.
      const size_t last = sent.bytes().size() - 1;
      expect_out(send(1, sent.poke(last, 0x55)), "to 3", arrives.poke(last, 0x55));
    }
}

TEST_F(TranslateTest, SctpOfAnUnchangedPortKeepsItsChecksumUnread) {
  auto sent = kV4.sent(1, kPods[1], kVip);
  auto arrives = kV4.received(3, kPods[1], kPods[3]);
  const size_t crc = 14 + 20 + 8;
  expect_out(send(1, l4(sent, L4::Sctp, 4000, 8080, true).poke(crc, 1)), "to 3",
             l4(arrives, L4::Sctp, 4000, 8080, true).poke(crc, 1));
}

TEST_F(TranslateTest, HeadersWithOptionsAreTranslatedToo) {
  const Ipv4Fields in{.ttl = 64, .options = Bytes(8, 1)}, out{.ttl = 63, .options = Bytes(8, 1)};
  expect_out(send(1, ServiceRig::from(1).ipv4(kPods[1], kVip, in).udp(4000, 80).payload(5)), "to 3",
             ServiceRig::to(3).ipv4(kPods[1], kPods[3], out).udp(4000, 8080).payload(5));
  auto sent = kV6.sent(1, kPods6[1], kVip6), arrives = kV6.received(3, kPods6[1], kPods6[3]);
  expect_out(send(1, sent.extension(0).extension(60, 2).udp(4000, 80).payload(5)), "to 3",
             arrives.extension(0).extension(60, 2).udp(4000, 8080).payload(5));
}

TEST_F(TranslateTest, APodReachesItselfThroughItsServiceAndSeesTheGatewayAsItsClient) {
  for (const Family& f : kFamilies)
    for (const L4 protocol : kProtocols) {
      auto sent = f.sent(3, f.pods[3], f.vip);
      auto arrives = f.received(3, f.gateway, f.pods[3]);
      expect_out(send(3, l4(sent, protocol, 4000, 80, true).payload(3)), "to 3",
                 l4(arrives, protocol, 4000, 8080, true).payload(3));
      auto answer = f.sent(3, f.pods[3], f.gateway);
      auto heard = f.received(3, f.vip, f.pods[3]);
      expect_out(send(3, l4(answer, protocol, 8080, 4000).payload(3)), "to 3",
                 l4(heard, protocol, 80, 4000).payload(3));
    }
}

uint16_t source_port_of(const Outcome& outcome, const Family& f) {
  const Bytes frame = bytes_of(*outcome.packet);
  const size_t l4 = 14 + (f.is_v6 ? 40 : 20);
  return static_cast<uint16_t>(frame[l4] << 8 | frame[l4 + 1]);
}

// All three look the same to the endpoint: the second and the third get another source port.
TEST_F(TranslateTest, TwoServicesAndADirectFlowFromOnePortEachGetTheirOwnAnswers) {
  for (const Family& f : kFamilies)
    for (const L4 protocol : kProtocols)
      for (const bool is_bridged : {false, true}) {
        SCOPED_TRACE(testing::Message() << f.is_v6 << static_cast<int>(protocol) << is_bridged);
        const uint16_t client = is_bridged ? 4001 : 4000;
        struct Case {
          std::string_view to;
          uint16_t port, seen_as;
        };
        std::vector<Case> cases{{f.vip, 80, 0}, {f.other_vip, 80, 0}, {f.pods[3], 8080, 0}};
        for (Case& each : cases) {
          auto sent = is_bridged && each.port == 8080 ? f.bridged(1, 3, f.pods[1], each.to)
                                                      : f.sent(1, f.pods[1], each.to);
          const Outcome outcome = send(1, l4(sent, protocol, client, each.port, true));
          ASSERT_EQ(outcome.verdict(), "to 3");
          each.seen_as = source_port_of(outcome, f);
        }
        EXPECT_EQ(cases[0].seen_as, client);
        EXPECT_NE(cases[1].seen_as, client);
        EXPECT_NE(cases[2].seen_as, client);
        EXPECT_NE(cases[1].seen_as, cases[2].seen_as);
        for (const Case& each : cases) {
          auto answer = is_bridged ? f.bridged(3, 1, f.pods[3], f.pods[1]) : f.sent(3, f.pods[3], f.pods[1]);
          auto heard = is_bridged ? f.bridged(3, 1, each.to, f.pods[1]) : f.received(1, each.to, f.pods[1]);
          expect_out(send(3, l4(answer, protocol, 8080, each.seen_as).payload(8)), "to 1",
                     l4(heard, protocol, each.port, client).payload(8));
        }
      }
}

TEST_F(TranslateTest, WhatIsNobodysBusinessPassesUntouchedAndIsNotRemembered) {
  for (const Family& f : kFamilies)
    for (const L4 protocol : kProtocols) {
      auto sent = f.sent(1, f.pods[1], f.pods[2]);
      auto arrives = f.received(2, f.pods[1], f.pods[2]);
      expect_out(send(1, l4(sent, protocol, 4000, 80)), "to 2", l4(arrives, protocol, 4000, 80));
      auto bridged = f.bridged(1, 2, f.pods[1], f.pods[2]);
      expect_out(send(1, l4(bridged, protocol, 4000, 8080)), "to 2", l4(bridged, protocol, 4000, 8080));
      // An endpoint's other ports.
      auto other = f.sent(1, f.pods[1], f.pods[3]);
      auto there = f.received(3, f.pods[1], f.pods[3]);
      expect_out(send(1, l4(other, protocol, 4000, 22)), "to 3", l4(there, protocol, 4000, 22));
    }
  EXPECT_EQ(rig_.rig().flows().end(), 0u);
}

TEST_F(TranslateTest, AnIpv4AddressInAnIpv6PacketIsNoServicesAndLeavesNoTrace) {
  const std::string_view client = "::ffff:10.1.0.2", vip = "::ffff:10.96.0.1", pod = "::ffff:10.1.0.3";
  for (const auto source : {client, kPods6[2]})
    for (const auto destination : {vip, pod}) {
      const uint16_t port = destination == vip ? 80 : 8080;
      const auto sent = [&] { return ServiceRig::from(2).ipv6(source, destination); };
      EXPECT_NE(rig_.send(2, sent().udp(4000, port)).verdict(), "to 3");
      EXPECT_NE(rig_.send(2, sent().tcp(4000, port, {.flags = kSyn})).verdict(), "to 3");
      const Bytes ports{0x0f, 0xa0, static_cast<uint8_t>(port >> 8), static_cast<uint8_t>(port), 0, 99, 0, 0};
      rig_.send(2, sent().fragment6(0, true, net::kProtoUdp).payload(ports));
      EXPECT_NE(rig_.send(2, sent().fragment6(8, false, net::kProtoUdp).payload(8)).verdict(), "held");
    }
  EXPECT_EQ(rig_.rig().flows().end(), 0u);
}

TEST_F(TranslateTest, PacketsAndBytesOfBothDirectionsAreCountedForTheService) {
  auto sent = kV4.sent(1, kPods[1], kVip), answer = kV4.sent(3, kPods[3], kPods[1]);
  sent.udp(4000, 80).payload(100);
  answer.udp(8080, 4000).payload(50);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(send(1, sent).verdict(), "to 3");
  ASSERT_EQ(send(3, answer).verdict(), "to 1");
  const ServiceCount* const count = rig_.rig().service_counters().find(0);
  EXPECT_EQ(count->packets.get(), 4u);
  EXPECT_EQ(count->bytes.get(), 3 * sent.bytes().size() + answer.bytes().size());
}

TEST(TranslateWithoutServicesTest, NothingIsLookedAt) {
  ServiceRig rig{{}};
  EXPECT_EQ(rig.rig().snapshot().services, nullptr);
  auto sent = kV4.sent(1, kPods[1], kPods[3]);
  auto arrives = kV4.received(3, kPods[1], kPods[3]);
  expect_out(rig.send(1, sent.udp(4000, 8080)), "to 3", arrives.udp(4000, 8080));
  EXPECT_EQ(rig.rig().flows().end(), 0u);
}

}  // namespace
}  // namespace podswitch::test
