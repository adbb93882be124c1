// SPDX-License-Identifier: Apache-2.0
#include "switch/fragment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "switch/offload.h"
#include "tests/unit/packet_builder.h"

namespace podswitch::test {
namespace {

constexpr std::string_view kA = "02:00:00:00:00:01";
constexpr std::string_view kB = "02:00:00:00:00:02";

Packet v4(const Ipv4Fields& fields = {}) {
  return Packet().eth(kA, kB).ipv4("10.0.0.1", "10.0.0.2", fields);
}

std::vector<PacketPtr> cut(rte_mbuf& packet, uint16_t l3_offset, uint16_t mtu,
                           rte_mempool& pool = packet_pool()) {
  std::vector<rte_mbuf*> out(9000);
  const uint16_t count =
      fragment(packet, l3_offset, mtu, pool, out.data(), static_cast<uint16_t>(out.size()));
  return std::vector<PacketPtr>(out.begin(), out.begin() + count);
}

unsigned get16(const Bytes& bytes, size_t at) {
  return bytes.at(at) * 256u + bytes.at(at + 1);
}

// One fragment as a receiver reads it.
struct Piece {
  Bytes frame;
  Bytes header;  // IPv4's
  Bytes payload;
  size_t offset;
  bool more;
};

Piece read(const rte_mbuf& mbuf, size_t l3) {
  Piece piece{};
  piece.frame = bytes_of(mbuf);
  const Bytes& frame = piece.frame;
  const auto at = [&](size_t n) { return frame.begin() + static_cast<ptrdiff_t>(n); };
  const size_t header = (frame.at(l3) & 0x0fu) * 4;
  EXPECT_EQ(get16(frame, l3 + 2), frame.size() - l3) << "total length";
  EXPECT_EQ(slow_sum(frame, l3, l3 + header), 0xffff) << "header checksum";
  EXPECT_EQ(get16(frame, l3 + 6) & 0xc000, 0u) << "reserved bit, don't fragment";
  EXPECT_EQ(defect_of(mbuf), "");
  EXPECT_FALSE(has_open_request(mbuf));
  piece.header = Bytes(at(l3), at(l3 + header));
  piece.payload = Bytes(at(l3 + header), frame.end());
  piece.offset = (get16(frame, l3 + 6) & 0x1fff) * 8;
  piece.more = (get16(frame, l3 + 6) & 0x2000) != 0;
  return piece;
}

// By offsets, in any order; each byte from one fragment. `start`: of the first, 0 but for a part.
Bytes reassemble(std::vector<Piece> pieces, size_t start, bool more_behind) {
  std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) { return a.offset < b.offset; });
  Bytes whole;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const bool is_last = i + 1 == pieces.size();
    EXPECT_EQ(pieces[i].offset, start + whole.size()) << "hole or overlap at piece " << i;
    EXPECT_EQ(pieces[i].more, !is_last || more_behind) << "piece " << i;
    EXPECT_TRUE(is_last || pieces[i].payload.size() % 8 == 0) << "piece " << i;
    whole.insert(whole.end(), pieces[i].payload.begin(), pieces[i].payload.end());
  }
  return whole;
}

// All but length, flags, offset, checksum, options.
Bytes constant_part(const Bytes& header) {
  Bytes part(header.begin(), header.begin() + 20);
  for (const size_t i : {2, 3, 6, 7, 10, 11}) part[i] = 0;
  return part;
}

void expect_round_trip(const Packet& packet, uint16_t mtu, const std::vector<size_t>& sizes,
                       rte_mempool& pool) {
  const PacketPtr mbuf = packet.mbuf(sizes);
  mbuf->port = 5;
  mbuf->vlan_tci = 0x6000;
  const size_t l3 = packet.l3_offset();
  const Bytes frame = packet.bytes();
  const size_t total = get16(frame, l3 + 2);
  const Piece original = [&] {  // without padding
    const PacketPtr bare =
        make_mbuf(Bytes(frame.begin(), frame.begin() + static_cast<ptrdiff_t>(l3 + total)));
    return read(*bare, l3);
  }();

  const std::vector<PacketPtr> fragments = cut(*mbuf, packet.l3_offset(), mtu, pool);
  ASSERT_FALSE(fragments.empty());
  EXPECT_EQ(fragments.size(), fragment_count(*mbuf, packet.l3_offset(), mtu));
  const size_t header = original.header.size(), full = (mtu - header) / 8 * 8;
  size_t fewest = 1;
  for (size_t left = total - header; left > mtu - header; left -= full) ++fewest;
  EXPECT_EQ(fragments.size(), fewest);
  std::vector<Piece> pieces;
  for (const PacketPtr& fragment : fragments) {
    pieces.push_back(read(*fragment, l3));
    EXPECT_TRUE(
        std::equal(frame.begin(), frame.begin() + static_cast<ptrdiff_t>(l3), pieces.back().frame.begin()))
        << "Ethernet";
    EXPECT_LE(pieces.back().frame.size() - l3, mtu);
    EXPECT_EQ(constant_part(pieces.back().header), constant_part(original.header));
    EXPECT_EQ(fragment->port, 5);
    EXPECT_EQ(fragment->vlan_tci, 0x6000);
    EXPECT_GE(rte_pktmbuf_headroom(fragment.get()), 128);
  }
  EXPECT_EQ(pieces.front().header.size(), header);
  EXPECT_EQ(reassemble(pieces, original.offset, original.more), original.payload);
  EXPECT_EQ(bytes_of(*mbuf), frame) << "the original is left alone";
}

TEST(Fragment, RoundTrips) {
  std::mt19937 random(1);
  const auto below = [&](uint32_t limit) { return static_cast<uint32_t>(random() % limit); };
  for (int i = 0; i < 1000; ++i) {
    Ipv4Fields fields{.ttl = static_cast<uint8_t>(random()), .id = static_cast<uint16_t>(random())};
    fields.options = Bytes(below(11) * 4, 1);
    fields.protocol = static_cast<uint8_t>(random());
    size_t length = below(10) == 0 ? below(20'000) : below(9000);
    if (below(3) == 0) {  // itself a fragment
      const bool more = below(2) == 0;
      if (more) length = length / 8 * 8;
      fields.fragment = static_cast<uint16_t>((more ? 0x2000 : 0) | below(5000));
    }
    const uint32_t headers = 20 + static_cast<uint32_t>(fields.options.size());
    const uint16_t mtus[] = {
        576, 1280, 1450, 1500, 1501, 8950, static_cast<uint16_t>(headers + 8 + below(600))};
    const uint16_t mtu = mtus[below(7)];
    Packet packet;
    packet.eth(kA, kB);
    for (uint32_t tags = below(3); tags > 0; --tags) packet.vlan(7);
    packet.ipv4("10.0.0.1", "10.0.0.2", fields).payload(length);
    if (below(4) == 0) packet.padding(below(30));
    std::vector<size_t> sizes;
    if (below(2) == 0) {
      sizes.push_back(packet.l4_offset() + below(50));
      for (uint32_t n = below(6); n > 0; --n) sizes.push_back(below(700));
    }
    SCOPED_TRACE("round " + std::to_string(i) + ", " + std::to_string(length) + " bytes, MTU " +
                 std::to_string(mtu));
    expect_round_trip(packet, mtu, sizes, mtu >= 576 && below(4) == 0 ? small_pool() : packet_pool());
    if (HasFailure()) return;
  }
}

TEST(Fragment, LargestDatagram) {
  for (const uint16_t mtu : {68, 576, 1280, 1500, 9000})
    expect_round_trip(v4().payload(65515), mtu, {}, packet_pool());
}

TEST(Fragment, OneWhenItFits) {
  for (const size_t length : {0, 1, 1479, 1480}) {
    const Packet packet = v4().payload(length);
    const PacketPtr mbuf = packet.mbuf();
    EXPECT_EQ(fragment_count(*mbuf, 14, 1500), 1);
    const std::vector<PacketPtr> fragments = cut(*mbuf, 14, 1500);
    ASSERT_EQ(fragments.size(), 1u);
    EXPECT_EQ(text_of(*fragments[0]), text_of(packet.bytes()));
  }
  EXPECT_EQ(fragment_count(*v4().payload(1481).mbuf(), 14, 1500), 2);
  // The last one is as long as the MTU allows, though that is no multiple of 8: 1480 and 1482.
  EXPECT_EQ(fragment_count(*v4().payload(1480 + 1482).mbuf(), 14, 1502), 2);
  EXPECT_EQ(fragment_count(*v4().payload(1480 + 1483).mbuf(), 14, 1502), 3);
}

TEST(Fragment, Known) {
  const Packet packet = v4({.id = 0xbeef}).payload(3000);
  const PacketPtr mbuf = packet.mbuf();
  const std::vector<PacketPtr> fragments = cut(*mbuf, 14, 1300);
  ASSERT_EQ(fragments.size(), 3u);
  const Bytes whole = Packet().payload(3000).bytes();
  const auto part = [&](ptrdiff_t from, ptrdiff_t to) {
    return Bytes(whole.begin() + from, whole.begin() + to);
  };
  EXPECT_EQ(text_of(*fragments[0]),
            text_of(v4({.id = 0xbeef, .fragment = 0x2000}).payload(part(0, 1280)).bytes()));
  EXPECT_EQ(text_of(*fragments[1]),
            text_of(v4({.id = 0xbeef, .fragment = 0x2000 | 160}).payload(part(1280, 2560)).bytes()));
  EXPECT_EQ(text_of(*fragments[2]),
            text_of(v4({.id = 0xbeef, .fragment = 320}).payload(part(2560, 3000)).bytes()));
}

TEST(Fragment, OfFragments) {
  const Packet packet = v4().payload(8970);
  const PacketPtr mbuf = packet.mbuf();
  std::vector<Piece> pieces;
  for (const PacketPtr& large : cut(*mbuf, 14, 1500))
    for (const PacketPtr& middle : cut(*large, 14, 700))
      for (const PacketPtr& small : cut(*middle, 14, 100)) pieces.push_back(read(*small, 14));
  EXPECT_GT(pieces.size(), 8970u / 80);
  std::shuffle(pieces.begin(), pieces.end(), std::mt19937(2));
  EXPECT_EQ(reassemble(pieces, 0, false), Packet().payload(8970).bytes());
}

// RFC 791: record route (7) is only for the first fragment, router alert (148) for all.
TEST(Fragment, OptionsWithoutTheCopiedFlagStayInTheFirst) {
  const Bytes options = {7, 7, 4, 0, 0, 0, 0, 148, 4, 0, 0, 1, 68, 4, 5, 0, 0, 4, 5, 6};
  const Bytes later = {1, 1, 1, 1, 1, 1, 1, 148, 4, 0,
                       0, 1, 1, 1, 1, 1, 0, 4,   5, 6};  // nothing behind the end
  const PacketPtr mbuf = v4({.options = options}).payload(3000).mbuf();
  const std::vector<PacketPtr> fragments = cut(*mbuf, 14, 1280);
  ASSERT_EQ(fragments.size(), 3u);
  for (size_t i = 0; i < fragments.size(); ++i) {
    const Bytes header = read(*fragments[i], 14).header;
    EXPECT_EQ(Bytes(header.begin() + 20, header.end()), i == 0 ? options : later) << i;
  }
}

TEST(Fragment, MalformedOptionsAreCopiedAsTheyAre) {
  for (const Bytes& options : {Bytes{7, 0, 0, 0}, Bytes{7, 1, 0, 0}, Bytes{7, 5, 0, 0}, Bytes{1, 1, 1, 7}}) {
    const PacketPtr mbuf = v4({.options = options}).payload(3000).mbuf();
    for (const PacketPtr& fragment : cut(*mbuf, 14, 1280)) {
      const Bytes header = read(*fragment, 14).header;
      EXPECT_EQ(Bytes(header.begin() + 20, header.end()), options);
    }
  }
}

TEST(Fragment, CompletesAnOpenChecksum) {
  Packet packet = v4().udp(53, 4000).payload(4001);
  const Piece complete = read(*packet.mbuf(), 14);
  packet.partial_checksum();
  const PacketPtr mbuf = packet.mbuf({100, 33, 1});
  mbuf->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_NONE;
  PacketMeta meta{};
  meta.l3_offset = 14;
  meta.ether_type = 0x0800;
  ASSERT_TRUE(adopt_offload_request(*mbuf, meta));
  ASSERT_TRUE(has_open_request(*mbuf));
  std::vector<Piece> pieces;
  for (const PacketPtr& fragment : cut(*mbuf, 14, 1280)) pieces.push_back(read(*fragment, 14));
  EXPECT_EQ(pieces.size(), 4u);
  EXPECT_EQ(reassemble(pieces, 0, false), complete.payload);
}

TEST(Fragment, Refuses) {
  struct Case {
    const char* what;
    Packet packet;
    uint16_t mtu = 1280;
    std::vector<size_t> sizes = {};
  };
  for (const Case& c : std::vector<Case>{
           {"don't fragment", v4({.fragment = 0x4000}).payload(2000)},
           {"don't fragment, and it fits", v4({.fragment = 0x4000}).payload(200)},
           {"IPv6", Packet().eth(kA, kB).ipv6("2001:db8::1", "2001:db8::2").payload(2000)},
           {"ARP", Packet().eth(kA, kB).arp(1, kA, "10.0.0.1", kB, "10.0.0.2")},
           {"no room for 8 bytes", v4().payload(100), 27},
           {"no room for 8 bytes behind options", v4({.options = Bytes(40, 1)}).payload(100), 67},
           {"no MTU", v4().payload(100), 0},
           {"beyond the largest datagram", v4({.fragment = 8100}).payload(1400)},
           {"cut off", v4().payload(2000).cut(1)},
           {"header in two segments", v4().payload(2000), 1280, {30}},
       }) {
    const PacketPtr mbuf = c.packet.mbuf(c.sizes);
    EXPECT_EQ(fragment_count(*mbuf, 14, c.mtu), 0) << c.what;
    EXPECT_TRUE(cut(*mbuf, 14, c.mtu).empty()) << c.what;
    EXPECT_EQ(text_of(*mbuf), text_of(c.packet.bytes())) << c.what;
  }
  EXPECT_EQ(fragment_count(*v4({.fragment = 8100}).payload(715).mbuf(), 14, 1280), 1) << "65535";
  EXPECT_EQ(fragment_count(*v4({.fragment = 8100}).payload(716).mbuf(), 14, 1280), 0) << "65536";
}

TEST(Fragment, RefusesASuperFrame) {
  Packet packet = v4().tcp(1, 2).payload(4000);
  const PacketPtr mbuf = packet.partial_checksum().mbuf();
  mbuf->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_NONE | RTE_MBUF_F_RX_LRO;
  mbuf->tso_segsz = 1000;
  PacketMeta meta{};
  meta.l3_offset = 14;
  meta.ether_type = 0x0800;
  ASSERT_TRUE(adopt_offload_request(*mbuf, meta));
  EXPECT_TRUE(cut(*mbuf, 14, 1280).empty());
  EXPECT_TRUE(has_open_request(*mbuf));
}

TEST(Fragment, KeepsNothingWhenItCannotFinish) {
  const PacketPtr mbuf = v4().payload(60000).mbuf();
  std::vector<rte_mbuf*> out(1500);
  ASSERT_EQ(fragment_count(*mbuf, 14, 68), 1250);
  EXPECT_EQ(fragment(*mbuf, 14, 68, packet_pool(), out.data(), 1249), 0) << "no room in out";
  const unsigned free_before = rte_mempool_avail_count(&small_pool());
  EXPECT_EQ(fragment(*mbuf, 14, 68, small_pool(), out.data(), 1500), 0) << "1023 buffers";
  EXPECT_EQ(rte_mempool_avail_count(&small_pool()), free_before);
  // Three buffers for each fragment, and the third runs out after one.
  std::vector<rte_mbuf*> taken(free_before - 7);
  ASSERT_EQ(rte_pktmbuf_alloc_bulk(&small_pool(), taken.data(), static_cast<unsigned>(taken.size())), 0);
  EXPECT_EQ(fragment(*mbuf, 14, 576, small_pool(), out.data(), 1500), 0);
  EXPECT_EQ(rte_mempool_avail_count(&small_pool()), 7u);
  rte_pktmbuf_free_bulk(taken.data(), static_cast<unsigned>(taken.size()));
}

}  // namespace
}  // namespace podswitch::test
