// SPDX-License-Identifier: Apache-2.0
#include "switch/net/l3.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/packet_builder.h"

namespace podswitch::test {
namespace {

Packet v4(const Ipv4Fields& fields = {}) {
  return Packet().eth(kZeroMac, kZeroMac).ipv4("10.0.0.1", "10.0.0.2", fields);
}
Packet v6() {
  return Packet().eth(kZeroMac, kZeroMac).ipv6("2001:db8::1", "2001:db8::2");
}

std::optional<net::L3> inspect(const Packet& packet, const std::vector<size_t>& sizes = {}) {
  return net::inspect_l3(*packet.mbuf(sizes), packet.payload_ether_type(), packet.l3_offset());
}

TEST(L3, FindsLayer4) {
  struct Case {
    const char* what;
    Packet packet;
    uint8_t protocol;
    bool has_routing = false;
  };
  for (const Case& c : std::vector<Case>{
           {"plain IPv4", v4().udp(1, 2).payload(5), 17},
           {"IPv4 options", v4({.options = Bytes(12, 1)}).tcp(1, 2), 6},
           {"IPv4 behind two tags",
            Packet().eth(kZeroMac, kZeroMac).vlan(5).vlan(6).ipv4("10.0.0.1", "10.0.0.2").udp(1, 2), 17},
           {"padded IPv4", v4().udp(1, 2).padding(18), 17},
           {"plain IPv6", v6().tcp(1, 2).payload(5), 6},
           {"no next header", v6(), 59},
           {"three extension headers", v6().extension(0).extension(60, 3).extension(43, 2).tcp(1, 2), 6,
            true},
           {"eight extension headers",
            v6().extension(0)
                .extension(60)
                .extension(60)
                .extension(60)
                .extension(60)
                .extension(60)
                .extension(60)
                .extension(60)
                .udp(1, 2),
            17},
       }) {
    const auto l3 = inspect(c.packet);
    ASSERT_TRUE(l3) << c.what;
    EXPECT_EQ(l3->l4_offset, c.packet.l4_offset()) << c.what;
    EXPECT_EQ(l3->protocol, c.protocol) << c.what;
    EXPECT_EQ(l3->has_routing, c.has_routing) << c.what;
    EXPECT_FALSE(l3->is_fragment) << c.what;
    EXPECT_TRUE(l3->is_first) << c.what;
  }
  EXPECT_EQ(inspect(v4().udp(1, 2).payload(5).padding(18))->l4_length(), 13u);
}

TEST(L3, SeesFragments) {
  struct Case {
    const char* what;
    Packet packet;
    bool is_first;
  };
  for (const Case& c : std::vector<Case>{
           {"IPv4, first", v4({.fragment = 0x2000}).icmp(8), true},
           {"IPv4, middle", v4({.fragment = 0x2001}).payload(16), false},
           {"IPv4, last", v4({.fragment = 0x0001}).payload(16), false},
           {"IPv6, first", v6().fragment6(0, true).icmpv6(128), true},
           {"IPv6, later: what follows is no header", v6().fragment6(8, true, 60).payload(Bytes(9, 0xff)),
            false},
           {"IPv6, atomic", v6().fragment6(0, false).icmpv6(128), true},
       }) {
    const auto l3 = inspect(c.packet);
    ASSERT_TRUE(l3) << c.what;
    EXPECT_TRUE(l3->is_fragment) << c.what;
    EXPECT_EQ(l3->is_first, c.is_first) << c.what;
    EXPECT_EQ(l3->l4_offset, c.packet.l4_offset()) << c.what;
  }
  EXPECT_FALSE(inspect(v4({.fragment = 0x4000}).icmp(8))->is_fragment) << "don't fragment is no fragment";
}

TEST(L3, RefusesWhatDoesNotFit) {
  struct Case {
    const char* what;
    Packet packet;
    std::vector<size_t> sizes = {};
  };
  for (const Case& c : std::vector<Case>{
           {"IPv4 cut off", v4().udp(1, 2).payload(5).cut(1)},
           {"IPv4 header cut off", v4().cut(1)},
           {"IPv4 header in two segments", v4().udp(1, 2), {20}},
           {"IPv4 options in two segments", v4({.options = Bytes(12, 1)}).udp(1, 2), {40}},
           {"IPv4 of version 6", v4().udp(1, 2).poke(14, 0x65)},
           {"IPv4 header of 16 bytes", v4().udp(1, 2).poke(14, 0x44)},
           {"IPv4 header longer than the packet", v4().poke(14, 0x4f)},
           {"IPv4 length below the header's", v4().udp(1, 2).poke(17, 19)},
           {"IPv6 cut off", v6().udp(1, 2).cut(1)},
           {"IPv6 of version 4", v6().udp(1, 2).poke(14, 0x45)},
           {"extension header beyond the packet", v6().extension(60).udp(1, 2).poke(14 + 41, 200)},
           {"extension header cut off by the payload length", v6().extension(60).padding(8).poke(19, 4)},
           {"extension header in two segments", v6().extension(60, 4).udp(1, 2), {70}},
           {"fragment header cut off", v6().fragment6(0, true).cut(4).poke(19, 4)},
           {"nine extension headers", v6().extension(0)
                                          .extension(60)
                                          .extension(60)
                                          .extension(60)
                                          .extension(60)
                                          .extension(60)
                                          .extension(60)
                                          .extension(60)
                                          .extension(60)
                                          .udp(1, 2)},
           {"no IP at all", Packet().eth(kZeroMac, kZeroMac).ether_type(0x88cc).payload(60)},
       })
    EXPECT_FALSE(inspect(c.packet, c.sizes)) << c.what;
}

TEST(L3, TheShortcutSaysTheSame) {
  std::mt19937 random(1);
  const auto same = [](const std::optional<net::L3>& a, const std::optional<net::L3>& b) {
    return a.has_value() == b.has_value() &&
           (!a || (a->end == b->end && a->l4_offset == b->l4_offset && a->protocol == b->protocol &&
                   a->is_fragment == b->is_fragment && a->is_first == b->is_first &&
                   a->has_routing == b->has_routing && a->fragment_id == b->fragment_id));
  };
  size_t found = 0;
  for (int i = 0; i < 20000; ++i) {
    Bytes bytes = Packet().eth(kZeroMac, kZeroMac).ipv4("10.0.0.1", "10.0.0.2").udp(1, 2).payload(20).bytes();
    for (unsigned changes = random() % 3; changes > 0; --changes)
      bytes[14 + random() % 10] = static_cast<uint8_t>(random());
    if (random() % 4 == 0) bytes.resize(14 + random() % 50);
    const auto packet = make_mbuf(bytes);
    for (const uint16_t type : {net::kEtherTypeIpv4, net::kEtherTypeIpv6}) {
      const auto quick = net::inspect_l3(*packet, type, 14);
      ASSERT_TRUE(same(quick, net::detail::inspect_l3_fully(*packet, type, 14))) << text_of(bytes);
      found += quick.has_value();
    }
  }
  EXPECT_GT(found, 1000u);
}

}  // namespace
}  // namespace podswitch::test
