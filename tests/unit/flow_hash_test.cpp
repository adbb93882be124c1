// SPDX-License-Identifier: Apache-2.0
#include "switch/net/flow_hash.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <set>
#include <string>

#include "tests/unit/packet_builder.h"

namespace podswitch::test {
namespace {

constexpr std::string_view kA = "02:00:00:00:00:01";
constexpr std::string_view kB = "02:00:00:00:00:02";

Packet v4(const Ipv4Fields& fields = {}) {
  return Packet().eth(kA, kB).ipv4("10.0.0.1", "10.0.0.2", fields);
}
Packet v6() {
  return Packet().eth(kA, kB).ipv6("fd00::1", "fd00::2");
}
uint32_t hash(const Packet& packet, const std::vector<size_t>& sizes = {}) {
  return net::flow_hash(*packet.mbuf(sizes), packet.payload_ether_type(), packet.l3_offset());
}

TEST(FlowHash, IsOneForAFlow) {
  struct Case {
    const char* what;
    Packet a;
    Packet b;
  };
  for (const Case& c : std::vector<Case>{
           {"payload, TTL and id", v4().udp(1, 2).payload(5),
            v4({.ttl = 9, .id = 77, .tos = 3}).udp(1, 2).payload(50)},
           {"IPv4 options", v4().tcp(1, 2), v4({.options = Bytes(8, 1)}).tcp(1, 2)},
           {"TCP flags", v6().tcp(1, 2), v6().tcp(1, 2, {.sequence = 5, .flags = 1})},
           {"extension header", v6().udp(1, 2), v6().extension(60).udp(1, 2)},
           {"MACs", v4().udp(1, 2), Packet().eth(kB, kA).ipv4("10.0.0.1", "10.0.0.2").udp(1, 2)},
           {"tags", v4().udp(1, 2), Packet().eth(kA, kB).vlan(5).ipv4("10.0.0.1", "10.0.0.2").udp(1, 2)},
           {"ICMP", v4().icmp(8).echo(1, 2), v4().icmp(8).echo(1, 3)},
           {"fragments", v4({.fragment = 0x2000}).udp(1, 2).payload(8),
            v4({.fragment = 0x0002, .protocol = 17}).payload(16)},
           {"IPv6 fragments", v6().fragment6(0, true).extension(60).udp(1, 2),
            v6().fragment6(16, false, 60).payload(16)},
           {"DF is no fragment", v4().udp(1, 2), v4({.fragment = 0x4000}).udp(1, 2)},
           {"other frames", Packet().eth(kA, kB).ether_type(0x88cc).payload(5),
            Packet().eth(kA, kB).ether_type(0x88cd).payload(50)},
       })
    EXPECT_EQ(hash(c.a), hash(c.b)) << c.what;
}

TEST(FlowHash, DiffersBetweenFlows) {
  const auto address = [](std::string_view from, std::string_view to) {
    return Packet().eth(kA, kB).ipv4(from, to).udp(1, 2);
  };
  const auto address6 = [](std::string_view from, std::string_view to) {
    return Packet().eth(kA, kB).ipv6(from, to).udp(1, 2);
  };
  std::set<uint32_t> hashes;
  const std::vector<Packet> flows{v4().udp(1, 2),
                                  v4().udp(2, 1),
                                  v4().udp(1, 3),
                                  v4().tcp(1, 2),
                                  v4().sctp(1, 2),
                                  v4().icmp(8),
                                  address("10.0.0.2", "10.0.0.1"),
                                  address("10.0.0.1", "10.0.0.3"),
                                  v6().udp(1, 2),
                                  v6().udp(2, 1),
                                  v6().udp(1, 3),
                                  v6().tcp(1, 2),
                                  v6().sctp(1, 2),
                                  v6().icmpv6(128),
                                  address6("fd00::2", "fd00::1"),
                                  address6("fd00::1", "fd00::3"),
                                  address6("fd00:0:0:1::1", "fd00::2"),
                                  address6("fd00::1", "fd00:0:0:1::2"),
                                  v4({.fragment = 0x2000}).udp(1, 2),
                                  v6().fragment6(0, true).udp(1, 2),
                                  Packet().eth(kA, kB).ether_type(0x88cc),
                                  Packet().eth(kB, kA).ether_type(0x88cc)};
  for (const Packet& flow : flows) hashes.insert(hash(flow));
  EXPECT_EQ(hashes.size(), flows.size());
}

TEST(FlowHash, ReadsOnlyTheFirstSegment) {
  const Packet udp = v4().udp(1, 2);
  EXPECT_EQ(hash(udp, {34}), hash(v4().udp(3, 4), {34})) << "the ports are in the second one";
  EXPECT_EQ(hash(udp, {33}), hash(Packet().eth(kA, kB).ether_type(0x88cc))) << "and now the addresses";
  EXPECT_EQ(hash(v6().udp(1, 2), {53}), hash(Packet().eth(kA, kB).ether_type(0x88cc)));
  EXPECT_EQ(hash(udp, {13}), hash(v6().udp(5, 6), {13}));
}

// What a tunnel makes of it: the top 14 bits.
TEST(FlowHash, SpreadsOverSourcePorts) {
  constexpr unsigned kFlows = 1024;
  const std::vector<std::pair<const char*, std::function<Packet(unsigned)>>> families{
      {"source ports", [](unsigned i) { return v4().tcp(static_cast<uint16_t>(32768 + i), 80); }},
      {"IPv6 source ports", [](unsigned i) { return v6().udp(static_cast<uint16_t>(32768 + i), 53); }},
      {"IPv4 addresses",
       [](unsigned i) {
         return Packet()
             .eth(kA, kB)
             .ipv4("10.0." + std::to_string(i / 256) + "." + std::to_string(i % 256), "10.9.0.1")
             .udp(1, 2);
       }},
  };
  for (const auto& [what, flow] : families) {
    std::set<uint32_t> ports;
    std::array<unsigned, 16> per_bucket{};
    for (unsigned i = 0; i < kFlows; ++i) {
      const uint32_t value = hash(flow(i));
      ports.insert(value >> 18);
      ++per_bucket.at(value >> 28);
    }
    EXPECT_GT(ports.size(), kFlows * 9 / 10) << what;
    for (const unsigned count : per_bucket) {
      EXPECT_GT(count, kFlows / 32) << what;
      EXPECT_LT(count, kFlows / 8) << what;
    }
  }
}

}  // namespace
}  // namespace podswitch::test
