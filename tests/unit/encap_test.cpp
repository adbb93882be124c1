// SPDX-License-Identifier: Apache-2.0
#include "switch/encap.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "switch/net/ecn.h"
#include "switch/net/headers.h"
#include "tests/unit/encap_rig.h"

namespace podswitch::test {
namespace {

constexpr std::string_view kA = "02:00:00:00:00:01";
constexpr std::string_view kB = "02:00:00:00:00:02";

Bytes from_hex(std::string_view text) {
  Bytes bytes;
  std::string digits;
  for (const char c : text) {
    if (c == ' ') continue;
    digits += c;
    if (digits.size() < 2) continue;
    bytes.push_back(static_cast<uint8_t>(std::strtoul(digits.c_str(), nullptr, 16)));
    digits.clear();
  }
  return bytes;
}

// A frame with `headroom` bytes in front of it.
PacketPtr with_headroom(const Bytes& frame, uint16_t headroom) {
  PacketPtr mbuf = make_mbuf({});
  mbuf->data_off = headroom;
  std::memcpy(rte_pktmbuf_append(mbuf.get(), static_cast<uint16_t>(frame.size())), frame.data(),
              frame.size());
  return mbuf;
}

Packet udp4(uint8_t tos = 0, std::string_view source = kA, std::string_view destination = kB) {
  return Packet()
      .eth(source, destination)
      .ipv4("10.244.1.2", "10.244.2.3", {.tos = tos})
      .udp(5000, 53)
      .payload(9);
}
Packet udp6(uint8_t traffic_class = 0, std::string_view source = kA, std::string_view destination = kB) {
  return Packet()
      .eth(source, destination)
      .ipv6("fd00:1::2", "fd00:2::3", {.traffic_class = traffic_class})
      .udp(5000, 53)
      .payload(8);
}

TEST(Encap, RoutedVxlanOverIpv4ByteForByte) {
  const std::string_view ip =
      "45b9 0020 0007 0000 3f11 6221 0af4 0102 0af4 0203  1388 0035 000c 0552 6b75 6265";
  const PacketPtr mbuf = make_mbuf(from_hex("02aa000000fe 020000000001 0800" + std::string(ip)));
  TunnelSpec spec = spec_of({.is_routed = true});
  spec.udp_port = 8472;
  spec.vni = 1;
  const auto tunnel = make_template(spec);
  ASSERT_TRUE(tunnel);
  EXPECT_EQ(tunnel->length(), 64);
  ASSERT_TRUE(tunnel->encapsulate(*mbuf, {net::kEtherTypeIpv4, 14, 1, 0xffffffff}));
  EXPECT_EQ(text_of(*mbuf), text_of(from_hex("020000000b02 020000000a01 0800"
                                             "45b9 0052 0001 4000 4011 b5dd c0000201 c0000202"
                                             "ffff 2118 003e 0000"
                                             "08000000 00000100"
                                             "0e0000000002 0e0000000001 0800" +
                                             std::string(ip))));
}

TEST(Encap, BridgedGeneveOverIpv6ByteForByte) {
  const std::string_view arp =
      "ffffffffffff 020000000001 0806 0001080006040001 020000000001 0af40102 000000000000 0af40103";
  const PacketPtr mbuf = make_mbuf(from_hex(arp));
  TunnelSpec spec = spec_of({.is_v6 = true, .is_geneve = true, .has_checksum = true});
  spec.vlan_tci = 5;
  spec.vni = 7;
  ASSERT_TRUE(make_template(spec)->encapsulate(*mbuf, {net::kEtherTypeArp, 14, 1, 0}));
  EXPECT_EQ(text_of(*mbuf), text_of(from_hex("020000000b02 020000000a01 8100 0005 86dd"
                                             "60000000 003a 11 40"
                                             "20010db8000000000000000000000001"
                                             "20010db8000000000000000000000002"
                                             "c000 17c1 003a 2df0"
                                             "0000 6558 00000700" +
                                             std::string(arp))));
}

TEST(Encap, ThereAndBack) {
  struct Case {
    const char* what;
    Packet packet;
    Packet routed;  // with the inner MACs
  };
  const auto tagged = [](std::string_view source, std::string_view destination, bool has_tag) {
    Packet packet = Packet().eth(source, destination);
    if (has_tag) packet.vlan(7);
    return packet.ipv4("10.244.1.2", "10.244.2.3").tcp(1, 2).payload(33);
  };
  for (const Shape& shape : all_shapes()) {
    const TunnelSpec spec = spec_of(shape);
    const auto tunnel = make_template(spec);
    ASSERT_TRUE(tunnel);
    for (const Case& c : std::vector<Case>{
             {"IPv4", udp4(), udp4(0, kInnerMac, kPeerInnerMac)},
             {"IPv6", udp6(), udp6(0, kInnerMac, kPeerInnerMac)},
             {"tagged", tagged(kA, kB, true), tagged(kInnerMac, kPeerInnerMac, false)},
         }) {
      const std::string what = name_of(shape) + ": " + c.what;
      const Bytes inner = shape.is_routed ? c.routed.bytes() : c.packet.bytes();
      for (const std::vector<size_t>& sizes : {std::vector<size_t>{}, {50, 1, 3}}) {
        const PacketPtr mbuf = c.packet.mbuf(sizes);
        const InnerPacket packet = inner_packet(c.packet);
        ASSERT_TRUE(tunnel->encapsulate(*mbuf, packet)) << what;
        ASSERT_EQ(text_of(*mbuf), text_of(outer_frame(shape, spec, packet, 0, inner))) << what;
        ASSERT_EQ(defect_of(*mbuf), "") << what;

        const auto read = net::read_tunnel(*mbuf, shape.is_v6 ? net::kEtherTypeIpv6 : net::kEtherTypeIpv4,
                                           shape.is_tagged ? 18 : 14, spec.udp_port, spec.encapsulation);
        ASSERT_EQ(read.verdict, net::TunnelVerdict::Tunnel) << what;
        EXPECT_EQ(read.packet.outer_source, spec.outer_source) << what;
        EXPECT_EQ(read.packet.outer_destination, spec.outer_destination) << what;
        EXPECT_EQ(read.packet.vni, spec.vni) << what;
        decapsulate(*mbuf, read.packet.inner_offset, read.packet.inner_length);
        EXPECT_EQ(text_of(*mbuf), text_of(inner)) << what;
        EXPECT_EQ(defect_of(*mbuf), "") << what;
      }
    }
  }
}

TEST(Encap, TemplatesAreAsLongAsTheirHeaders) {
  EXPECT_EQ(make_template(spec_of({}))->length(), 50);
  EXPECT_EQ(make_template(spec_of({.is_routed = true}))->length(), 64);
  EXPECT_EQ(make_template(spec_of({.is_v6 = true}))->length(), 70);
  EXPECT_EQ(make_template(spec_of({.is_v6 = true, .is_routed = true, .is_tagged = true}))->length(), 88);
}

// RFC 6040 section 4.1, normal mode; RFC 2983's uniform model of DSCP.
TEST(Encap, MarksTheOuterHeader) {
  for (const bool is_v6 : {false, true}) {
    const Shape shape{.is_v6 = is_v6};
    const TunnelSpec spec = spec_of(shape);
    const auto tunnel = make_template(spec);
    for (unsigned octet = 0; octet < 256; ++octet) {
      const auto tos = static_cast<uint8_t>(octet);
      for (const Packet& packet : {udp4(tos), udp6(tos)}) {
        const PacketPtr mbuf = packet.mbuf();
        const InnerPacket inner = inner_packet(packet);
        ASSERT_TRUE(tunnel->encapsulate(*mbuf, inner));
        ASSERT_EQ(text_of(*mbuf), text_of(outer_frame(shape, spec, inner, tos, packet.bytes())));
      }
    }
    const Packet arp = Packet().eth(kA, kB).arp(1, kA, "10.0.0.1", kZeroMac, "10.0.0.2");
    const PacketPtr mbuf = arp.mbuf();
    ASSERT_TRUE(tunnel->encapsulate(*mbuf, inner_packet(arp)));
    EXPECT_EQ(text_of(*mbuf), text_of(outer_frame(shape, spec, inner_packet(arp), 0, arp.bytes())));
  }
}

TEST(Encap, MayBeFragmented) {
  const Shape shape{};
  TunnelSpec spec = spec_of(shape);
  spec.dont_fragment = DontFragment::Clear;
  spec.ttl = 7;
  const PacketPtr mbuf = udp4().mbuf();
  const InnerPacket inner = inner_packet(udp4());
  ASSERT_TRUE(make_template(spec)->encapsulate(*mbuf, inner));
  EXPECT_EQ(text_of(*mbuf), text_of(outer_frame(shape, spec, inner, 0, udp4().bytes())));
}

TEST(Encap, InheritsDontFragment) {
  const Shape shape{};
  TunnelSpec spec = spec_of(shape), expected = spec;
  spec.dont_fragment = DontFragment::Inherit;
  const auto tunnel = make_template(spec);
  EXPECT_TRUE(tunnel->needs_ip_id());
  EXPECT_FALSE(make_template(expected)->needs_ip_id());
  const auto df4 = Packet().eth(kA, kB).ipv4("10.0.0.1", "10.0.0.2", {.fragment = 0x4000}).udp(1, 2);
  const Packet arp = Packet().eth(kA, kB).arp(1, kA, "10.0.0.1", kZeroMac, "10.0.0.2");
  const std::vector<std::pair<Packet, DontFragment>> cases{{udp4(), DontFragment::Clear},
                                                           {df4, DontFragment::Set},
                                                           {udp6(), DontFragment::Set},
                                                           {arp, DontFragment::Clear}};
  for (const auto& [packet, outer] : cases) {
    expected.dont_fragment = outer;
    const PacketPtr mbuf = packet.mbuf();
    const InnerPacket inner = inner_packet(packet);
    ASSERT_TRUE(tunnel->encapsulate(*mbuf, inner));
    EXPECT_EQ(text_of(*mbuf), text_of(outer_frame(shape, expected, inner, 0, packet.bytes())));
  }
}

TEST(Encap, SourcePortsAreEphemeral) {
  const auto tunnel = make_template(spec_of({}));
  const auto port_of = [&](uint32_t flow_hash) {
    const PacketPtr mbuf = udp4().mbuf();
    EXPECT_TRUE(tunnel->encapsulate(*mbuf, inner_packet(udp4(), flow_hash)));
    return rte_pktmbuf_mtod_offset(mbuf.get(), const net::UdpHeader*, 34)->source_port.host();
  };
  EXPECT_EQ(port_of(0), 49152);
  EXPECT_EQ(port_of(1u << 18), 49153);
  EXPECT_EQ(port_of(0xffffffff), 65535);
}

// The checksum is the sum of parts: those that carry most.
TEST(Encap, SumsOfIpv4HeadersFold) {
  const Shape shape{};
  TunnelSpec spec = spec_of(shape);
  const auto tunnel = make_template(spec);
  for (const uint16_t id : {0x0000, 0x0001, 0xb5dd, 0xfffe, 0xffff})
    for (unsigned length = 0; length < 700; length += 7) {
      const Packet packet =
          Packet().eth(kA, kB).ipv4("10.0.0.1", "10.0.0.2", {.tos = 0xff}).udp(1, 2).payload(length);
      const PacketPtr mbuf = packet.mbuf();
      InnerPacket inner = inner_packet(packet);
      inner.ip_id = id;
      ASSERT_TRUE(tunnel->encapsulate(*mbuf, inner));
      ASSERT_EQ(text_of(*mbuf), text_of(outer_frame(shape, spec, inner, 0xff, packet.bytes())));
    }
}

TEST(Encap, NeedsHeadroom) {
  struct Case {
    Shape shape;
    uint16_t needed;
  };
  for (const Case& c : std::vector<Case>{
           {{}, 50},
           {{.is_routed = true}, 50},
           {{.is_tagged = true}, 54},
           {{.is_v6 = true}, 70},
           {{.is_v6 = true, .is_routed = true, .is_tagged = true}, 74},
       }) {
    const TunnelSpec spec = spec_of(c.shape);
    const auto tunnel = make_template(spec);
    const Packet packet = udp4();
    const Bytes inner = c.shape.is_routed ? udp4(0, kInnerMac, kPeerInnerMac).bytes() : packet.bytes();
    for (uint16_t headroom = 0; headroom <= 128; ++headroom) {
      const PacketPtr mbuf = with_headroom(packet.bytes(), headroom);
      const bool fits = tunnel->encapsulate(*mbuf, inner_packet(packet));
      ASSERT_EQ(fits, headroom >= c.needed) << name_of(c.shape) << ", " << headroom;
      ASSERT_EQ(text_of(*mbuf),
                text_of(fits ? outer_frame(c.shape, spec, inner_packet(packet), 0, inner) : packet.bytes()));
    }
  }
}

TEST(Encap, RefusesWhatIpCannotHold) {
  const auto tunnel4 = make_template(spec_of({}));
  const auto tunnel6 = make_template(spec_of({.is_v6 = true}));
  const auto encapsulates = [](const TunnelTemplate& tunnel, size_t length) {
    const Bytes frame(length, 1);
    const PacketPtr mbuf = make_mbuf(frame);
    const bool result = tunnel.encapsulate(*mbuf, {0x88cc, 14, 0, 0});
    if (!result) {
      EXPECT_EQ(mbuf->pkt_len, length);
    }
    return result;
  };
  EXPECT_TRUE(encapsulates(*tunnel4, 65535 - 36));
  EXPECT_FALSE(encapsulates(*tunnel4, 65535 - 35));
  EXPECT_TRUE(encapsulates(*tunnel6, 65535 - 16));
  EXPECT_FALSE(encapsulates(*tunnel6, 65535 - 15));
}

TEST(Encap, RefusesSpecsThatMakeNoSense) {
  TunnelSpec mixed = spec_of({});
  mixed.outer_destination = *IpAddress::parse("2001:db8::2");
  EXPECT_FALSE(make_template(mixed));
  TunnelSpec wide = spec_of({});
  wide.vni = 1 << 24;
  EXPECT_FALSE(make_template(wide));
}

TEST(Encap, DecapsulationCutsPaddingOff) {
  const Bytes inner = udp4().bytes();
  for (const std::vector<size_t>& sizes : std::vector<std::vector<size_t>>{
           {}, {64}, {70, 1, 1}, {50 + inner.size()}, {49 + inner.size()}, {64, inner.size() - 14, 3, 3}}) {
    Packet packet = Packet().eth(kVtepMac, kPeerVtepMac).ipv4("192.0.2.1", "192.0.2.2").udp(1, 4789);
    packet.vxlan(5).payload(inner).padding(11);
    const unsigned free_before = rte_mempool_avail_count(&packet_pool());
    {
      const PacketPtr mbuf = packet.mbuf(sizes);
      mbuf->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_BAD;
      const auto read = net::read_tunnel(*mbuf, net::kEtherTypeIpv4, 14, 4789, net::Encapsulation::Vxlan);
      ASSERT_EQ(read.verdict, net::TunnelVerdict::Tunnel);
      decapsulate(*mbuf, read.packet.inner_offset, read.packet.inner_length);
      EXPECT_EQ(text_of(*mbuf), text_of(inner));
      EXPECT_EQ(defect_of(*mbuf), "");
      EXPECT_EQ(mbuf->ol_flags, 0u) << "they were about the outer headers";
    }
    EXPECT_EQ(rte_mempool_avail_count(&packet_pool()), free_before);
  }
}

}  // namespace
}  // namespace podswitch::test
