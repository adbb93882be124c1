// SPDX-License-Identifier: Apache-2.0
#include "switch/net/ecn.h"

#include <gtest/gtest.h>

#include <array>

#include "switch/net/headers.h"
#include "tests/unit/packet_builder.h"

namespace podswitch::test {
namespace {

constexpr std::string_view kA = "02:00:00:00:00:01";
constexpr std::string_view kB = "02:00:00:00:00:02";
constexpr int kDrop = -1;
enum : int { kNotEct = 0, kEct1 = 1, kEct0 = 2, kCe = 3 };

Packet v4(unsigned tos) {
  return Packet()
      .eth(kA, kB)
      .ipv4("10.0.0.1", "10.0.0.2", {.options = Bytes(4, 1), .tos = static_cast<uint8_t>(tos)})
      .udp(1, 2);
}
Packet v6(unsigned traffic_class) {
  return Packet()
      .eth(kA, kB)
      .ipv6("fd00::1", "fd00::2",
            {.traffic_class = static_cast<uint8_t>(traffic_class), .flow_label = 0xfffff})
      .udp(1, 2);
}

TEST(Ecn, ReadsTheWholeOctet) {
  for (unsigned value = 0; value < 256; ++value) {
    EXPECT_EQ(net::traffic_class(*v4(value).mbuf(), net::kEtherTypeIpv4, 14), value);
    EXPECT_EQ(net::traffic_class(*v6(value).mbuf(), net::kEtherTypeIpv6, 14), value);
  }
  EXPECT_EQ(net::traffic_class(*v4(255).mbuf(), net::kEtherTypeArp, 14), 0);
  EXPECT_EQ(net::traffic_class(*v4(255).mbuf({15}), net::kEtherTypeIpv4, 14), 0) << "in the next segment";
}

// RFC 6040, figure 4.
TEST(Ecn, DecapsulatesAsTheTableSays) {
  struct Row {
    int inner;
    std::array<int, 4> with_outer;  // Not-ECT, ECT(1), ECT(0), CE: by value
  };
  constexpr std::array<Row, 4> kTable{{
      {kNotEct, {kNotEct, kNotEct, kNotEct, kDrop}},
      {kEct0, {kEct0, kEct1, kEct0, kCe}},
      {kEct1, {kEct1, kEct1, kEct1, kCe}},
      {kCe, {kCe, kCe, kCe, kCe}},
  }};
  for (const Row& row : kTable)
    for (unsigned outer = 0; outer < 4; ++outer)
      for (const unsigned dscp : {0u, 46u, 63u})
        for (const unsigned outer_dscp : {0u, 63u}) {
          const auto inner = static_cast<unsigned>(row.inner) | dscp << 2;
          const auto outer_class = static_cast<uint8_t>(outer | outer_dscp << 2);
          const PacketPtr four = v4(inner).mbuf();
          const PacketPtr six = v6(inner).mbuf();
          const bool keeps4 = net::apply_outer_ecn(*four, net::kEtherTypeIpv4, 14, outer_class);
          const bool keeps6 = net::apply_outer_ecn(*six, net::kEtherTypeIpv6, 14, outer_class);
          const int expected = row.with_outer.at(outer);
          EXPECT_EQ(keeps4, expected != kDrop) << inner << " in " << outer;
          EXPECT_EQ(keeps6, expected != kDrop) << inner << " in " << outer;
          if (expected == kDrop) continue;
          // The builder's checksum is computed from nothing.
          const auto octet = static_cast<unsigned>(expected) | dscp << 2;
          EXPECT_EQ(text_of(*four), text_of(v4(octet).bytes())) << inner << " in " << outer;
          EXPECT_EQ(text_of(*six), text_of(v6(octet).bytes())) << inner << " in " << outer;
        }
}

TEST(Ecn, LeavesOtherFramesAlone) {
  const Packet arp = Packet().eth(kA, kB).arp(1, kA, "10.0.0.1", kZeroMac, "10.0.0.2");
  const PacketPtr mbuf = arp.mbuf();
  EXPECT_TRUE(net::apply_outer_ecn(*mbuf, net::kEtherTypeArp, 14, kCe));
  EXPECT_EQ(text_of(*mbuf), text_of(arp.bytes()));
}

TEST(Ecn, TouchesNothingBehindTheFirstSegment) {
  const Bytes frame = v4(kEct0).bytes();
  const PacketPtr mbuf = make_mbuf(frame, {20});
  EXPECT_TRUE(net::apply_outer_ecn(*mbuf, net::kEtherTypeIpv4, 14, kCe));
  EXPECT_EQ(text_of(*mbuf), text_of(frame));
}

}  // namespace
}  // namespace podswitch::test
