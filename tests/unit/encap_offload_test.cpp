// SPDX-License-Identifier: Apache-2.0
// Open requests of packets inside a tunnel: they stay about the inner packet, and the outer headers come out
// right whoever completes them.
#include <gtest/gtest.h>

#include <array>

#include "switch/encap.h"
#include "switch/mtu.h"
#include "switch/offload.h"
#include "tests/unit/encap_rig.h"

namespace podswitch::test {
namespace {

constexpr std::string_view kA = "02:00:00:00:00:01";
constexpr std::string_view kB = "02:00:00:00:00:02";
constexpr uint64_t kPartial = RTE_MBUF_F_RX_L4_CKSUM_NONE;
constexpr uint64_t kSuper = RTE_MBUF_F_RX_L4_CKSUM_NONE | RTE_MBUF_F_RX_LRO;

// Layers 2 and 3 of a pod's packet, or, `in_tunnel`, of the same in a routed tunnel.
Packet l3(bool is_v6, bool in_tunnel, uint16_t id = 0x1234) {
  Packet packet = in_tunnel ? Packet().eth(kInnerMac, kPeerInnerMac) : Packet().eth(kA, kB);
  return is_v6 ? packet.ipv6("fd00:1::2", "fd00:2::3") : packet.ipv4("10.244.1.2", "10.244.2.3", {.id = id});
}

PacketPtr adopted(Packet packet, uint64_t flags, uint16_t segment_size = 0) {
  packet.partial_checksum();
  PacketPtr mbuf = packet.mbuf();
  mbuf->ol_flags = flags;
  mbuf->tso_segsz = segment_size;
  EXPECT_TRUE(adopt_offload_request(*mbuf, meta_of(packet)));
  return mbuf;
}

TEST(EncapOffload, CompletesInnerThenOuterChecksums) {
  for (const Shape& shape : all_shapes()) {
    const TunnelSpec spec = spec_of(shape);
    const auto tunnel = make_template(spec);
    for (const bool is_v6 : {false, true})
      for (const char* protocol : {"tcp", "udp", "sctp"}) {
        const auto frame = [&](bool in_tunnel) {
          Packet packet = l3(is_v6, in_tunnel);
          const std::string_view name = protocol;
          if (name == "tcp") return packet.tcp(1, 2).payload(101);
          return (name == "udp" ? packet.udp(1, 2) : packet.sctp(1, 2)).payload(33);
        };
        const std::string what = name_of(shape) + ": " + protocol;
        const Packet packet = frame(false);
        const InnerPacket inner = inner_packet(packet);
        const PacketPtr mbuf = adopted(packet, kPartial);
        ASSERT_TRUE(tunnel->encapsulate(*mbuf, inner)) << what;
        EXPECT_EQ(mbuf->l2_len, tunnel->length() + (shape.is_routed ? 0 : 14)) << what;
        EXPECT_EQ(mbuf->outer_l2_len, shape.is_tagged ? 18 : 14) << what;
        EXPECT_EQ(mbuf->outer_l3_len, shape.is_v6 ? 40 : 20) << what;
        complete_checksum(*mbuf);
        EXPECT_FALSE(has_open_request(*mbuf)) << what;
        ASSERT_EQ(text_of(*mbuf), text_of(outer_frame(shape, spec, inner, 0, frame(shape.is_routed).bytes())))
            << what;
      }
  }
}

struct Super {
  const char* what;
  size_t payload;
  uint16_t segment_size;
};

std::vector<Bytes> expected_pieces(const Shape& shape, const TunnelSpec& spec, const Super& super, bool is_v6,
                                   InnerPacket inner) {
  std::vector<Bytes> pieces;
  const Bytes all = Packet().payload(super.payload).bytes();
  for (size_t from = 0; from < super.payload; from += super.segment_size) {
    const size_t to = std::min(super.payload, from + super.segment_size);
    const auto id = static_cast<uint16_t>(0x1234 + pieces.size());
    const Bytes payload(all.begin() + static_cast<ptrdiff_t>(from), all.begin() + static_cast<ptrdiff_t>(to));
    const Bytes frame = l3(is_v6, shape.is_routed, id)
                            .tcp(1, 2, {.sequence = static_cast<uint32_t>(1000 + from)})
                            .payload(payload)
                            .bytes();
    pieces.push_back(outer_frame(shape, spec, inner, 0, frame));
    ++inner.ip_id;
  }
  return pieces;
}

TEST(EncapOffload, CutsSuperFrames) {
  for (const Shape& shape : all_shapes()) {
    const TunnelSpec spec = spec_of(shape);
    const auto tunnel = make_template(spec);
    for (const bool is_v6 : {false, true})
      for (const Super& super : {Super{"small", 3001, 1000}, Super{"largest", 65535 - 40, 8800}}) {
        const std::string what = name_of(shape) + ": " + super.what;
        const Packet packet = l3(is_v6, false).tcp(1, 2).payload(super.payload);
        const InnerPacket inner = inner_packet(packet);
        const PacketPtr mbuf = adopted(packet, kSuper, super.segment_size);
        ASSERT_TRUE(tunnel->encapsulate(*mbuf, inner)) << what;
        const std::vector<Bytes> expected = expected_pieces(shape, spec, super, is_v6, inner);
        std::array<rte_mbuf*, 16> out;
        const uint16_t count = segment(*mbuf, packet_pool(), out.data(), out.size());
        ASSERT_EQ(count, expected.size()) << what;
        for (uint16_t i = 0; i < count; ++i) {
          const PacketPtr piece(out.at(i));
          EXPECT_EQ(text_of(*piece), text_of(expected.at(i))) << what << ", piece " << i;
          EXPECT_FALSE(has_open_request(*piece)) << what;
        }
      }
  }
}

TEST(EncapOffload, TagsPushedLaterAreCounted) {
  const Shape shape{.is_v6 = true, .has_checksum = true};
  const TunnelSpec spec = spec_of(shape);
  const Super super{"", 1500, 1000};
  const Packet packet = l3(false, false).tcp(1, 2).payload(super.payload);
  const PacketPtr mbuf = adopted(packet, kSuper, super.segment_size);
  ASSERT_TRUE(make_template(spec)->encapsulate(*mbuf, inner_packet(packet)));
  ASSERT_TRUE(push_vlan(*mbuf, 9));
  pop_vlan(*mbuf);
  ASSERT_TRUE(push_vlan(*mbuf, 0x6005));
  const std::vector<Bytes> expected =
      expected_pieces({.is_v6 = true, .is_tagged = true, .has_checksum = true},
                      spec_of({.is_v6 = true, .is_tagged = true}), super, false, inner_packet(packet));
  std::array<rte_mbuf*, 2> out;
  ASSERT_EQ(segment(*mbuf, packet_pool(), out.data(), out.size()), 2);
  for (size_t i = 0; i < 2; ++i) EXPECT_EQ(text_of(*PacketPtr(out.at(i))), text_of(expected.at(i)));
}

TEST(EncapOffload, FitsWhoKnowsTunnels) {
  const TxCaps plain{.checksum = true, .tso4 = true, .tso6 = true, .tso_ecn = true};
  TxCaps checksum = plain;
  checksum.tunnel_checksum = true;
  TxCaps tso = checksum;
  tso.vxlan_tso = true;
  const auto make = [](const Shape& shape, Packet packet, uint64_t flags) {
    PacketPtr mbuf = adopted(packet, flags, 1000);
    EXPECT_TRUE(make_template(spec_of(shape))->encapsulate(*mbuf, inner_packet(packet)));
    return mbuf;
  };
  const Packet packet = l3(false, false).tcp(1, 2).payload(3000);
  const PacketPtr partial = make({}, packet, kPartial);
  EXPECT_FALSE(fits(*partial, plain));
  EXPECT_TRUE(fits(*partial, checksum));
  const PacketPtr super = make({.is_v6 = true}, packet, kSuper);
  EXPECT_FALSE(fits(*super, checksum));
  EXPECT_TRUE(fits(*super, tso));
  const PacketPtr geneve = make({.is_geneve = true}, packet, kSuper);
  EXPECT_FALSE(fits(*geneve, tso)) << "of another encapsulation";
  tso.geneve_tso = true;
  EXPECT_TRUE(fits(*geneve, tso));
  EXPECT_FALSE(fits(*make({.is_v6 = true, .has_checksum = true}, packet, kPartial), tso))
      << "the outer checksum waits for the inner one";
  tso.outer_checksum = true;
  EXPECT_TRUE(fits(*make({.is_v6 = true, .has_checksum = true}, packet, kPartial), tso));
  EXPECT_TRUE(fits(*make({.is_v6 = true, .has_checksum = true}, packet, RTE_MBUF_F_RX_L4_CKSUM_GOOD), plain))
      << "nothing is open";
}

TEST(EncapOffload, TheMtuIsThatOfTheUnderlay) {
  const Packet packet = l3(false, false).tcp(1, 2).payload(3000);
  const PacketPtr mbuf = adopted(packet, kSuper, 1410);  // 1,450 bytes of IP in 1,500
  ASSERT_TRUE(make_template(spec_of({.is_routed = true}))->encapsulate(*mbuf, inner_packet(packet)));
  EXPECT_TRUE(fits_mtu(*mbuf, 1500));
  EXPECT_FALSE(fits_mtu(*mbuf, 1499));
}

}  // namespace
}  // namespace podswitch::test
