// SPDX-License-Identifier: Apache-2.0
// ICMP errors about translated packets: whoever sent what they quote gets them, about the packet as he knows
// it, and nobody learns a backend's address from them.
#include <gtest/gtest.h>

#include "tests/unit/service_rig.h"

namespace podswitch::test {
namespace {

enum class Kind { Unreachable, TooBig, TimeExceeded };
constexpr Kind kKinds[] = {Kind::Unreachable, Kind::TooBig, Kind::TimeExceeded};

// The rest of the header, then the quoted packet without its Ethernet header, at most `limit` bytes of it.
Bytes body_of(const Bytes& quoted, uint16_t mtu = 0, size_t limit = 1000) {
  Bytes body{0, 0, static_cast<uint8_t>(mtu >> 8), static_cast<uint8_t>(mtu)};
  body.insert(body.end(), quoted.begin() + 14, quoted.begin() + std::min(quoted.size(), 14 + limit));
  return body;
}

Packet& icmp(Packet& packet, const Family& f, Kind kind) {
  if (f.is_v6) return packet.icmpv6(kind == Kind::Unreachable ? 1 : kind == Kind::TooBig ? 2 : 3, 0);
  return packet.icmp(kind == Kind::TimeExceeded ? 11 : 3, kind == Kind::TooBig ? 4 : 0);
}

class TranslateIcmpTest : public testing::TestWithParam<bool> {
 protected:
  TranslateIcmpTest() : rig_(services()) {}
  static ServiceChanges services() {
    ServiceChanges all;
    ServiceId id = 0;
    for (const Family& f : kFamilies)
      for (const Protocol protocol : {Protocol::Tcp, Protocol::Udp, Protocol::Sctp})
        all.push_back({{ip(f.vip), 80, protocol}, make_service(id++, {{ip(f.pods[3]), 8080}})});
    return all;
  }
  Packet tcp(PortId from, std::string_view source, uint16_t source_port, std::string_view destination,
             uint16_t destination_port, uint8_t flags = kAck) const {
    auto packet = f_.sent(from, source, destination);
    return packet.tcp(source_port, destination_port, {.flags = flags});
  }
  // A packet as it is somewhere in the network: other TTL than it was sent with.
  Packet seen(std::string_view source, uint16_t source_port, std::string_view destination,
              uint16_t destination_port, uint8_t flags = kAck) const {
    auto packet = f_.received(1, source, destination);
    return packet.tcp(source_port, destination_port, {.flags = flags});
  }
  void open() { ASSERT_EQ(rig_.send(1, tcp(1, f_.pods[1], 4000, f_.vip, 80, kSyn)).verdict(), "to 3"); }
  // An error from `source` to `destination`, sent by the pod at `from` and heard by the one at `to`.
  void expect_error(PortId from, PortId to, std::string_view source, std::string_view destination,
                    const Bytes& quoted, std::string_view heard_from, std::string_view heard_by,
                    const Bytes& heard) {
    for (const Kind kind : kKinds)
      for (const size_t limit : {size_t{1000}, quoted.size() - 14 - 12}) {
        SCOPED_TRACE(testing::Message() << static_cast<int>(kind) << " " << limit);
        auto sent = f_.sent(from, source, destination);
        auto arrives = f_.received(to, heard_from, heard_by);
        const uint16_t mtu = kind == Kind::TooBig ? 1400 : 0;
        expect_out(rig_.send(from, icmp(sent, f_, kind).payload(body_of(quoted, mtu, limit))),
                   "to " + std::to_string(to), icmp(arrives, f_, kind).payload(body_of(heard, mtu, limit)));
      }
  }

  const Family& f_ = GetParam() ? kV6 : kV4;
  ServiceRig rig_;
};
INSTANTIATE_TEST_SUITE_P(BothFamilies, TranslateIcmpTest, testing::Bool());

TEST_P(TranslateIcmpTest, TheBackendsErrorComesFromTheServiceAndQuotesWhatTheClientHadSent) {
  open();
  expect_error(3, 1, f_.pods[3], f_.pods[1], seen(f_.pods[1], 4000, f_.pods[3], 8080).bytes(), f_.vip,
               f_.pods[1], seen(f_.pods[1], 4000, f_.vip, 80).bytes());
}

TEST_P(TranslateIcmpTest, ARoutersErrorKeepsItsSenderAndQuotesWhatTheClientHadSent) {
  open();
  expect_error(2, 1, f_.pods[2], f_.pods[1], seen(f_.pods[1], 4000, f_.pods[3], 8080).bytes(), f_.pods[2],
               f_.pods[1], seen(f_.pods[1], 4000, f_.vip, 80).bytes());
}

TEST_P(TranslateIcmpTest, TheClientsErrorReachesTheBackendAboutWhatThatHadSent) {
  open();
  expect_error(1, 3, f_.pods[1], f_.vip, seen(f_.vip, 80, f_.pods[1], 4000).bytes(), f_.pods[1], f_.pods[3],
               seen(f_.pods[3], 8080, f_.pods[1], 4000).bytes());
}

TEST_P(TranslateIcmpTest, ARoutersErrorAboutAnAnswerReachesTheBackend) {
  open();
  expect_error(2, 3, f_.pods[2], f_.vip, seen(f_.vip, 80, f_.pods[1], 4000).bytes(), f_.pods[2], f_.pods[3],
               seen(f_.pods[3], 8080, f_.pods[1], 4000).bytes());
}

TEST_P(TranslateIcmpTest, AnErrorAboutAnAnswerWithoutAFlowFindsTheBackendThatTheClientWouldGet) {
  expect_error(2, 3, f_.pods[2], f_.vip, seen(f_.vip, 80, f_.pods[1], 4000).bytes(), f_.pods[2], f_.pods[3],
               seen(f_.pods[3], 8080, f_.pods[1], 4000).bytes());
  EXPECT_EQ(rig_.rig().flows().end(), 0u);
}

TEST_P(TranslateIcmpTest, ABridgedErrorIsTranslatedToo) {
  open();
  const Bytes quoted = seen(f_.pods[1], 4000, f_.pods[3], 8080).bytes();
  const Bytes heard = seen(f_.pods[1], 4000, f_.vip, 80).bytes();
  auto sent = f_.bridged(3, 1, f_.pods[3], f_.pods[1]);
  auto arrives = f_.bridged(3, 1, f_.vip, f_.pods[1]);
  expect_out(rig_.send(3, icmp(sent, f_, Kind::Unreachable).payload(body_of(quoted))), "to 1",
             icmp(arrives, f_, Kind::Unreachable).payload(body_of(heard)));
}

TEST_P(TranslateIcmpTest, ErrorsAboutUdpWithAndWithoutChecksumAndAboutSctpAreTranslated) {
  const auto packet = [&](int which, Packet made, uint16_t source, uint16_t destination) {
    if (which == 2) return made.sctp(source, destination).payload(Bytes{1, 0, 0, 4});
    made.udp(source, destination).payload(11);
    return which == 1 && !f_.is_v6 ? made.no_checksum() : made;
  };
  for (const int which : {0, 1, 2}) {
    SCOPED_TRACE(which);
    ASSERT_EQ(rig_.send(1, packet(which, f_.sent(1, f_.pods[1], f_.vip), 4000, 80)).verdict(), "to 3");
    const Bytes quoted = packet(which, f_.received(3, f_.pods[1], f_.pods[3]), 4000, 8080).bytes();
    Bytes heard = packet(which, f_.received(3, f_.pods[1], f_.vip), 4000, 80).bytes();
    // SCTP's checksum is over more than what errors quote: it stays as it was.
    const size_t crc = (f_.is_v6 ? 54 : 34) + 8;
    if (which == 2) std::copy_n(quoted.begin() + crc, 4, heard.begin() + crc);
    auto sent = f_.sent(3, f_.pods[3], f_.pods[1]);
    auto arrives = f_.received(1, f_.vip, f_.pods[1]);
    expect_out(rig_.send(3, icmp(sent, f_, Kind::Unreachable).payload(body_of(quoted))), "to 1",
               icmp(arrives, f_, Kind::Unreachable).payload(body_of(heard)));
  }
}

TEST_P(TranslateIcmpTest, AnErrorWithAWrongChecksumStaysAsWrong) {
  open();
  auto sent = f_.sent(3, f_.pods[3], f_.pods[1]);
  auto arrives = f_.received(1, f_.vip, f_.pods[1]);
  icmp(sent, f_, Kind::Unreachable).payload(body_of(seen(f_.pods[1], 4000, f_.pods[3], 8080).bytes()));
  icmp(arrives, f_, Kind::Unreachable).payload(body_of(seen(f_.pods[1], 4000, f_.vip, 80).bytes()));
  const size_t unused = sent.l4_offset() + 4u;
  expect_out(rig_.send(3, sent.poke(unused, 9)), "to 1", arrives.poke(unused, 9));
}

TEST_P(TranslateIcmpTest, ErrorsAboutOtherPacketsPassUntouchedAndThoseToAServiceAreDropped) {
  open();
  const Bytes others = seen(f_.pods[1], 4001, f_.pods[3], 8080).bytes();
  auto sent = f_.sent(3, f_.pods[3], f_.pods[1]);
  auto arrives = f_.received(1, f_.pods[3], f_.pods[1]);
  expect_out(rig_.send(3, icmp(sent, f_, Kind::Unreachable).payload(body_of(others))), "to 1",
             icmp(arrives, f_, Kind::Unreachable).payload(body_of(others)));
  auto to_service = f_.sent(2, f_.pods[2], f_.vip);
  EXPECT_EQ(rig_.send(2, icmp(to_service, f_, Kind::Unreachable).payload(body_of(others))).verdict(),
            "service_port");
}

TEST_P(TranslateIcmpTest, APodThatIsItsOwnClientHearsOfItsErrorFromTheService) {
  ASSERT_EQ(rig_.send(3, tcp(3, f_.pods[3], 4000, f_.vip, 80, kSyn)).verdict(), "to 3");
  expect_error(3, 3, f_.pods[3], f_.gateway, seen(f_.gateway, 4000, f_.pods[3], 8080).bytes(), f_.vip,
               f_.pods[3], seen(f_.pods[3], 4000, f_.vip, 80).bytes());
}

// The switch's own errors quote what the client had sent, from the gateway.
TEST_P(TranslateIcmpTest, AnErrorOfTheSwitchItselfIsAboutWhatTheSenderHadSent) {
  open();
  const auto expect_own = [&](const Outcome& outcome, PortId to, Kind kind, uint16_t mtu,
                              const Packet& sent) {
    ASSERT_EQ(outcome.verdict(), "to " + std::to_string(to));
    const Bytes frame = bytes_of(*outcome.packet);
    auto header = f_.received(to, f_.gateway, f_.pods[to]);
    const Bytes expected = icmp(header, f_, kind).bytes();
    const size_t l4 = header.l4_offset();
    const size_t addresses = f_.is_v6 ? 14 + 8 : 14 + 12;
    EXPECT_TRUE(std::equal(frame.begin() + addresses, frame.begin() + l4 + 2, expected.begin() + addresses));
    const Bytes body = body_of(sent.bytes(), mtu, (f_.is_v6 ? 1280u : 576u) - (l4 - 14) - 8);
    EXPECT_EQ(text_of(Bytes(frame.begin() + l4 + 4, frame.end())), text_of(body));
    uint64_t sum = slow_sum(frame, l4, frame.size());
    if (f_.is_v6) sum += slow_sum(frame, addresses, l4) + uint64_t{58} + (frame.size() - l4);
    EXPECT_EQ(sum % 0xffff, 0u);
  };
  const auto with_ttl = [&](PortId from, std::string_view source, std::string_view destination, uint8_t ttl) {
    Packet packet = ServiceRig::from(from);
    return f_.is_v6 ? packet.ipv6(source, destination, {.hop_limit = ttl})
                    : packet.ipv4(source, destination, {.ttl = ttl, .fragment = 0x4000});
  };
  const Packet dying = with_ttl(1, f_.pods[1], f_.vip, 1).tcp(4000, 80).payload(9);
  expect_own(rig_.send(1, dying), 1, Kind::TimeExceeded, 0, dying);
  const Packet dying_answer = with_ttl(3, f_.pods[3], f_.pods[1], 1).tcp(8080, 4000).payload(9);
  expect_own(rig_.send(3, dying_answer), 3, Kind::TimeExceeded, 0, dying_answer);
  rig_.set_pod_hop(3, 3, 1300);
  rig_.set_pod_hop(1, 1, 1300);
  const Packet large = with_ttl(1, f_.pods[1], f_.vip, 64).tcp(4000, 80).payload(1400);
  expect_own(rig_.send(1, large), 1, Kind::TooBig, 1300, large);
  const Packet large_answer = with_ttl(3, f_.pods[3], f_.pods[1], 64).tcp(8080, 4000).payload(1400);
  expect_own(rig_.send(3, large_answer), 3, Kind::TooBig, 1300, large_answer);
  // The first packet of a flow as well.
  const Packet first = with_ttl(1, f_.pods[1], f_.vip, 64).udp(4009, 80).payload(1400);
  expect_own(rig_.send(1, first), 1, Kind::TooBig, 1300, first);
}

}  // namespace
}  // namespace podswitch::test
