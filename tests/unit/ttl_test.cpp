// SPDX-License-Identifier: Apache-2.0
#include "switch/net/ttl.h"

#include <gtest/gtest.h>

#include "tests/unit/packet_builder.h"

namespace podswitch::test {
namespace {

Bytes header(uint8_t ttl, uint16_t id) {
  const Bytes frame =
      Packet().eth(kZeroMac, kZeroMac).ipv4("10.0.0.1", "10.0.0.2", {.ttl = ttl, .id = id}).bytes();
  return Bytes(frame.begin() + 14, frame.end());
}

net::Ipv4Header& ipv4_of(Bytes& bytes) {
  return *reinterpret_cast<net::Ipv4Header*>(bytes.data());
}

// Every id, with one TTL: every checksum that a header can have.
TEST(Ttl, ChecksumIsThatOfTheNewHeader) {
  for (const uint8_t ttl : {2, 64, 255}) {
    for (uint32_t id = 0; id <= 0xffff; id += ttl == 64 ? 1 : 101) {
      Bytes bytes = header(ttl, static_cast<uint16_t>(id));
      ASSERT_TRUE(net::decrement_ttl(ipv4_of(bytes)));
      ASSERT_EQ(bytes, header(static_cast<uint8_t>(ttl - 1), static_cast<uint16_t>(id))) << "id " << id;
      net::restore_ttl(ipv4_of(bytes));
      ASSERT_EQ(bytes, header(ttl, static_cast<uint16_t>(id))) << "back, id " << id;
    }
  }
}

TEST(Ttl, LeavesAWrongChecksumWrong) {
  for (uint32_t wrong = 1; wrong < 0xffff; ++wrong) {
    Bytes bytes = header(60, 7);
    net::Ipv4Header& ip = ipv4_of(bytes);
    const uint16_t right = ip.checksum.host();
    const auto off = static_cast<uint16_t>(right + wrong + (right + wrong > 0xffff ? 1 : 0));
    ip.checksum = be16_t(off);
    ASSERT_TRUE(net::decrement_ttl(ip));
    ASSERT_NE(slow_sum(bytes, 0, bytes.size()), 0xffff) << off;
  }
}

TEST(Ttl, StopsAtOneAndZero) {
  for (const uint8_t ttl : {0, 1}) {
    Bytes bytes = header(ttl, 1);
    EXPECT_FALSE(net::decrement_ttl(ipv4_of(bytes)));
    EXPECT_EQ(bytes, header(ttl, 1));
    net::Ipv6Header ip{};
    ip.hop_limit = ttl;
    EXPECT_FALSE(net::decrement_ttl(ip));
    EXPECT_EQ(ip.hop_limit, ttl);
  }
}

TEST(Ttl, HopLimit) {
  net::Ipv6Header ip{};
  ip.hop_limit = 2;
  EXPECT_TRUE(net::decrement_ttl(ip));
  EXPECT_EQ(ip.hop_limit, 1);
  net::restore_ttl(ip);
  EXPECT_EQ(ip.hop_limit, 2);
}

}  // namespace
}  // namespace podswitch::test
