// SPDX-License-Identifier: Apache-2.0
#include "switch/fragment_flow.h"

#include <gtest/gtest.h>

#include <set>

#include "switch/fragment_table.h"
#include "tests/unit/packet_builder.h"

namespace podswitch::test {
namespace {

constexpr std::string_view kA = "02:00:00:00:00:01", kB = "02:00:00:00:00:02";
constexpr uint16_t kMore = 0x2000;

Packet v4(const Ipv4Fields& fields = {}) {
  return Packet().eth(kA, kB).ipv4("10.0.0.1", "10.0.0.2", fields);
}
Packet v6() {
  return Packet().eth(kA, kB).ipv6("fd00::1", "fd00::2");
}

class FragmentFlow : public testing::Test {
 protected:
  FragmentFlow() : local_(std::make_unique<Local>()) {
    local_->fragments = &table_;
    local_->now_seconds = 1;
  }
  uint32_t hash(const Packet& packet, Fid fid = 1) {
    const PacketPtr mbuf = packet.mbuf();
    PacketMeta meta{};
    meta.ether_type = packet.payload_ether_type();
    meta.l3_offset = packet.l3_offset();
    meta.fid = fid;
    return flow_hash_of(*mbuf, meta, net::inspect_l3(*mbuf, meta.ether_type, meta.l3_offset).value(),
                        *local_);
  }
  static uint32_t of_addresses(const Packet& later) {
    return net::flow_hash(*later.mbuf(), later.payload_ether_type(), later.l3_offset());
  }

  FragmentTable table_{{.capacity = 5}};
  std::unique_ptr<Local> local_;
};

TEST_F(FragmentFlow, LaterOnesFollowTheFirst) {
  const Packet later4 = v4({.fragment = 2, .protocol = 17}).payload(16);
  const Packet later6 = v6().fragment6(16, false, 17).payload(16);
  EXPECT_EQ(hash(later4), of_addresses(later4)) << "before the first one";
  const uint32_t whole4 = hash(v4().udp(1000, 53).payload(9)), whole6 = hash(v6().udp(1000, 53).payload(9));
  EXPECT_NE(whole4, of_addresses(later4));
  EXPECT_EQ(hash(v4({.fragment = kMore}).udp(1000, 53).payload(8)), whole4);
  EXPECT_EQ(hash(later4), whole4);
  EXPECT_EQ(hash(v6().fragment6(0, true).udp(1000, 53).payload(8)), whole6);
  EXPECT_EQ(hash(later6), whole6);
  EXPECT_EQ(table_.count(1), 2u);
}

TEST_F(FragmentFlow, OfThatDatagramOnly) {
  hash(v4({.fragment = kMore}).udp(1000, 53).payload(8));
  const Packet other_id = v4({.id = 5, .fragment = 2, .protocol = 17}).payload(16);
  EXPECT_EQ(hash(other_id), of_addresses(other_id));
  const Packet later = v4({.fragment = 2, .protocol = 17}).payload(16);
  EXPECT_EQ(hash(later, 2), of_addresses(later)) << "of another network";
  local_->now_seconds = 100;
  EXPECT_EQ(hash(later), of_addresses(later)) << "a long time ago";
}

TEST_F(FragmentFlow, WithoutPorts) {
  const uint32_t whole4 = hash(v4().icmp(8).echo(1, 2)), whole6 = hash(v6().icmpv6(128).echo(1, 2));
  EXPECT_EQ(hash(v4({.fragment = kMore}).icmp(8).echo(1, 2).payload(8)), whole4);
  EXPECT_EQ(hash(v4({.fragment = 2, .protocol = 1}).payload(16)), whole4);
  EXPECT_EQ(hash(v6().fragment6(0, true).icmpv6(128).echo(1, 2).payload(8)), whole6);
  EXPECT_EQ(hash(v6().fragment6(16, false, 58).payload(16)), whole6);
}

TEST_F(FragmentFlow, CountsWhatItForgot) {
  for (uint16_t id = 1; id <= 6; ++id) hash(v4({.id = id, .fragment = kMore}).udp(1, 2).payload(8));
  EXPECT_EQ(local_->fragments_evicted.get(), 1u);
  EXPECT_EQ(local_->fragments_busy.get(), 0u);
  EXPECT_EQ(table_.count(1), 5u);
}

TEST(IpIds, AreOfOnePacketEach) {
  std::atomic<uint32_t> shared{65000};
  IpIds one(shared), two(shared);
  std::set<uint16_t> given;
  for (int i = 0; i < 5000; ++i)
    for (IpIds* ids : {&one, &two}) EXPECT_TRUE(given.insert(ids->take(1)).second);
  const uint16_t first = one.take(1400);
  for (unsigned i = 0; i < 1400; ++i) EXPECT_TRUE(given.insert(static_cast<uint16_t>(first + i)).second);
}

}  // namespace
}  // namespace podswitch::test
