// SPDX-License-Identifier: Apache-2.0
#include "switch/net/checksum.h"

#include <gtest/gtest.h>

#include <rte_ip.h>
#include <algorithm>
#include <random>

#include "switch/net/headers.h"
#include "tests/unit/packet_builder.h"

namespace podswitch::test {
namespace {

Bytes pattern(size_t length) {
  Bytes bytes(length);
  for (size_t i = 0; i < length; ++i) bytes[i] = static_cast<uint8_t>(i * 151 + 3);
  return bytes;
}

uint16_t wire(uint16_t host) {
  return be16_t(host).raw();
}

TEST(Checksum, SumsEveryLength) {
  const Bytes bytes = pattern(300);
  for (size_t length = 0; length <= bytes.size(); ++length)
    ASSERT_EQ(net::sum_bytes(bytes.data(), length), wire(slow_sum(bytes, 0, length))) << length;
}

TEST(Checksum, CarriesOfLongDataAreNotLost) {
  const Bytes ones(65535, 0xff);
  EXPECT_EQ(net::sum_bytes(ones.data(), ones.size()), wire(slow_sum(ones, 0, ones.size())));
}

TEST(Checksum, SumsChainsOfOddSegments) {
  const Bytes bytes = pattern(200);
  for (const std::vector<size_t>& sizes :
       std::vector<std::vector<size_t>>{{}, {100}, {101}, {1, 1, 1}, {33, 0, 17, 2, 51}, {7, 7, 7, 7, 7}}) {
    const PacketPtr packet = make_mbuf(bytes, sizes);
    for (const auto& [from, to] : std::vector<std::pair<size_t, size_t>>{
             {0, 200}, {1, 200}, {34, 199}, {0, 33}, {32, 35}, {100, 101}, {150, 150}})
      ASSERT_EQ(net::sum_chain(*packet, static_cast<uint32_t>(from), static_cast<uint32_t>(to - from)),
                wire(slow_sum(bytes, from, to)))
          << from << ".." << to << " of " << sizes.size() << " cuts";
  }
}

TEST(Checksum, ChainsEndWhereTheyEnd) {
  const Bytes bytes = pattern(50);
  const PacketPtr packet = make_mbuf(bytes, {20});
  EXPECT_EQ(net::sum_chain(*packet, 10, 1000), wire(slow_sum(bytes, 10, 50)));
  EXPECT_EQ(net::sum_chain(*packet, 60, 10), 0);
}

TEST(Checksum, AnIpv4HeadersSumIsThatOfItsBytes) {
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    Bytes header(i % 4 == 0 ? 24 : 20);
    // Many ones, so that carries carry on.
    for (uint8_t& byte : header) byte = static_cast<uint8_t>(i % 3 == 0 ? random() : random() | 0xf8);
    if (i % 7 == 0) std::fill(header.begin(), header.end(), static_cast<uint8_t>(i % 2 == 0 ? 0xff : 0));
    ASSERT_EQ(net::sum_ipv4_header(header.data(), header.size()),
              net::sum_bytes(header.data(), header.size()));
  }
}

TEST(Checksum, PseudoHeadersAreDpdks) {
  const Bytes v4 = Packet().eth(kZeroMac, kZeroMac).ipv4("10.1.2.3", "192.168.255.254").tcp(1, 2).bytes();
  const auto* ip4_header = reinterpret_cast<const rte_ipv4_hdr*>(v4.data() + 14);
  EXPECT_EQ(net::pseudo_header_sum(ip4("10.1.2.3"), ip4("192.168.255.254"), 6, 20),
            rte_ipv4_phdr_cksum(ip4_header, 0));
  const Bytes v6 =
      Packet().eth(kZeroMac, kZeroMac).ipv6("2001:db8::ffff", "fe80::1").udp(1, 2).payload(3).bytes();
  const auto* ip6_header = reinterpret_cast<const rte_ipv6_hdr*>(v6.data() + 14);
  EXPECT_EQ(net::pseudo_header_sum(ip6("2001:db8::ffff"), ip6("fe80::1"), 17, 11),
            rte_ipv6_phdr_cksum(ip6_header, 0));
}

TEST(Checksum, UpdatesIncrementally) {
  // RFC 1624 section 4: the case that the older equation gets wrong.
  EXPECT_EQ(net::updated_checksum(be16_t(0xdd2f), be16_t(0x5555), be16_t(0x3285)), be16_t(0x0000));
  Bytes bytes = pattern(40);
  const be16_t before = be16_t::from_raw(net::complement(net::sum_bytes(bytes.data(), 40)));
  const be16_t old_word(static_cast<uint16_t>(bytes[8] << 8 | bytes[9]));
  bytes[8] = 0xfe;
  bytes[9] = 0x01;
  const be16_t after = be16_t::from_raw(net::complement(net::sum_bytes(bytes.data(), 40)));
  EXPECT_EQ(net::updated_checksum(before, old_word, be16_t(0xfe01)), after);
}

TEST(Checksum, Crc32cIsTheStandards) {
  // RFC 3720 appendix B.4: 32 bytes of zeros, of ones, ascending.
  Bytes ascending(32);
  for (size_t i = 0; i < 32; ++i) ascending[i] = static_cast<uint8_t>(i);
  for (const auto& [bytes, expected] : std::vector<std::pair<Bytes, uint32_t>>{
           {Bytes(32, 0), 0x8a9136aa}, {Bytes(32, 0xff), 0x62a8ab43}, {ascending, 0x46dd794e}}) {
    EXPECT_EQ(~net::crc32c_chain(*make_mbuf(bytes), 0, 32, ~0u), expected);
    EXPECT_EQ(~net::crc32c_chain(*make_mbuf(bytes, {3, 14}), 0, 32, ~0u), expected);
  }
}

}  // namespace
}  // namespace podswitch::test
