// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "switch/offload.h"
#include "tests/unit/rig.h"

namespace podswitch::test {
namespace {

// Ports 1 and 2 are pods, port 3 belongs to nobody; port 4 is in another network; port 5 is a trunk.
constexpr std::string_view kMac1 = "02:00:00:00:00:01";
constexpr std::string_view kMac2 = "02:00:00:00:00:02";
constexpr std::string_view kMac9 = "02:00:00:00:00:09";
constexpr std::string_view kGateway = "02:aa:00:00:00:fe";
constexpr std::string_view kGroupOf2 = "33:33:ff:00:00:02";

IpAddress ip(std::string_view text) {
  return *IpAddress::parse(text);
}

Rig& rig() {
  static Rig rig({{.id = 1, .mac = mac(kMac1), .ips = {ip("10.0.0.1"), ip("2001:db8::1")}},
                  {.id = 2, .mac = mac(kMac2), .ips = {ip("10.0.0.2"), ip("2001:db8::2")}},
                  {.id = 3},
                  {.id = 4, .network = "other"},
                  {.id = 5, .vlan = {.mode = VlanMode::Trunk, .trunk = {7}}}},
                 {mac(kGateway), {ip("10.0.0.254"), ip("2001:db8::fe")}});
  return rig;
}

Outcome ask(PortId port, const Packet& packet) {
  return rig().send(port, packet, stages::answer);
}

void expect_reply(PortId port, const Packet& request, const Packet& reply, const char* what) {
  const Outcome outcome = ask(port, request);
  EXPECT_EQ(outcome.verdict(), "to " + std::to_string(port)) << what;
  EXPECT_EQ(text_of(*outcome.packet), text_of(reply.bytes())) << what;
  EXPECT_FALSE(has_open_request(*outcome.packet)) << what;
  EXPECT_EQ(defect_of(*outcome.packet), "") << what;
}

Packet who_has(std::string_view target, std::string_view sender_ip = "10.0.0.1",
               std::string_view to = kBroadcastMac) {
  return Packet().eth(kMac1, to).arp(1, kMac1, sender_ip, kZeroMac, target);
}

Packet who_has6(std::string_view target, std::string_view source = "2001:db8::1",
                std::string_view destination = "ff02::1:ff00:2", std::string_view to = kGroupOf2) {
  return Packet().eth(kMac1, to).ipv6(source, destination, {.hop_limit = 255}).solicitation(target);
}

Packet advert(std::string_view target, std::string_view owner, uint32_t flags,
              std::string_view destination = "2001:db8::1", std::string_view to = kMac1) {
  return Packet()
      .eth(owner, to)
      .ipv6(target, destination, {.hop_limit = 255})
      .advertisement(target, flags)
      .nd_option(2, owner);
}

TEST(Answer, ArpForWhatItKnows) {
  const auto reply = [](std::string_view owner, std::string_view address, std::string_view to) {
    return Packet().eth(owner, kMac1).arp(2, owner, address, kMac1, to);
  };
  expect_reply(1, who_has("10.0.0.2"), reply(kMac2, "10.0.0.2", "10.0.0.1"), "a pod's");
  expect_reply(1, who_has("10.0.0.254"), reply(kGateway, "10.0.0.254", "10.0.0.1"), "the gateway's");
  expect_reply(1, who_has("10.0.0.254", "10.0.0.1", kGateway), reply(kGateway, "10.0.0.254", "10.0.0.1"),
               "the gateway's, asked directly");
  expect_reply(1, who_has("10.0.0.2", "0.0.0.0"), reply(kMac2, "10.0.0.2", "0.0.0.0"), "probe for a pod's");
  expect_reply(3, who_has("10.0.0.2", "10.0.0.77").padding(18),
               Packet(reply(kMac2, "10.0.0.2", "10.0.0.77")).padding(18), "padded, asked by a stranger");
}

TEST(Answer, SolicitationsForWhatItKnows) {
  constexpr uint32_t kSolicitedOverride = 0x60000000;
  const Packet reply = advert("2001:db8::2", kMac2, kSolicitedOverride);
  expect_reply(1, who_has6("2001:db8::2").nd_option(1, kMac1), reply, "a pod's");
  expect_reply(1, who_has6("2001:db8::2"), reply, "without its own MAC: grows by an option");
  expect_reply(1, who_has6("2001:db8::2").nd_option(1, kMac1).nd_option(14, kMac1), reply,
               "with a nonce: shrinks");
  expect_reply(1, who_has6("2001:db8::2").nd_option(1, kMac1).padding(3), reply, "padded");
  expect_reply(1, who_has6("2001:db8::fe").nd_option(1, kMac1), advert("2001:db8::fe", kGateway, 0xe0000000),
               "the gateway's: a router");
  expect_reply(1, who_has6("2001:db8::fe", "2001:db8::1", "2001:db8::fe", kGateway).nd_option(1, kMac1),
               advert("2001:db8::fe", kGateway, 0xe0000000), "the gateway's, asked directly");
  expect_reply(1, who_has6("2001:db8::2", "::"),
               advert("2001:db8::2", kMac2, 0x20000000, "ff02::1", "33:33:00:00:00:01"),
               "detection of another's address: all nodes hear it");
}

TEST(Answer, ChainedSolicitationBecomesOneSegment) {
  const Packet request = who_has6("2001:db8::2").nd_option(1, kMac1).padding(40);
  const Outcome outcome = rig().send(1, request.mbuf({86, 13}), stages::answer);
  EXPECT_EQ(text_of(*outcome.packet), text_of(advert("2001:db8::2", kMac2, 0x60000000).bytes()));
  EXPECT_EQ(defect_of(*outcome.packet), "");
}

Bytes bytes_without_tag(Bytes frame) {
  frame.erase(frame.begin() + 12, frame.begin() + 16);
  return frame;
}

TEST(Answer, LeavesTheRestToBridging) {
  struct Case {
    const char* what;
    PortId port;
    Packet packet;
  };
  for (const Case& c : std::vector<Case>{
           {"unknown address", 1, who_has("10.0.0.99")},
           {"own address", 2, who_has("10.0.0.2")},
           {"own probe", 2, who_has("10.0.0.2", "0.0.0.0")},
           {"announcement", 1, who_has("10.0.0.1")},
           {"announcement of another's", 3, who_has("10.0.0.2", "10.0.0.2")},
           {"other network", 4, who_has("10.0.0.2")},
           {"asked directly", 1, who_has("10.0.0.2", "10.0.0.1", kMac2)},
           {"ARP reply", 1,
            Packet().eth(kMac1, kBroadcastMac).arp(2, kMac1, "10.0.0.1", kZeroMac, "10.0.0.2")},
           {"ARP cut off", 1, who_has("10.0.0.2").cut(1)},
           {"ARP of another kind", 1, who_has("10.0.0.2").poke(15, 6)},
           {"inside a second tag: another network", 5,
            Packet()
                .eth(kMac9, kBroadcastMac)
                .vlan(7)
                .vlan(8)
                .arp(1, kMac9, "10.0.0.9", kZeroMac, "10.0.0.2")},
           {"unknown IPv6 address", 1, who_has6("2001:db8::99")},
           {"own IPv6 address", 2, who_has6("2001:db8::2")},
           {"own detection", 2, who_has6("2001:db8::2", "::")},
           {"IPv4-mapped target", 1, who_has6("::ffff:10.0.0.2")},
           {"advertisement", 1, who_has6("2001:db8::2").poke(54, 136)},
           {"solicitation cut off", 1, who_has6("2001:db8::2").cut(1)},
           {"multicast that is no solicitation", 1,
            Packet().eth(kMac1, kGroupOf2).ipv6("2001:db8::1", "ff02::fb").udp(5353, 5353)},
           {"unicast to a pod", 1,
            Packet().eth(kMac1, kMac2).ipv4("10.0.0.1", "10.0.0.2").icmp(8).echo(1, 1)},
       }) {
    const Bytes before = c.packet.bytes();
    const Outcome outcome = ask(c.port, c.packet);
    EXPECT_EQ(outcome.verdict(), "undecided") << c.what;
    EXPECT_EQ(text_of(*outcome.packet), text_of(c.port == 5 ? bytes_without_tag(before) : before)) << c.what;
  }
}

TEST(Answer, DropsInvalidSolicitations) {  // RFC 4861 section 7.1.1
  for (const auto& [what, packet] : std::vector<std::pair<const char*, Packet>>{
           {"from beyond a router", Packet()
                                        .eth(kMac1, kGroupOf2)
                                        .ipv6("2001:db8::1", "ff02::1:ff00:2", {.hop_limit = 254})
                                        .solicitation("2001:db8::2")},
           {"wrong checksum", who_has6("2001:db8::2").poke(56, 1)},
           {"option of length 0", who_has6("2001:db8::2").nd_option(1, kMac1).poke(79, 0)},
           {"detection with a source MAC", who_has6("2001:db8::2", "::").nd_option(1, kMac1)},
           {"detection to all nodes", who_has6("2001:db8::2", "::", "ff02::1")},
           {"fragment", Packet()
                            .eth(kMac1, kGroupOf2)
                            .ipv6("2001:db8::1", "ff02::1:ff00:2", {.hop_limit = 255})
                            .fragment6(0, false)
                            .solicitation("2001:db8::2")},
       })
    EXPECT_EQ(ask(1, packet).verdict(), "malformed") << what;
}

TEST(Answer, PingToTheGateway) {
  const auto v4 = [](std::string_view from, std::string_view to, std::string_view source,
                     std::string_view destination,
                     Ipv4Fields fields) { return Packet().eth(from, to).ipv4(source, destination, fields); };
  const auto request4 = [&](Ipv4Fields f = {}) { return v4(kMac1, kGateway, "10.0.0.1", "10.0.0.254", f); };
  const auto reply4 = [&](Ipv4Fields f = {}) {
    f.ttl = 64;
    return v4(kGateway, kMac1, "10.0.0.254", "10.0.0.1", f);
  };
  expect_reply(1, request4().icmp(8).echo(7, 1).payload(57), reply4().icmp(0).echo(7, 1).payload(57), "IPv4");
  const Ipv4Fields options{.ttl = 1, .options = Bytes(8, 1)};
  expect_reply(1, request4(options).icmp(8).echo(7, 1), reply4(options).icmp(0).echo(7, 1),
               "IPv4 options, TTL 1");
  const Ipv4Fields first{.fragment = 0x2000};
  expect_reply(1, request4(first).icmp(8).echo(7, 1).payload(16),
               reply4(first).icmp(0).echo(7, 1).payload(16), "first fragment");
  const Ipv4Fields later{.fragment = 0x0003, .protocol = 1};
  expect_reply(1, request4(later).payload(Bytes(16, 8)), reply4(later).payload(Bytes(16, 8)),
               "later fragment");

  const auto v6 = [](std::string_view from, std::string_view to, std::string_view source,
                     std::string_view destination, uint8_t hops) {
    return Packet().eth(from, to).ipv6(source, destination, {.hop_limit = hops});
  };
  const auto request6 = [&] { return v6(kMac1, kGateway, "2001:db8::1", "2001:db8::fe", 3); };
  const auto reply6 = [&] { return v6(kGateway, kMac1, "2001:db8::fe", "2001:db8::1", 64); };
  expect_reply(1, request6().icmpv6(128).echo(7, 1).payload(57), reply6().icmpv6(129).echo(7, 1).payload(57),
               "IPv6");
  expect_reply(1, request6().extension(60).icmpv6(128).echo(7, 1),
               reply6().extension(60).icmpv6(129).echo(7, 1), "IPv6, options");
  expect_reply(1, request6().fragment6(0, true).icmpv6(128).echo(7, 1),
               reply6().fragment6(0, true).icmpv6(129).echo(7, 1), "IPv6, first fragment");
  expect_reply(1, request6().fragment6(8, false, 58).payload(30),
               reply6().fragment6(8, false, 58).payload(30), "IPv6, later fragment");
}

TEST(Answer, GatewayRoutesNothing) {
  const auto to_gateway = [] { return Packet().eth(kMac1, kGateway); };
  for (const auto& [what, packet] : std::vector<std::pair<const char*, Packet>>{
           {"TCP", to_gateway().ipv4("10.0.0.1", "10.0.0.254").tcp(1, 2)},
           {"ping to someone behind it", to_gateway().ipv4("10.0.0.1", "192.0.2.1").icmp(8).echo(1, 1)},
           {"ping to a pod", to_gateway().ipv4("10.0.0.1", "10.0.0.2").icmp(8).echo(1, 1)},
           {"echo reply", to_gateway().ipv4("10.0.0.1", "10.0.0.254").icmp(0).echo(1, 1)},
           {"ping from a group", to_gateway().ipv4("224.0.0.1", "10.0.0.254").icmp(8).echo(1, 1)},
           {"ping from nobody", to_gateway().ipv4("0.0.0.0", "10.0.0.254").icmp(8).echo(1, 1)},
           {"later fragment of UDP",
            to_gateway().ipv4("10.0.0.1", "10.0.0.254", {.fragment = 1, .protocol = 17}).payload(8)},
           {"ICMP cut off", to_gateway().ipv4("10.0.0.1", "10.0.0.254", {.protocol = 1}).payload(3)},
           {"ping with a routing header",
            to_gateway().ipv6("2001:db8::1", "2001:db8::fe").extension(43, 3).icmpv6(128).echo(1, 1)},
           {"IPv6 ping from a group", to_gateway().ipv6("ff02::1", "2001:db8::fe").icmpv6(128).echo(1, 1)},
           {"IPv6 ping to a mapped address",
            to_gateway().ipv6("2001:db8::1", "::ffff:10.0.0.254").icmpv6(128).echo(1, 1)},
           {"ARP for a pod", who_has("10.0.0.2", "10.0.0.1", kGateway)},
           {"ARP reply", to_gateway().arp(2, kMac1, "10.0.0.1", kGateway, "10.0.0.254")},
           {"solicitation for a pod", who_has6("2001:db8::2", "2001:db8::1", "2001:db8::2", kGateway)},
           {"neither", to_gateway().ether_type(0x88cc)},
       })
    EXPECT_EQ(ask(1, packet).verdict(), packet.payload_ether_type() == net::kEtherTypeIpv4 ||
                                                packet.payload_ether_type() == net::kEtherTypeIpv6
                                            ? "route"
                                            : "gateway_not_routed")
        << what;
  EXPECT_EQ(
      ask(5, Packet().eth(kMac9, kGateway).vlan(7).vlan(8).arp(1, kMac9, "10.0.0.9", kZeroMac, "10.0.0.254"))
          .verdict(),
      "gateway_not_routed")
      << "inside a second tag";
}

TEST(Answer, NothingKnownNothingAnswered) {
  Rig plain({{.id = 1}, {.id = 2}});
  EXPECT_EQ(plain.send(1, who_has("10.0.0.254"), stages::answer).verdict(), "undecided");
  EXPECT_EQ(
      plain.send(1, Packet().eth(kMac1, kZeroMac).ipv4("10.0.0.1", "10.0.0.2"), stages::answer).verdict(),
      "undecided");
}

}  // namespace
}  // namespace podswitch::test
