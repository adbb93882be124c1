// SPDX-License-Identifier: Apache-2.0
#include "switch/offload.h"

#include <gtest/gtest.h>

#include "switch/net/headers.h"
#include "tests/unit/packet_builder.h"

namespace podswitch::test {
namespace {

constexpr uint64_t kPartial = RTE_MBUF_F_RX_L4_CKSUM_NONE;
constexpr uint64_t kSuper = RTE_MBUF_F_RX_L4_CKSUM_NONE | RTE_MBUF_F_RX_LRO;
constexpr std::string_view kA = "02:00:00:00:00:01";
constexpr std::string_view kB = "02:00:00:00:00:02";

Packet v4(const Ipv4Fields& fields = {}) {
  return Packet().eth(kA, kB).ipv4("10.0.0.1", "10.0.0.2", fields);
}
Packet v6() {
  return Packet().eth(kA, kB).ipv6("2001:db8::1", "2001:db8::2");
}

PacketMeta meta_of(const Packet& packet) {
  PacketMeta meta{};
  meta.l3_offset = packet.l3_offset();
  meta.ether_type = packet.payload_ether_type();
  return meta;
}

bool adopt(rte_mbuf& mbuf, const Packet& packet, uint64_t flags, uint16_t segment_size = 0) {
  mbuf.ol_flags = flags;
  mbuf.tso_segsz = segment_size;
  return adopt_offload_request(mbuf, meta_of(packet));
}

TEST(Offload, AdoptsWhatFitsTheFrame) {
  struct Case {
    const char* what;
    Packet packet;
    uint64_t flags;
    uint16_t segment_size;
    uint64_t expected;
    unsigned l3_length;
    unsigned l4_length;
  };
  constexpr uint64_t k4 = RTE_MBUF_F_TX_IPV4;
  constexpr uint64_t k6 = RTE_MBUF_F_TX_IPV6;
  constexpr uint64_t kTcp = RTE_MBUF_F_TX_TCP_CKSUM;
  for (const Case& c : std::vector<Case>{
           {"TCP", v4().tcp(1, 2).payload(9), kPartial, 0, kTcp | k4, 20, 20},
           {"TCP with options", v4().tcp(1, 2, {.options = Bytes(12, 1)}), kPartial, 0, kTcp | k4, 20, 32},
           {"UDP behind IP options", v4({.options = Bytes(8, 1)}).udp(1, 2), kPartial, 0,
            RTE_MBUF_F_TX_UDP_CKSUM | k4, 28, 8},
           {"SCTP", v6().sctp(1, 2).payload(4), kPartial, 0, RTE_MBUF_F_TX_SCTP_CKSUM | k6, 40, 12},
           {"TCP behind an extension header", v6().extension(60, 2).tcp(1, 2), kPartial, 0, kTcp | k6, 56,
            20},
           {"super frame", v4().tcp(1, 2).payload(3000), kSuper, 1448, kTcp | k4 | RTE_MBUF_F_TX_TCP_SEG, 20,
            20},
           {"super frame of one segment", v6().tcp(1, 2).payload(100), kSuper, 100, kTcp | k6, 40, 20},
           {"smallest segments", v6().tcp(1, 2).payload(100), kSuper, 48, kTcp | k6 | RTE_MBUF_F_TX_TCP_SEG,
            40, 20},
           {"nothing asked", v4().tcp(1, 2), RTE_MBUF_F_RX_L4_CKSUM_GOOD, 0, 0, 0, 0},
           {"nothing asked, no IP", Packet().eth(kA, kB).ether_type(0x88cc), 0, 0, 0, 0, 0},
       }) {
    const PacketPtr mbuf = c.packet.mbuf();
    ASSERT_TRUE(adopt(*mbuf, c.packet, c.flags, c.segment_size)) << c.what;
    EXPECT_EQ(mbuf->ol_flags, c.expected) << c.what;
    EXPECT_EQ(mbuf->l2_len, c.expected == 0 ? 0 : 14) << c.what;
    EXPECT_EQ(mbuf->l3_len, c.l3_length) << c.what;
    EXPECT_EQ(mbuf->l4_len, c.l4_length) << c.what;
    EXPECT_EQ(mbuf->tso_segsz, c.expected & RTE_MBUF_F_TX_TCP_SEG ? c.segment_size : 0) << c.what;
  }
}

TEST(Offload, CountsTagsIntoLayer2) {
  const Packet packet = Packet().eth(kA, kB).vlan(7).vlan(8).ipv4("10.0.0.1", "10.0.0.2").udp(1, 2);
  const PacketPtr mbuf = packet.mbuf();
  ASSERT_TRUE(adopt(*mbuf, packet, kPartial));
  EXPECT_EQ(mbuf->l2_len, 22);
}

TEST(Offload, RefusesWhatDoesNotFitTheFrame) {
  struct Case {
    const char* what;
    Packet packet;
    uint64_t flags;
    uint16_t segment_size = 0;
    std::vector<size_t> sizes = {};
  };
  for (const Case& c : std::vector<Case>{
           {"no IP", Packet().eth(kA, kB).ether_type(0x88cc).payload(50), kPartial},
           {"ICMP", v4().icmp(8).payload(4), kPartial},
           {"fragment", v4({.fragment = 0x2000}).udp(1, 2), kPartial},
           {"IPv6 fragment", v6().fragment6(0, true).udp(1, 2), kPartial},
           {"TCP header cut off", v4().tcp(1, 2).cut(1), kPartial},
           {"TCP header of 16 bytes", v4().tcp(1, 2).payload(4).poke(46, 0x40), kPartial},
           {"TCP header beyond the packet", v4().tcp(1, 2).poke(46, 0x60), kPartial},
           {"TCP header in two segments", v4().tcp(1, 2).payload(4), kPartial, 0, {40}},
           {"UDP header beyond the IP length", v4().udp(1, 2).poke(17, 27), kPartial},
           {"super frame of UDP", v4().udp(1, 2).payload(3000), kSuper, 1000},
           {"tiny segments", v4().tcp(1, 2).payload(3000), kSuper, 47},
           {"no segment size", v4().tcp(1, 2).payload(3000), kSuper, 0},
           {"super frame with a complete checksum", v4().tcp(1, 2).payload(3000), RTE_MBUF_F_RX_LRO, 1000},
           {"extension headers too long for l3_len", v6().extension(60, 60).tcp(1, 2), kPartial},
       }) {
    const PacketPtr mbuf = c.packet.mbuf(c.sizes);
    EXPECT_FALSE(adopt(*mbuf, c.packet, c.flags, c.segment_size)) << c.what;
    EXPECT_FALSE(has_open_request(*mbuf)) << c.what;
  }
}

TEST(Offload, CompletesChecksums) {
  struct Case {
    const char* what;
    Packet packet;
  };
  for (const Case& c : std::vector<Case>{
           {"TCP", v4().tcp(1, 2).payload(101)},
           {"TCP over IPv6", v6().tcp(1, 2, {.options = Bytes(12, 1)}).payload(100)},
           {"UDP without payload", v4().udp(1, 2)},
           {"UDP over IPv6", v6().extension(60).udp(1, 2).payload(333)},
           {"padded UDP", v4().udp(1, 2).payload(3).padding(15)},
           {"SCTP", v4().sctp(1, 2).payload(64)},
           {"padded SCTP over IPv6", v6().sctp(1, 2).payload(33).padding(7)},
           {"tagged", Packet().eth(kA, kB).vlan(7).ipv6("fe80::1", "fe80::2").udp(5, 6).payload(11)},
       }) {
    const Bytes expected = c.packet.bytes();
    Packet partial = c.packet;
    partial.partial_checksum();
    ASSERT_NE(partial.bytes(), expected) << c.what;
    for (const std::vector<size_t>& sizes : {std::vector<size_t>{}, {95}, {96, 1, 1, 3}}) {
      const PacketPtr mbuf = partial.mbuf(sizes);
      ASSERT_TRUE(adopt(*mbuf, partial, kPartial)) << c.what;
      complete_checksum(*mbuf);
      EXPECT_EQ(text_of(*mbuf), text_of(expected)) << c.what;
      EXPECT_FALSE(has_open_request(*mbuf)) << c.what;
    }
  }
}

TEST(Offload, UdpChecksumOfZeroIsSentAsOnes) {
  // The last two bytes make the sum come out as 0xffff, whose complement is 0.
  Packet packet = v4().udp(1, 2);
  const Bytes plain = v4().udp(1, 2).payload(Bytes{0, 0}).bytes();
  packet.payload(Bytes{plain[40], plain[41]});
  ASSERT_EQ(packet.bytes()[40], 0xff);
  ASSERT_EQ(packet.bytes()[41], 0xff);
  Packet partial = packet;
  partial.partial_checksum();
  const PacketPtr mbuf = partial.mbuf();
  ASSERT_TRUE(adopt(*mbuf, partial, kPartial));
  complete_checksum(*mbuf);
  EXPECT_EQ(text_of(*mbuf), text_of(packet.bytes()));
}

TEST(Offload, LeavesCompletePacketsAlone) {
  const Packet packet = v4().tcp(1, 2).payload(9);
  const PacketPtr mbuf = packet.mbuf();
  complete_checksum(*mbuf);
  EXPECT_EQ(text_of(*mbuf), text_of(packet.bytes()));
}

TEST(Offload, FitsWhatTheReceiverTakes) {
  const Packet tcp = v4().tcp(1, 2).payload(3000);
  const Packet tcp6 = v6().tcp(1, 2).payload(3000);
  const Packet cwr = v4().tcp(1, 2, {.flags = 0x90}).payload(3000);
  const Packet sctp = v4().sctp(1, 2);
  const TxCaps none{};
  const TxCaps checksum{.checksum = true};
  const TxCaps four{.checksum = true, .tso4 = true};
  const TxCaps six{.checksum = true, .tso6 = true};
  const TxCaps ecn{.checksum = true, .tso4 = true, .tso_ecn = true};
  const TxCaps linear{.checksum = true, .tso4 = true, .multi_segment = false};
  struct Case {
    const char* what;
    const Packet& packet;
    uint64_t flags;
    const TxCaps& caps;
    bool expected;
  };
  for (const Case& c : std::vector<Case>{
           {"complete, to anyone", sctp, 0, none, true},
           {"partial, to one who takes none", tcp, kPartial, none, false},
           {"partial, to one who takes it", tcp, kPartial, checksum, true},
           {"partial SCTP", sctp, kPartial, ecn, false},
           {"super frame, to one who takes checksums only", tcp, kSuper, checksum, false},
           {"super frame", tcp, kSuper, four, true},
           {"IPv6 super frame to an IPv4 one", tcp6, kSuper, four, false},
           {"IPv6 super frame", tcp6, kSuper, six, true},
           {"IPv4 super frame to an IPv6 one", tcp, kSuper, six, false},
           {"CWR, to one who does not know it", cwr, kSuper, four, false},
           {"CWR, to one who does", cwr, kSuper, ecn, true},
           {"chain, to one who takes none", tcp, 0, linear, false},
       }) {
    const PacketPtr mbuf = c.packet.mbuf();
    ASSERT_TRUE(adopt(*mbuf, c.packet, c.flags, 1000)) << c.what;
    EXPECT_EQ(fits(*mbuf, c.caps), c.expected) << c.what;
  }
}

TEST(Offload, CopiesDeeplyWithTheRequest) {
  Packet packet = v4().tcp(1, 2).payload(5000).partial_checksum();
  const PacketPtr mbuf = packet.mbuf({100, 33});
  ASSERT_TRUE(adopt(*mbuf, packet, kSuper, 1000));
  mbuf->port = 9;
  mbuf->vlan_tci = 0xa000;
  const PacketPtr copy(copy_packet(*mbuf, packet_pool()));
  ASSERT_TRUE(copy);
  EXPECT_EQ(text_of(*copy), text_of(*mbuf));
  EXPECT_EQ(copy->ol_flags, mbuf->ol_flags);
  EXPECT_EQ(copy->tx_offload, mbuf->tx_offload);
  EXPECT_EQ(copy->port, 9);
  EXPECT_EQ(copy->vlan_tci, 0xa000);
  rte_pktmbuf_mtod(copy.get(), uint8_t*)[60] ^= 1;
  EXPECT_NE(text_of(*copy), text_of(*mbuf));
}

TEST(Offload, PushesAndPopsTags) {
  const Packet plain = v4().udp(1, 2).payload(20).partial_checksum();
  const Packet tagged = Packet(Packet().eth(kA, kB).vlan(0x6005).ipv4("10.0.0.1", "10.0.0.2").udp(1, 2))
                            .payload(20)
                            .partial_checksum();
  const PacketPtr mbuf = plain.mbuf();
  ASSERT_TRUE(adopt(*mbuf, plain, kPartial));
  ASSERT_TRUE(push_vlan(*mbuf, 0x6005));
  EXPECT_EQ(text_of(*mbuf), text_of(tagged.bytes()));
  EXPECT_EQ(mbuf->l2_len, 18);
  pop_vlan(*mbuf);
  EXPECT_EQ(text_of(*mbuf), text_of(plain.bytes()));
  EXPECT_EQ(mbuf->l2_len, 14);
  rte_pktmbuf_prepend(mbuf.get(), rte_pktmbuf_headroom(mbuf.get()));
  EXPECT_FALSE(push_vlan(*mbuf, 5)) << "no headroom left";
}

TEST(Adopt, RefusesPaddingBehindASuperFrame) {
  Packet padded = Packet().eth(kZeroMac, kZeroMac).ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).payload(1500);
  padded.partial_checksum();
  padded.padding(50000);
  PacketPtr packet = padded.mbuf();
  packet->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE | RTE_MBUF_F_RX_LRO;
  packet->tso_segsz = 1000;
  PacketMeta meta{};
  meta.l3_offset = 14;
  meta.ether_type = net::kEtherTypeIpv4;
  EXPECT_FALSE(adopt_offload_request(*packet, meta)) << "it would go round the MTU";
}

}  // namespace
}  // namespace podswitch::test
