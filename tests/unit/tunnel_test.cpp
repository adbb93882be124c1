// SPDX-License-Identifier: Apache-2.0
#include "switch/net/tunnel.h"

#include <gtest/gtest.h>

#include "tests/support/same_tunnel.h"
#include "tests/unit/packet_builder.h"

namespace podswitch::test {
namespace {

using net::Encapsulation;
using net::TunnelRead;
using net::TunnelVerdict;

constexpr std::string_view kA = "02:00:00:00:0a:01";
constexpr std::string_view kB = "02:00:00:00:0b:02";
constexpr auto kVxlan = Encapsulation::Vxlan;
constexpr auto kGeneve = Encapsulation::Geneve;
constexpr uint16_t kPort = 4789;
constexpr uint32_t kVni = 0x123456;

Packet v4(const Ipv4Fields& fields = {}) {
  return Packet().eth(kA, kB).ipv4("192.0.2.1", "192.0.2.2", fields);
}
Packet v6(const Ipv6Fields& fields = {}) {
  return Packet().eth(kA, kB).ipv6("2001:db8::1", "2001:db8::2", fields);
}
Bytes inner_frame() {
  return Packet().eth(kB, kA).ipv4("10.244.1.2", "10.244.2.3").udp(1, 2).payload(9).bytes();
}
Packet vxlan(Packet outer) {
  return outer.udp(50000, kPort).vxlan(kVni).payload(inner_frame());
}
Packet geneve(Packet outer, const Bytes& options = {}) {
  return outer.udp(50000, kPort).geneve(kVni, options).payload(inner_frame());
}

// What the shortcut accepts, it reads as the whole does.
TunnelRead read(const rte_mbuf& mbuf, const Packet& packet, Encapsulation encapsulation = kVxlan) {
  const TunnelRead whole =
      net::read_tunnel(mbuf, packet.payload_ether_type(), packet.l3_offset(), kPort, encapsulation);
  net::PlainTunnel plain;
  if (!net::read_plain_tunnel(mbuf, packet.payload_ether_type(), packet.l3_offset(), kPort, encapsulation,
                              plain))
    return whole;
  EXPECT_EQ(whole.verdict, TunnelVerdict::Tunnel);
  EXPECT_TRUE(is_same(plain, whole.packet));
  return whole;
}
bool is_plain(const Packet& packet, Encapsulation encapsulation) {
  net::PlainTunnel plain;
  return net::read_plain_tunnel(*packet.mbuf(), packet.payload_ether_type(), packet.l3_offset(), kPort,
                                encapsulation, plain);
}
TunnelVerdict verdict_of(const Packet& packet, Encapsulation encapsulation = kVxlan,
                         const std::vector<size_t>& sizes = {}) {
  return read(*packet.mbuf(sizes), packet, encapsulation).verdict;
}

TEST(Tunnel, WhatIsCommonTakesTheShortcut) {
  EXPECT_TRUE(is_plain(vxlan(v4()).no_checksum(), kVxlan));
  EXPECT_TRUE(is_plain(vxlan(v4({.fragment = 0x4000})).no_checksum().padding(7), kVxlan));
  EXPECT_TRUE(is_plain(geneve(v4()).no_checksum(), kGeneve));
  EXPECT_FALSE(is_plain(vxlan(v4()), kVxlan));  // a checksum to verify
  EXPECT_FALSE(is_plain(geneve(v4(), Bytes(8, 0)).no_checksum(), kGeneve));
  EXPECT_FALSE(is_plain(vxlan(v6()).no_checksum(), kVxlan));
}

TEST(Tunnel, ReadsWhatIsRight) {
  const Bytes options{1, 2, 0x7f, 0, 3, 4, 5, 1, 9, 9, 9, 9};
  struct Case {
    const char* what;
    Packet packet;
    Encapsulation encapsulation = kVxlan;
    size_t options = 0;
  };
  for (const Case& c : std::vector<Case>{
           {"VXLAN", vxlan(v4({.tos = 0xb9}))},
           {"VXLAN without a checksum", vxlan(v4({.tos = 0xb9})).no_checksum()},
           {"VXLAN behind IPv4 options", vxlan(v4({.options = Bytes(8, 1), .tos = 0xb9}))},
           {"VXLAN over IPv6", vxlan(v6({.traffic_class = 0xb9, .flow_label = 0xfffff}))},
           {"VXLAN over IPv6 without a checksum", vxlan(v6({.traffic_class = 0xb9})).no_checksum()},
           {"VXLAN behind an extension header", vxlan(v6({.traffic_class = 0xb9}).extension(60, 2))},
           {"don't fragment", vxlan(v4({.fragment = 0x4000, .tos = 0xb9}))},
           {"padding behind the IP packet", vxlan(v4({.tos = 0xb9})).padding(7)},
           {"reserved bits of VXLAN set",
            vxlan(v4({.tos = 0xb9})).no_checksum().poke(42, 0xff).poke(43, 1).poke(45, 2).poke(49, 3)},
           {"Geneve", geneve(v4({.tos = 0xb9})), kGeneve},
           {"Geneve over IPv6", geneve(v6({.traffic_class = 0xb9})), kGeneve},
           {"options that need not be known", geneve(v4({.tos = 0xb9}), options), kGeneve, 12},
           {"as many options as there can be", geneve(v4({.tos = 0xb9}), Bytes(252, 0)), kGeneve, 252},
           {"reserved bits of Geneve set", geneve(v4({.tos = 0xb9})).no_checksum().poke(43, 0x3f).poke(49, 3),
            kGeneve},
       }) {
    const PacketPtr mbuf = c.packet.mbuf();
    const TunnelRead result = read(*mbuf, c.packet, c.encapsulation);
    ASSERT_EQ(result.verdict, TunnelVerdict::Tunnel) << c.what;
    const bool is_v4 = c.packet.payload_ether_type() == net::kEtherTypeIpv4;
    EXPECT_EQ(result.packet.outer_source.to_string(), is_v4 ? "192.0.2.1" : "2001:db8::1") << c.what;
    EXPECT_EQ(result.packet.outer_destination.to_string(), is_v4 ? "192.0.2.2" : "2001:db8::2") << c.what;
    EXPECT_EQ(result.packet.vni, kVni) << c.what;
    EXPECT_EQ(result.packet.outer_ecn_tos, 0xb9) << c.what;
    EXPECT_EQ(result.packet.inner_offset, c.packet.l4_offset() + 16 + c.options) << c.what;
    EXPECT_EQ(result.packet.inner_length, inner_frame().size()) << c.what;
  }
}

TEST(Tunnel, ReadsBehindATag) {
  const Packet packet = vxlan(Packet().eth(kA, kB).vlan(5).ipv4("192.0.2.1", "192.0.2.2"));
  const TunnelRead result = read(*packet.mbuf(), packet);
  ASSERT_EQ(result.verdict, TunnelVerdict::Tunnel);
  EXPECT_EQ(result.packet.inner_offset, 54);
}

TEST(Tunnel, ReadsChains) {
  const Packet packet = vxlan(v6());
  const size_t headers = 54 + 16 + 14;
  for (const std::vector<size_t>& sizes : std::vector<std::vector<size_t>>{{headers}, {headers, 1, 2, 3}})
    EXPECT_EQ(verdict_of(packet, kVxlan, sizes), TunnelVerdict::Tunnel);
  EXPECT_EQ(verdict_of(packet, kVxlan, {headers - 1}), TunnelVerdict::Malformed)
      << "the inner Ethernet header must be in the first segment";
}

TEST(Tunnel, UdpMayBeShorterThanIp) {
  Packet packet = vxlan(v4()).no_checksum();
  packet.poke(39, static_cast<uint8_t>(packet.bytes()[39] - 5));
  const TunnelRead result = read(*packet.mbuf(), packet);
  ASSERT_EQ(result.verdict, TunnelVerdict::Tunnel);
  EXPECT_EQ(result.packet.inner_length, inner_frame().size() - 5);
}

TEST(Tunnel, EveryVni) {
  for (const uint32_t vni : {0u, 1u, 0xff00ffu, 0xffffffu}) {
    const Packet a = v4().udp(1, kPort).vxlan(vni).payload(inner_frame());
    const Packet b = v4().udp(1, kPort).geneve(vni).payload(inner_frame());
    EXPECT_EQ(read(*a.mbuf(), a).packet.vni, vni);
    EXPECT_EQ(read(*b.mbuf(), b, kGeneve).packet.vni, vni);
  }
}

TEST(Tunnel, LeavesToTheHostWhatIsNone) {
  struct Case {
    const char* what;
    Packet packet;
    std::vector<size_t> sizes = {};
  };
  for (const Case& c : std::vector<Case>{
           {"TCP", v4().tcp(1, kPort).payload(60)},
           {"another port", v4().udp(kPort, 4788).vxlan(kVni).payload(inner_frame())},
           {"first fragment", vxlan(v4({.fragment = 0x2000}))},
           {"later fragment", vxlan(v4({.fragment = 0x0001}))},
           {"IPv6 fragment", vxlan(v6().fragment6(0, true))},
           {"atomic IPv6 fragment", vxlan(v6().fragment6(0, false))},
           {"routing header", vxlan(v6().extension(43))},
           {"ARP", Packet().eth(kA, kB).arp(1, kA, "192.0.2.1", kZeroMac, "192.0.2.2")},
           {"IPv4 header cut off", v4().cut(1)},
           {"UDP header cut off", v4({.protocol = 17}).payload(7)},
           {"UDP header in two segments", vxlan(v4()), {41}},
       })
    EXPECT_EQ(verdict_of(c.packet, kVxlan, c.sizes), TunnelVerdict::NotTunnel) << c.what;
}

TEST(Tunnel, RefusesWhatIsMalformed) {
  const Bytes short_frame(13, 1);
  const Bytes critical{0, 0, 0x80, 0};
  const Bytes overlong{0, 0, 1, 1};
  const Bytes overlong_behind_another{0, 0, 1, 0, 0, 0, 1, 31};
  struct Case {
    const char* what;
    Packet packet;
    Encapsulation encapsulation = kVxlan;
    std::vector<size_t> sizes = {};
  };
  for (const Case& c : std::vector<Case>{
           {"IPv4 cut off", vxlan(v4()).cut(1)},
           {"IPv6 cut off", vxlan(v6()).cut(1)},
           {"IPv4 shorter than its header", vxlan(v4()).poke(16, 0).poke(17, 19)},
           {"no VNI flag", vxlan(v4()).no_checksum().poke(42, 0xf7)},
           {"UDP length below its header's", vxlan(v4()).no_checksum().poke(39, 7)},
           {"UDP length of zero", vxlan(v6()).no_checksum().poke(59, 0)},
           {"UDP length beyond IP's", vxlan(v4()).no_checksum().padding(8).poke(39, 76)},
           {"no tunnel header", v4().udp(1, kPort)},
           {"tunnel header cut off", v4().udp(1, kPort).payload(7)},
           {"tunnel header beyond UDP's length", vxlan(v4()).no_checksum().poke(39, 15)},
           {"no inner frame", v4().udp(1, kPort).vxlan(kVni)},
           {"inner frame of 13 bytes", v4().udp(1, kPort).vxlan(kVni).payload(short_frame)},
           {"inner frame of 13 bytes and padding",
            v4().udp(1, kPort).vxlan(kVni).payload(short_frame).padding(40)},
           {"tunnel header in two segments", vxlan(v4()), kVxlan, {49}},
           {"IPv4 checksum", vxlan(v4()).poke(22, 59)},
           {"IPv4 checksum, with options", vxlan(v4({.options = Bytes(8, 1)})).poke(37, 0)},
           {"UDP checksum", vxlan(v4()).poke(60, 0xaa)},
           {"UDP checksum over IPv6", vxlan(v6()).poke(100, 0xaa)},
           {"UDP checksum over a chain", vxlan(v6()).poke(100, 0xaa), kVxlan, {93, 3}},
           {"address under IPv6's UDP checksum", vxlan(v6()).poke(22, 0xaa)},
           {"Geneve of version 1", geneve(v4()).no_checksum().poke(42, 0x40), kGeneve},
           {"Geneve of version 2", geneve(v4()).no_checksum().poke(42, 0x80), kGeneve},
           {"control packet", geneve(v4()).no_checksum().poke(43, 0x80), kGeneve},
           {"critical options", geneve(v4()).no_checksum().poke(43, 0x40), kGeneve},
           {"a critical option that the header is silent about", geneve(v4(), critical), kGeneve},
           {"options longer than announced", geneve(v4(), overlong), kGeneve},
           {"second option longer than announced", geneve(v4(), overlong_behind_another), kGeneve},
           {"payload is IPv4", geneve(v4()).no_checksum().poke(44, 0x08).poke(45, 0), kGeneve},
           {"options beyond the packet", geneve(v4()).no_checksum().poke(42, 0x3f), kGeneve},
           {"options up to the packet's end", v4().udp(1, kPort).geneve(kVni, Bytes(16, 0)), kGeneve},
           {"options in two segments", geneve(v4(), Bytes(8, 0)), kGeneve, {55}},
       })
    EXPECT_EQ(verdict_of(c.packet, c.encapsulation, c.sizes), TunnelVerdict::Malformed) << c.what;
}

TEST(Tunnel, BelievesThePortAboutChecksums) {
  const Packet bad_udp = vxlan(v6()).poke(100, 0xaa);
  const Packet good_udp = vxlan(v6());
  const Packet bad_ip = vxlan(v4()).no_checksum().poke(22, 59);
  struct Case {
    const char* what;
    const Packet& packet;
    uint64_t flags;
    uint32_t packet_type;
    TunnelVerdict expected;
  };
  constexpr uint32_t kTunnelType = RTE_PTYPE_TUNNEL_VXLAN;
  constexpr auto kYes = TunnelVerdict::Tunnel;
  constexpr auto kNo = TunnelVerdict::Malformed;
  for (const Case& c : std::vector<Case>{
           {"UDP good", bad_udp, RTE_MBUF_F_RX_L4_CKSUM_GOOD, 0, kYes},
           {"UDP partial", bad_udp, RTE_MBUF_F_RX_L4_CKSUM_NONE, 0, kYes},
           {"UDP partial, adopted", bad_udp, RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_IPV6, 0, kYes},
           {"UDP bad, and it is", bad_udp, RTE_MBUF_F_RX_L4_CKSUM_BAD, 0, kNo},
           {"UDP bad, but it is not", good_udp, RTE_MBUF_F_RX_L4_CKSUM_BAD, 0, kYes},
           {"inner good", bad_udp, RTE_MBUF_F_RX_L4_CKSUM_GOOD, kTunnelType, kNo},
           {"inner and outer good", bad_udp, RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_OUTER_L4_CKSUM_GOOD,
            kTunnelType, kYes},
           {"outer invalid", bad_udp, RTE_MBUF_F_RX_OUTER_L4_CKSUM_INVALID, kTunnelType, kNo},
           {"IP only good", bad_udp, RTE_MBUF_F_RX_IP_CKSUM_GOOD, 0, kNo},
           {"IP good", bad_ip, RTE_MBUF_F_RX_IP_CKSUM_GOOD, 0, kYes},
           {"IP not needed", bad_ip, RTE_MBUF_F_RX_IP_CKSUM_NONE, 0, kYes},
           {"IP bad", bad_ip, RTE_MBUF_F_RX_IP_CKSUM_BAD, 0, kNo},
           {"inner IP good", bad_ip, RTE_MBUF_F_RX_IP_CKSUM_GOOD, kTunnelType, kNo},
       }) {
    const PacketPtr mbuf = c.packet.mbuf();
    mbuf->ol_flags |= c.flags;
    mbuf->packet_type = c.packet_type;
    EXPECT_EQ(read(*mbuf, c.packet).verdict, c.expected) << c.what;
  }
}

TEST(Tunnel, TakesFromTheMtu) {
  for (const Encapsulation encapsulation : {kVxlan, kGeneve}) {
    EXPECT_EQ(net::tunnel_overhead(encapsulation, true), 50);
    EXPECT_EQ(net::tunnel_overhead(encapsulation, false), 70);
  }
}

}  // namespace
}  // namespace podswitch::test
