// SPDX-License-Identifier: Apache-2.0
// What a Service's address does not take is refused at once, from that address: TCP by a reset, all else by
// ICMP.
#include <gtest/gtest.h>

#include "tests/unit/service_rig.h"

namespace podswitch::test {
namespace {

class TranslateRefuseTest : public testing::TestWithParam<bool> {
 protected:
  TranslateRefuseTest()
      : rig_({{{ip(kVip), 80, Protocol::Tcp}, make_service(0, {{ip(kPods[3]), 8080}})},
              {{ip(kVip6), 80, Protocol::Tcp}, make_service(1, {{ip(kPods6[3]), 8080}})},
              {{ip(kVip), 81, Protocol::Tcp}, make_service(2, {})},
              {{ip(kVip6), 81, Protocol::Tcp}, make_service(3, {})},
              {{ip(kVip), 81, Protocol::Udp}, make_service(4, {})},
              {{ip(kVip6), 81, Protocol::Udp}, make_service(5, {})},
              {{ip(kVip), 81, Protocol::Sctp}, make_service(6, {})},
              {{ip(kVip6), 81, Protocol::Sctp}, make_service(7, {})}}) {}
  Outcome send(const Packet& packet) { return rig_.send(1, packet); }
  Packet sent() const { return f_.sent(1, f_.pods[1], f_.vip); }

  // The reset that the client must get.
  void expect_reset(const Outcome& outcome, uint16_t from, uint32_t sequence, uint32_t acknowledgement,
                    uint8_t flags) const {
    ASSERT_EQ(outcome.verdict(), "to 1");
    const Bytes frame = bytes_of(*outcome.packet);
    auto expected = f_.received(1, f_.vip, f_.pods[1]);
    Bytes bytes = expected.tcp(from, 4000, {.flags = flags}).bytes();
    if (!f_.is_v6) expect_v4_header(frame);
    const size_t l4 = expected.l4_offset();
    ASSERT_EQ(frame.size(), l4 + 20);
    EXPECT_TRUE(std::equal(frame.begin(), frame.begin() + 14, bytes.begin()));
    const size_t addresses = f_.is_v6 ? 14 + 8 : 14 + 12;
    EXPECT_TRUE(std::equal(frame.begin() + addresses, frame.begin() + l4 + 4, bytes.begin() + addresses));
    EXPECT_EQ(word(frame, l4 + 4), sequence);
    EXPECT_EQ(word(frame, l4 + 8), acknowledgement);
    EXPECT_EQ(frame[l4 + 13], flags);
    const uint64_t sum = slow_sum(frame, addresses, l4) + uint64_t{6} + 20 + slow_sum(frame, l4, l4 + 20);
    EXPECT_EQ(sum % 0xffff, 0u);
    EXPECT_EQ(defect_of(*outcome.packet), "");
  }
  // Port unreachable about `offending`, from the Service's address.
  void expect_unreachable(const Outcome& outcome, const Packet& offending) const {
    ASSERT_EQ(outcome.verdict(), "to 1");
    const Bytes frame = bytes_of(*outcome.packet);
    const size_t l4 = 14 + (f_.is_v6 ? 40 : 20);
    auto header = f_.received(1, f_.vip, f_.pods[1]);
    const Bytes expected = (f_.is_v6 ? header.icmpv6(1, 4) : header.icmp(3, 3)).bytes();
    const size_t addresses = f_.is_v6 ? 14 + 8 : 14 + 12;
    EXPECT_TRUE(std::equal(frame.begin() + addresses, frame.begin() + l4 + 2, expected.begin() + addresses));
    const Bytes quoted = offending.bytes();
    EXPECT_EQ(Bytes(frame.begin() + l4 + 8, frame.end()), Bytes(quoted.begin() + 14, quoted.end()));
    uint64_t sum = slow_sum(frame, l4, frame.size());
    if (f_.is_v6)
      sum += slow_sum(frame, addresses, l4) + uint64_t{58} + (frame.size() - l4);
    else
      expect_v4_header(frame);
    EXPECT_EQ(sum % 0xffff, 0u);
  }
  static void expect_v4_header(const Bytes& frame) {
    EXPECT_EQ(slow_sum(frame, 14, 34), 0xffff);
    EXPECT_EQ(frame[16] << 8 | frame[17], static_cast<int>(frame.size()) - 14);
  }
  static uint32_t word(const Bytes& frame, size_t at) {
    return uint32_t{frame[at]} << 24 | frame[at + 1] << 16 | frame[at + 2] << 8 | frame[at + 3];
  }

  const Family& f_ = GetParam() ? kV6 : kV4;
  ServiceRig rig_;
};
INSTANTIATE_TEST_SUITE_P(BothFamilies, TranslateRefuseTest, testing::Bool());

TEST_P(TranslateRefuseTest, TcpWithoutAnEndpointIsResetAtOnce) {
  expect_reset(send(sent().tcp(4000, 81, {.flags = kSyn})), 81, 0, 1001, net::kTcpRst | net::kTcpAck);
  expect_reset(send(sent().tcp(4000, 81, {.flags = kSyn, .options = Bytes(20, 1)}).payload(7)), 81, 0, 1008,
               net::kTcpRst | net::kTcpAck);
  expect_reset(send(sent().tcp(4000, 81, {.flags = kAck}).payload(9)), 81, 77, 0, net::kTcpRst);
  expect_reset(send(sent().tcp(4000, 81, {.flags = net::kTcpFin}).payload(9)), 81, 0, 1010,
               net::kTcpRst | net::kTcpAck);
  EXPECT_EQ(rig_.rig().counted(1, DropReason::ServiceNoEndpoint), 4u);
}

TEST_P(TranslateRefuseTest, AWrongTcpPortIsReset) {
  expect_reset(send(sent().tcp(4000, 82, {.flags = kSyn})), 82, 0, 1001, net::kTcpRst | net::kTcpAck);
  EXPECT_EQ(rig_.rig().counted(1, DropReason::ServicePort), 1u);
}

TEST_P(TranslateRefuseTest, AResetIsNotAnsweredByAnother) {
  EXPECT_EQ(send(sent().tcp(4000, 81, {.flags = kRst})).verdict(), "service_no_endpoint");
  EXPECT_EQ(send(sent().tcp(4000, 82, {.flags = kRst | kAck})).verdict(), "service_port");
}

TEST_P(TranslateRefuseTest, AResetAnswersChainedAndPartialPacketsToo) {
  expect_reset(rig_.rig().send(1, sent().tcp(4000, 81, {.flags = kAck}).payload(900).mbuf({120, 300})), 81,
               77, 0, net::kTcpRst);
  PacketPtr packet = sent().tcp(4000, 81, {.flags = kAck}).payload(90).partial_checksum().mbuf();
  packet->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
  const Outcome outcome = rig_.rig().send(1, std::move(packet));
  expect_reset(outcome, 81, 77, 0, net::kTcpRst);
  EXPECT_EQ(outcome.packet->ol_flags & (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG), 0u);
}

TEST_P(TranslateRefuseTest, UdpAndSctpWithoutAnEndpointOrOfAWrongPortAreUnreachable) {
  for (const uint16_t port : {81, 82}) {
    const Packet udp = sent().udp(4000, port).payload(30),
                 sctp = sent().sctp(4000, port).payload(Bytes{1, 0, 0, 4});
    expect_unreachable(send(udp), udp);
    expect_unreachable(send(sctp), sctp);
  }
  EXPECT_EQ(rig_.rig().counted(1, DropReason::ServiceNoEndpoint), 2u);
  EXPECT_EQ(rig_.rig().counted(1, DropReason::ServicePort), 2u);
}

TEST_P(TranslateRefuseTest, APingToAServiceIsRefusedAsAWrongPortIs) {
  auto ping = sent();
  ping = (f_.is_v6 ? ping.icmpv6(128) : ping.icmp(8)).echo(1, 2).payload(20);
  expect_unreachable(send(ping), ping);
  // Its answer, and any other protocol.
  auto reply = sent();
  reply = (f_.is_v6 ? reply.icmpv6(129) : reply.icmp(0)).echo(1, 2).payload(20);
  expect_unreachable(send(reply), reply);
  auto other = f_.is_v6 ? ServiceRig::from(1).ipv6(f_.pods[1], f_.vip, {.hop_limit = 64, .next_header = 47})
                        : ServiceRig::from(1).ipv4(f_.pods[1], f_.vip, {.ttl = 64, .protocol = 47});
  expect_unreachable(send(other.payload(30)), other);
}

TEST_P(TranslateRefuseTest, NoPacketWithItsHeadersCutOffPassesAService) {
  for (const uint8_t protocol : {6, 17, 132}) {
    auto packet =
        f_.is_v6 ? ServiceRig::from(1).ipv6(f_.pods[1], f_.vip, {.hop_limit = 64, .next_header = protocol})
                 : ServiceRig::from(1).ipv4(f_.pods[1], f_.vip, {.ttl = 64, .protocol = protocol});
    const Outcome outcome = send(packet.payload(3));
    EXPECT_TRUE(outcome.verdict() == "service_port" || outcome.verdict() == "to 1") << outcome.verdict();
  }
}

TEST(TranslateRefuseRoutingTest, NoPacketWithARoutingHeaderPassesAService) {
  ServiceRig rig({{{ip(kVip6), 80, Protocol::Tcp}, make_service(1, {{ip(kPods6[3]), 8080}})}});
  auto packet = kV6.sent(1, kPods6[1], kVip6);
  const Outcome outcome = rig.send(1, packet.extension(43, 3).tcp(4000, 80, {.flags = kSyn}));
  EXPECT_EQ(outcome.verdict(), "to 1");
  EXPECT_EQ(rig.rig().counted(1, DropReason::ServicePort), 1u);
}

TEST_P(TranslateRefuseTest, AServiceIsThereForWhatIsRoutedOnly) {
  auto bridged = f_.bridged(1, 2, f_.pods[1], f_.vip);
  expect_out(send(bridged.udp(4000, 80)), "to 2", bridged);
}

}  // namespace
}  // namespace podswitch::test
