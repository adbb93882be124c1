// SPDX-License-Identifier: Apache-2.0
// Routing between pods of one node: ports 1 and 2 are pods of two subnets, what else there is has its own
// next hop.
#include <gtest/gtest.h>

#include "switch/net/headers.h"
#include "tests/unit/provoked.h"
#include "tests/unit/rig.h"

namespace podswitch::test {
namespace {

constexpr std::string_view kGatewayMac = "02:00:00:00:00:fe";
constexpr std::string_view kMacA = "02:00:00:00:00:01";
constexpr std::string_view kMacB = "02:00:00:00:00:02";
constexpr NextHopId kHopA = 1, kHopB = 2, kNobody = 3, kSmall = 4, kSelf = 5;

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

class RouteTest : public testing::Test {
 protected:
  RouteTest() {
    put(kHopA, NextHop::Kind::Pod, 1, kMacA, 1500);
    put(kHopB, NextHop::Kind::Pod, 2, kMacB, 1500);
    put(kNobody, NextHop::Kind::Unreachable, kNoPort, kZeroMac, UINT16_MAX);
    put(kSmall, NextHop::Kind::Pod, 2, kMacB, 1400);
    put(kSelf, NextHop::Kind::Self, kNoPort, kZeroMac, UINT16_MAX);
    Routing routing;
    routing.next_hops = &next_hops_;
    routing.tables["default"] = Lpm::build(std::vector<Route>{{*Prefix::parse("10.1.0.1/32"), kHopA},
                                                              {*Prefix::parse("10.1.0.254/32"), kSelf},
                                                              {*Prefix::parse("10.2.0.2/32"), kHopB},
                                                              {*Prefix::parse("10.2.0.0/16"), kNobody},
                                                              {*Prefix::parse("10.3.0.0/16"), kSmall},
                                                              {*Prefix::parse("fd00:1::1/128"), kHopA},
                                                              {*Prefix::parse("fd00:2::2/128"), kHopB},
                                                              {*Prefix::parse("fd00:3::/64"), kSmall}});
    const std::vector<BridgePort> ports{
        {.id = 1, .mac = mac(kMacA), .ips = {ip("10.1.0.1"), ip("fd00:1::1")}},
        {.id = 2, .mac = mac(kMacB), .ips = {ip("10.2.0.2"), ip("fd00:2::2")}}};
    rig_ = std::make_unique<Rig>(ports, Gateway{mac(kGatewayMac), {ip("10.1.0.254"), ip("fd00:1::fe")}},
                                 routing);
  }

  void put(NextHopId id, NextHop::Kind kind, PortId port, std::string_view destination, uint16_t mtu) {
    auto hop = std::make_unique<NextHop>();
    hop->kind = kind;
    hop->port = port;
    hop->fid = 1;
    hop->mtu = mtu;
    const MacAddress to = mac(destination), from = mac(kGatewayMac);
    std::copy_n(to.bytes.begin(), 6, hop->macs.begin());
    std::copy_n(from.bytes.begin(), 6, hop->macs.begin() + 6);
    next_hops_.set(id, std::move(hop)).reset();
  }

  static Packet from_a() { return Packet().eth(kMacA, kGatewayMac); }
  std::string fate(const Packet& packet) {
    const Outcome outcome = rig_->send(1, packet);
    if (outcome.meta.verdict == Verdict::Drop) provoked_reasons().insert(outcome.meta.reason);
    return outcome.verdict();
  }

  NextHopTable next_hops_;
  std::unique_ptr<Rig> rig_;
};

TEST_F(RouteTest, SendsToTheOtherSubnet) {
  const Outcome v4 = rig_->send(1, from_a().ipv4("10.1.0.1", "10.2.0.2", {.ttl = 60}).udp(1, 2).payload(20));
  EXPECT_EQ(v4.verdict(), "to 2");
  EXPECT_EQ(text_of(*v4.packet), text_of(Packet()
                                             .eth(kGatewayMac, kMacB)
                                             .ipv4("10.1.0.1", "10.2.0.2", {.ttl = 59})
                                             .udp(1, 2)
                                             .payload(20)
                                             .bytes()));
  const Outcome v6 =
      rig_->send(1, from_a().ipv6("fd00:1::1", "fd00:2::2", {.hop_limit = 2}).udp(1, 2).payload(20));
  EXPECT_EQ(v6.verdict(), "to 2");
  EXPECT_EQ(text_of(*v6.packet), text_of(Packet()
                                             .eth(kGatewayMac, kMacB)
                                             .ipv6("fd00:1::1", "fd00:2::2", {.hop_limit = 1})
                                             .udp(1, 2)
                                             .payload(20)
                                             .bytes()));
}

TEST_F(RouteTest, RefusesWhatNobodyRoutes) {
  EXPECT_EQ(fate(from_a().ipv4("10.1.0.1", "127.0.0.1").udp(1, 2)), "route_invalid");
  EXPECT_EQ(fate(from_a().ipv4("10.1.0.1", "169.254.1.1").udp(1, 2)), "route_invalid");
  EXPECT_EQ(fate(from_a().ipv4("10.1.0.1", "224.0.0.5").udp(1, 2)), "route_invalid");
  EXPECT_EQ(fate(from_a().ipv4("10.1.0.1", "10.2.0.2").udp(1, 2).poke(14 + 10, 0x99)), "route_invalid");
  EXPECT_EQ(fate(from_a().ipv6("fd00:1::1", "fe80::1").udp(1, 2)), "route_invalid");
  EXPECT_EQ(fate(from_a().ipv6("fd00:1::1", "::1").udp(1, 2)), "route_invalid");
  EXPECT_EQ(fate(from_a().arp(1, kMacA, "10.1.0.1", kZeroMac, "10.9.9.9")), "gateway_not_routed");
}

// What the sender hears instead, at its own port.
struct Heard {
  unsigned type, code;
};
Heard icmp_of(const Outcome& outcome, bool is_v4) {
  const auto* icmp =
      rte_pktmbuf_mtod_offset(outcome.packet.get(), const net::IcmpHeader*, 14 + (is_v4 ? 20 : 40));
  return {icmp->type, icmp->code};
}

TEST_F(RouteTest, AnswersWithTimeExceeded) {
  const Outcome v4 = rig_->send(1, from_a().ipv4("10.1.0.1", "10.2.0.2", {.ttl = 1}).udp(1, 2).payload(9));
  EXPECT_EQ(v4.verdict(), "to 1");
  EXPECT_EQ(icmp_of(v4, true).type, 11u);
  EXPECT_EQ(rig_->counted(1, DropReason::TtlExpired), 1u);
  const Outcome v6 = rig_->send(1, from_a().ipv6("fd00:1::1", "fd00:2::2", {.hop_limit = 1}).udp(1, 2));
  EXPECT_EQ(v6.verdict(), "to 1");
  EXPECT_EQ(icmp_of(v6, false).type, 3u);
  // No error about an error.
  EXPECT_EQ(fate(from_a().ipv4("10.1.0.1", "10.2.0.2", {.ttl = 1}).icmp(3, 1).payload(36)), "ttl_expired");
}

// A traceroute to the gateway ends there.
TEST_F(RouteTest, LooksAtTheTtlOnlyOfWhatGoesOn) {
  const Outcome arrived = rig_->send(1, from_a().ipv4("10.1.0.1", "10.1.0.254", {.ttl = 1}).udp(1, 33434));
  EXPECT_EQ(arrived.verdict(), "to 1");
  EXPECT_EQ(icmp_of(arrived, true).type, 3u);
  EXPECT_EQ(icmp_of(arrived, true).code, 3u);
  EXPECT_EQ(rig_->counted(1, DropReason::TtlExpired), 0u);
}

TEST_F(RouteTest, AnswersWithUnreachable) {
  const Outcome none = rig_->send(1, from_a().ipv4("10.1.0.1", "10.9.0.1").udp(1, 2));
  EXPECT_EQ(none.verdict(), "to 1");
  EXPECT_EQ(icmp_of(none, true).type, 3u);
  EXPECT_EQ(icmp_of(none, true).code, 0u);
  const Outcome nobody = rig_->send(1, from_a().ipv4("10.1.0.1", "10.2.0.99").udp(1, 2));
  EXPECT_EQ(icmp_of(nobody, true).code, 1u);
  EXPECT_EQ(rig_->counted(1, DropReason::RouteNone), 2u);
  const Outcome v6 = rig_->send(1, from_a().ipv6("fd00:1::1", "fd00:9::1").udp(1, 2));
  EXPECT_EQ(icmp_of(v6, false).type, 1u);
  EXPECT_EQ(fate(from_a().ipv4("10.1.0.1", "10.9.0.1").icmp(3, 1).payload(36)), "route_none");
}

TEST_F(RouteTest, AnswersWithTheMtuThatFits) {
  const Outcome v4 =
      rig_->send(1, from_a().ipv4("10.1.0.1", "10.3.0.1", {.fragment = 0x4000}).udp(1, 2).payload(1373));
  EXPECT_EQ(v4.verdict(), "to 1");
  EXPECT_EQ(icmp_of(v4, true).type, 3u);
  EXPECT_EQ(icmp_of(v4, true).code, 4u);
  EXPECT_EQ(rte_pktmbuf_mtod_offset(v4.packet.get(), const be16_t*, 14 + 20 + 6)->host(), 1400);
  const Outcome v6 = rig_->send(1, from_a().ipv6("fd00:1::1", "fd00:3::1").udp(1, 2).payload(1353));
  EXPECT_EQ(v6.verdict(), "to 1");
  EXPECT_EQ(icmp_of(v6, false).type, 2u);
  EXPECT_EQ(rte_pktmbuf_mtod_offset(v6.packet.get(), const be32_t*, 14 + 40 + 4)->host(), 1400u);
  EXPECT_EQ(fate(from_a().ipv4("10.1.0.1", "10.3.0.1", {.fragment = 0x4000}).udp(1, 2).payload(1372)),
            "to 2");
}

TEST_F(RouteTest, LimitsItsErrors) {
  unsigned answered = 0;
  for (int i = 0; i < 1000; ++i)
    answered += rig_->send(1, from_a().ipv4("10.1.0.1", "10.9.0.1").udp(1, 2)).verdict() == "to 1" ? 1 : 0;
  EXPECT_GE(answered, 1u);
  EXPECT_LT(answered, 100u);
}

TEST_F(RouteTest, DropsWhatHasNoNextHopYet) {
  put(9, NextHop::Kind::Unresolved, 1, kMacA, 1500);
  auto old = next_hops_.set(kHopB, std::make_unique<NextHop>(next_hops_[9]));
  EXPECT_EQ(fate(from_a().ipv4("10.1.0.1", "10.2.0.2").udp(1, 2)), "next_hop_unresolved");
  const auto emptied = next_hops_.set(kHopB, nullptr);
  EXPECT_EQ(fate(from_a().ipv4("10.1.0.1", "10.2.0.2").udp(1, 2)), "next_hop_unresolved");
}

TEST_F(RouteTest, BridgesInsideTheNetworkAsBefore) {
  EXPECT_EQ(fate(Packet().eth(kMacA, kMacB).ipv4("10.1.0.1", "10.2.0.2").udp(1, 2)), "to 2");
}

}  // namespace
}  // namespace podswitch::test
