// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rte_ip.h>

#include <array>

#include "switch/net/headers.h"
#include "switch/offload.h"
#include "tests/unit/packet_builder.h"

namespace podswitch::test {
namespace {

constexpr std::string_view kA = "02:00:00:00:00:01";
constexpr std::string_view kB = "02:00:00:00:00:02";

struct Shape {
  const char* what;
  bool is_v6 = false;
  int tags = 0;
  int extensions = 0;
  size_t ip_options = 0;
  size_t tcp_options = 0;
  size_t payload = 3000;
  uint16_t segment_size = 1000;
  uint8_t flags = 0x10;
  std::vector<size_t> sizes = {};
  uint16_t id = 0xffff;            // so that it wraps
  uint32_t sequence = 0xfffffc00;  // likewise
};

Packet frame(const Shape& shape, size_t from, size_t to, uint16_t id, uint32_t sequence, uint8_t flags) {
  Packet packet;
  packet.eth(kA, kB);
  for (int i = 0; i < shape.tags; ++i) packet.vlan(7);
  if (shape.is_v6) {
    packet.ipv6("2001:db8::1", "2001:db8::2");
    for (int i = 0; i < shape.extensions; ++i) packet.extension(60);
  } else {
    packet.ipv4("10.0.0.1", "10.0.0.2", {.id = id, .options = Bytes(shape.ip_options, 1)});
  }
  packet.tcp(80, 4000, {.sequence = sequence, .flags = flags, .options = Bytes(shape.tcp_options, 1)});
  const Bytes all = Packet().payload(shape.payload).bytes();
  return packet.payload(
      Bytes(all.begin() + static_cast<ptrdiff_t>(from), all.begin() + static_cast<ptrdiff_t>(to)));
}

PacketPtr super_frame(const Shape& shape) {
  Packet packet = frame(shape, 0, shape.payload, shape.id, shape.sequence, shape.flags);
  packet.partial_checksum();
  PacketPtr mbuf = packet.mbuf(shape.sizes);
  mbuf->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_NONE | RTE_MBUF_F_RX_LRO;
  mbuf->tso_segsz = shape.segment_size;
  PacketMeta meta{};
  meta.l3_offset = packet.l3_offset();
  meta.ether_type = packet.payload_ether_type();
  EXPECT_TRUE(adopt_offload_request(*mbuf, meta)) << shape.what;
  return mbuf;
}

// The oracle: each segment built from nothing, by the packet builder.
std::vector<Bytes> expected_segments(const Shape& shape) {
  std::vector<Bytes> segments;
  for (size_t from = 0; from < shape.payload; from += shape.segment_size) {
    const size_t to = std::min(shape.payload, from + shape.segment_size);
    uint8_t flags = shape.flags;
    if (from > 0) flags &= 0x7f;            // CWR only on the first
    if (to < shape.payload) flags &= 0xf6;  // FIN and PSH only on the last
    segments.push_back(frame(shape, from, to, static_cast<uint16_t>(shape.id + segments.size()),
                             static_cast<uint32_t>(shape.sequence + from), flags)
                           .bytes());
  }
  return segments;
}

std::vector<PacketPtr> cut(const rte_mbuf& packet, rte_mempool& pool) {
  std::array<rte_mbuf*, 1500> out;
  const uint16_t count = segment(packet, pool, out.data(), out.size());
  return {out.begin(), out.begin() + count};
}

TEST(Segment, CutsAsTheSenderWouldHave) {
  for (const Shape& shape : std::vector<Shape>{
           {"even", false},
           {"with a rest", false, 0, 0, 0, 12, 3001, 1448},
           {"odd segments", false, 0, 0, 0, 12, 3001, 101},
           {"IP options", false, 0, 0, 20, 0, 2500, 1001},
           {"two tags", false, 2},
           {"all flags", false, 0, 0, 0, 0, 3000, 1000, 0xff},
           {"all flags, two segments", true, 0, 0, 0, 0, 1500, 1000, 0xff},
           {"IPv6", true, 0, 0, 0, 12, 4000, 1428},
           {"IPv6, extension headers", true, 1, 3, 0, 0, 2999, 999},
           {"chained", true, 0, 0, 0, 0, 5000, 1000, 0x18, {77, 1, 0, 999, 3}},
           {"largest IPv4", false, 0, 0, 0, 0, 65535 - 40, 1460},
           {"largest IPv6 payload", true, 0, 0, 0, 0, 65535 - 20, 1440},
           {"smallest segments", true, 0, 0, 0, 0, 20000, 48},
           {"segments larger than a buffer", false, 0, 0, 0, 0, 30000, 8960},
       }) {
    const PacketPtr mbuf = super_frame(shape);
    mbuf->port = 5;
    mbuf->vlan_tci = 0x6000;
    const std::vector<Bytes> expected = expected_segments(shape);
    const std::vector<PacketPtr> segments = cut(*mbuf, packet_pool());
    ASSERT_EQ(segments.size(), expected.size()) << shape.what;
    ASSERT_EQ(segment_count(*mbuf), expected.size()) << shape.what;
    for (size_t i = 0; i < segments.size(); ++i) {
      ASSERT_EQ(text_of(*segments[i]), text_of(expected[i])) << shape.what << ", segment " << i;
      ASSERT_EQ(defect_of(*segments[i]), "") << shape.what;
      EXPECT_FALSE(has_open_request(*segments[i])) << shape.what;
      EXPECT_EQ(segments[i]->port, 5);
      EXPECT_EQ(segments[i]->vlan_tci, 0x6000);
    }
  }
}

TEST(Segment, ChecksumsAreDpdks) {
  for (const bool is_v6 : {false, true}) {
    const PacketPtr mbuf = super_frame({"", is_v6, 0, 0, 0, 12, 3001, 501});
    for (const PacketPtr& piece : cut(*mbuf, packet_pool())) {
      Bytes bytes = bytes_of(*piece);
      auto* tcp = reinterpret_cast<net::TcpHeader*>(bytes.data() + (is_v6 ? 54 : 34));
      const be16_t checksum = tcp->checksum;
      tcp->checksum = be16_t{};
      const void* l3 = bytes.data() + 14;
      const uint16_t expected = is_v6 ? rte_ipv6_udptcp_cksum(static_cast<const rte_ipv6_hdr*>(l3), tcp)
                                      : rte_ipv4_udptcp_cksum(static_cast<const rte_ipv4_hdr*>(l3), tcp);
      EXPECT_EQ(checksum.raw(), expected);
    }
  }
}

TEST(Segment, ChainsWhatIsLargerThanABuffer) {
  const Shape shape{"chains", true, 0, 0, 0, 12, 3000, 1400};
  const PacketPtr mbuf = super_frame(shape);
  const std::vector<Bytes> expected = expected_segments(shape);
  const std::vector<PacketPtr> segments = cut(*mbuf, small_pool());
  ASSERT_EQ(segments.size(), 3u);
  for (size_t i = 0; i < segments.size(); ++i) {
    EXPECT_EQ(text_of(*segments[i]), text_of(expected[i]));
    EXPECT_EQ(defect_of(*segments[i]), "");
  }
  EXPECT_GT(segments[0]->nb_segs, 3);
}

TEST(Segment, KeepsNothingWhenItCannotFinish) {
  const PacketPtr mbuf = super_frame({"too many", false, 0, 0, 0, 0, 60000, 48});
  std::array<rte_mbuf*, 1500> out;
  EXPECT_EQ(segment(*mbuf, packet_pool(), out.data(), 1249), 0) << "1250 segments";
  const unsigned free_before = rte_mempool_avail_count(&small_pool());
  EXPECT_EQ(segment(*mbuf, small_pool(), out.data(), out.size()), 0) << "1023 buffers";
  EXPECT_EQ(rte_mempool_avail_count(&small_pool()), free_before);
}

}  // namespace
}  // namespace podswitch::test
