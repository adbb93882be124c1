// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/rig.h"

namespace podswitch::test {
namespace {

// Port 1 has addresses, port 2 only a MAC, port 3 nothing; port 4 has them and may spoof.
constexpr std::string_view kOwn = "02:00:00:00:00:01";
constexpr std::string_view kOther = "02:00:00:00:00:02";
constexpr std::string_view kOwnLinkLocal = "fe80::ff:fe00:1";  // EUI-64 of kOwn
constexpr std::string_view kAllNodes = "33:33:00:00:00:01";

Rig& rig() {
  static Rig rig({
      {.id = 1,
       .mac = mac(kOwn),
       .ips = {*IpAddress::parse("10.0.0.1"), *IpAddress::parse("10.0.0.11"),
               *IpAddress::parse("2001:db8::1")}},
      {.id = 2, .mac = mac(kOther)},
      {.id = 3},
      {.id = 4,
       .mac = mac("02:00:00:00:00:04"),
       .ips = {*IpAddress::parse("10.0.0.4")},
       .allow_spoofing = true},
      {.id = 5,
       .vlan = {.mode = VlanMode::Trunk, .trunk = {7}},
       .mac = mac(kOwn),
       .ips = {*IpAddress::parse("10.0.0.1")}},
  });
  return rig;
}

Packet eth(std::string_view source = kOwn) {
  return Packet().eth(source, kOther);
}
Packet v4(std::string_view source) {
  return eth().ipv4(source, "10.0.0.2");
}
Packet v6(std::string_view source) {
  return eth().ipv6(source, "2001:db8::2", {.hop_limit = 255});
}
Packet nd(std::string_view source = "2001:db8::1") {
  return Packet().eth(kOwn, kAllNodes).ipv6(source, "ff02::1", {.hop_limit = 255});
}

struct Case {
  const char* what;
  Packet packet;
  const char* expected;
  std::vector<size_t> sizes = {};
};

void expect(PortId port, const std::vector<Case>& cases) {
  for (const Case& c : cases)
    EXPECT_EQ(rig().send(port, c.packet.mbuf(c.sizes), stages::guard).verdict(), c.expected) << c.what;
}

TEST(Guard, Mac) {
  expect(1, {{"own", v4("10.0.0.1").udp(1, 2), "undecided"},
             {"another's", eth(kOther).ipv4("10.0.0.1", "10.0.0.2").udp(1, 2), "guard_mac"}});
}

TEST(Guard, EtherType) {
  expect(1, {{"LLDP", eth().ether_type(0x88cc).payload(50), "guard_ether_type"},
             {"LLC", eth().ether_type(46).payload(46), "guard_ether_type"},
             {"RARP", eth().ether_type(0x8035).payload(46), "guard_ether_type"}});
}

TEST(Guard, Ipv4) {
  expect(1, {{"own", v4("10.0.0.1").udp(1, 2), "undecided"},
             {"second own", v4("10.0.0.11").tcp(1, 2), "undecided"},
             {"another's", v4("10.0.0.2").udp(1, 2), "guard_ipv4"},
             {"none", v4("0.0.0.0").udp(68, 67), "guard_ipv4"},
             {"another's in a fragment", eth().ipv4("10.0.0.2", "10.0.0.3", {.fragment = 1}).payload(8),
              "guard_ipv4"},
             {"truncated", v4("10.0.0.1").udp(1, 2).cut(1), "malformed"},
             {"header in two segments", v4("10.0.0.1").udp(1, 2), "malformed", {30}},
             {"header of 16 bytes", v4("10.0.0.1").udp(1, 2).poke(14, 0x44), "malformed"}});
}

TEST(Guard, Ipv6) {
  expect(1, {{"own", v6("2001:db8::1").udp(1, 2), "undecided"},
             {"own link-local", v6(kOwnLinkLocal).udp(1, 2), "undecided"},
             {"another's", v6("2001:db8::2").udp(1, 2), "guard_ipv6"},
             {"another's link-local", v6("fe80::2").udp(1, 2), "guard_ipv6"},
             {"none", v6("::").udp(1, 2), "guard_ipv6"},
             {"none, listener report", v6("::").extension(0).icmpv6(143).payload(4), "undecided"},
             {"none, old listener report", v6("::").extension(0).icmpv6(131).payload(20), "undecided"},
             {"none, echo", v6("::").icmpv6(128).echo(1, 1), "guard_ipv6"},
             {"none, listener report in a fragment", v6("::").fragment6(0, true).icmpv6(143).payload(4),
              "guard_ipv6"},
             {"truncated", v6("2001:db8::1").udp(1, 2).cut(1), "malformed"},
             {"extension header beyond the packet", v6("2001:db8::1").extension(60).udp(1, 2).poke(55, 99),
              "malformed"}});
}

TEST(Guard, Arp) {
  const auto arp = [](uint16_t operation, std::string_view sender_mac, std::string_view sender_ip) {
    return eth().arp(operation, sender_mac, sender_ip, kZeroMac, "10.0.0.9");
  };
  expect(1, {{"request", arp(1, kOwn, "10.0.0.1"), "undecided"},
             {"reply", arp(2, kOwn, "10.0.0.11"), "undecided"},
             {"another's MAC", arp(1, kOther, "10.0.0.1"), "guard_arp"},
             {"another's address", arp(1, kOwn, "10.0.0.2"), "guard_arp"},
             {"another's address in a reply", arp(2, kOwn, "10.0.0.2"), "guard_arp"},
             {"probe", arp(1, kOwn, "0.0.0.0"), "undecided"},
             {"reply from nobody", arp(2, kOwn, "0.0.0.0"), "guard_arp"},
             {"not Ethernet", arp(1, kOwn, "10.0.0.1").poke(15, 6), "guard_arp"},
             {"not IPv4", arp(1, kOwn, "10.0.0.1").poke(16, 0x86), "guard_arp"},
             {"longer addresses", arp(1, kOwn, "10.0.0.1").poke(18, 8), "guard_arp"},
             {"truncated", arp(1, kOwn, "10.0.0.1").cut(1), "malformed"},
             {"in two segments", arp(1, kOwn, "10.0.0.1"), "malformed", {40}}});
}

TEST(Guard, NeighbourDiscovery) {
  expect(
      1,
      {{"solicitation", nd().solicitation("2001:db8::2").nd_option(1, kOwn), "undecided"},
       {"solicitation with another's MAC", nd().solicitation("2001:db8::2").nd_option(1, kOther), "guard_nd"},
       {"second option with another's MAC",
        nd().solicitation("2001:db8::2").nd_option(1, kOwn).nd_option(1, kOther), "guard_nd"},
       {"nonce option", nd().solicitation("2001:db8::2").nd_option(14, kOther), "undecided"},
       {"detection of own", nd("::").solicitation("2001:db8::1"), "undecided"},
       {"detection of own link-local", nd("::").solicitation(kOwnLinkLocal), "undecided"},
       {"detection of another's", nd("::").solicitation("2001:db8::2"), "guard_nd"},
       {"advertisement", nd().advertisement("2001:db8::1", 0x60000000).nd_option(2, kOwn), "undecided"},
       {"advertisement of another's", nd().advertisement("2001:db8::2", 0).nd_option(2, kOwn), "guard_nd"},
       {"advertisement with another's MAC", nd().advertisement("2001:db8::1", 0).nd_option(2, kOther),
        "guard_nd"},
       {"behind an extension header", nd().extension(60).advertisement("2001:db8::2", 0), "guard_nd"},
       {"router solicitation", nd(kOwnLinkLocal).icmpv6(133).payload(Bytes(4)).nd_option(1, kOwn),
        "undecided"},
       {"router solicitation with another's MAC",
        nd(kOwnLinkLocal).icmpv6(133).payload(Bytes(4)).nd_option(1, kOther), "guard_nd"},
       {"router advertisement", nd(kOwnLinkLocal).icmpv6(134).payload(Bytes(12)), "guard_nd"},
       {"redirect", nd(kOwnLinkLocal).icmpv6(137).payload(Bytes(36)), "guard_nd"},
       {"in a fragment", nd().fragment6(0, true).advertisement("2001:db8::1", 0), "guard_nd"},
       {"in an atomic fragment", nd().fragment6(0, false).solicitation("2001:db8::2"), "guard_nd"},
       {"later fragment", nd().fragment6(8, false, 58).payload(Bytes(30, 136)), "undecided"},
       {"first fragment without its type", nd().fragment6(0, true, 58), "malformed"},
       {"advertisement without its target", nd().advertisement("2001:db8::1", 0).poke(19, 20), "malformed"},
       {"option of length 0", nd().solicitation("2001:db8::2").nd_option(1, kOwn).poke(79, 0), "malformed"},
       {"option beyond the message", nd().solicitation("2001:db8::2").nd_option(1, kOwn).poke(79, 2),
        "malformed"},
       {"option in the second segment",
        nd().solicitation("2001:db8::2").nd_option(1, kOther),
        "malformed",
        {80}}});
}

TEST(Guard, PortWithAMacOnly) {
  const auto from = [](std::string_view source) { return Packet().eth(source, kOwn); };
  expect(2, {{"any IPv4", from(kOther).ipv4("10.9.9.9", "10.0.0.2").udp(1, 2), "undecided"},
             {"any IPv6", from(kOther).ipv6("::", "2001:db8::2").udp(1, 2), "undecided"},
             {"any EtherType", from(kOther).ether_type(0x88cc), "undecided"},
             {"another's MAC", from(kOwn).ipv4("10.9.9.9", "10.0.0.2").udp(1, 2), "guard_mac"},
             {"ARP for any address", from(kOther).arp(2, kOther, "10.9.9.9", kOwn, "10.0.0.1"), "undecided"},
             {"ARP with another's MAC", from(kOther).arp(2, kOwn, "10.9.9.9", kOwn, "10.0.0.1"), "guard_arp"},
             {"advertisement of any address",
              from(kOther).ipv6("fe80::9", "ff02::1").advertisement("fe80::9", 0).nd_option(2, kOther),
              "undecided"},
             {"advertisement with another's MAC",
              from(kOther).ipv6("fe80::9", "ff02::1").advertisement("fe80::9", 0).nd_option(2, kOwn),
              "guard_nd"}});
}

TEST(Guard, PortsWithoutGuard) {
  const Packet spoofed =
      Packet().eth(kOther, kAllNodes).ipv6("fe80::9", "ff02::1").icmpv6(134).payload(Bytes(12));
  expect(3, {{"no addresses", spoofed, "undecided"}});
  expect(4, {{"may spoof", spoofed, "undecided"}});
}

TEST(Guard, LooksInsideTags) {
  const auto tagged = [](std::string_view source) {
    return Packet().eth(kOwn, kOther).vlan(7).vlan(9).vlan(10).ipv4(source, "10.0.0.2").udp(1, 2);
  };
  expect(5,
         {{"own", tagged("10.0.0.1"), "undecided"},
          {"another's", tagged("10.0.0.2"), "guard_ipv4"},
          {"more tags than are looked through",
           Packet().eth(kOwn, kOther).vlan(7).vlan(8).vlan(9).vlan(10).ipv4("10.0.0.1", "10.0.0.2").udp(1, 2),
           "guard_ether_type"}});
}

}  // namespace
}  // namespace podswitch::test
