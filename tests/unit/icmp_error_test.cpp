// SPDX-License-Identifier: Apache-2.0
#include "switch/icmp_error.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "switch/offload.h"
#include "tests/unit/packet_builder.h"

namespace podswitch::test {
namespace {

constexpr std::string_view kSender = "02:00:00:00:00:01";
constexpr std::string_view kRouter = "02:00:00:00:00:02";
const IpAddress kOurs4(ip4("192.0.2.1"));
const IpAddress kOurs6(ip6("2001:db8:ffff::1"));

Packet v4(const Ipv4Fields& fields = {}, std::string_view source = "10.0.0.1",
          std::string_view destination = "10.9.0.2", std::string_view mac = kRouter) {
  return Packet().eth(kSender, mac).ipv4(source, destination, fields);
}
Packet v6(std::string_view source = "2001:db8::1", std::string_view destination = "2001:db8:9::2",
          std::string_view mac = kRouter) {
  return Packet().eth(kSender, mac).ipv6(source, destination);
}

void set16(Bytes& bytes, size_t at, unsigned value) {
  bytes.at(at) = static_cast<uint8_t>(value >> 8);
  bytes.at(at + 1) = static_cast<uint8_t>(value);
}

// The error about `offending`, whose layer 2 headers are `l3` bytes long and of which `quoted` bytes go back.
Bytes expected_v4(const Bytes& offending, size_t l3, uint8_t type, uint8_t code, uint16_t mtu,
                  size_t quoted) {
  Bytes ip = {0x45, 0xc0, 0, 0, 0, 0, 0x40, 0, 64, 1, 0, 0, 192, 0, 2, 1};
  ip.insert(ip.end(), &offending[l3 + 12], &offending[l3 + 16]);
  set16(ip, 2, static_cast<unsigned>(28 + quoted));
  set16(ip, 10, 0xffffu - slow_sum(ip, 0, 20));
  Bytes icmp = {type, code, 0, 0, 0, 0, 0, 0};
  set16(icmp, 6, mtu);
  icmp.insert(icmp.end(), &offending[l3], &offending[l3] + quoted);
  set16(icmp, 2, 0xffffu - slow_sum(icmp, 0, icmp.size()));
  Bytes frame(offending.begin(), offending.begin() + static_cast<ptrdiff_t>(l3));
  frame.insert(frame.end(), ip.begin(), ip.end());
  frame.insert(frame.end(), icmp.begin(), icmp.end());
  return frame;
}

Bytes expected_v6(const Bytes& offending, size_t l3, uint8_t type, uint8_t code, uint16_t mtu,
                  size_t quoted) {
  Bytes ip = {0x6c, 0, 0, 0, 0, 0, 58, 64};
  ip.insert(ip.end(), kOurs6.v6.bytes.begin(), kOurs6.v6.bytes.end());
  ip.insert(ip.end(), &offending[l3 + 8], &offending[l3 + 24]);
  set16(ip, 4, static_cast<unsigned>(8 + quoted));
  Bytes icmp = {type, code, 0, 0, 0, 0, 0, 0};
  set16(icmp, 6, mtu);
  icmp.insert(icmp.end(), &offending[l3], &offending[l3] + quoted);
  Bytes summed(ip.begin() + 8, ip.end());  // RFC 8200 section 8.1
  const auto length = static_cast<uint8_t>((8 + quoted) >> 8);
  for (const uint8_t byte : {uint8_t{0}, uint8_t{0}, length, static_cast<uint8_t>(8 + quoted), uint8_t{0},
                             uint8_t{0}, uint8_t{0}, uint8_t{58}})
    summed.push_back(byte);
  summed.insert(summed.end(), icmp.begin(), icmp.end());
  set16(icmp, 2, 0xffffu - slow_sum(summed, 0, summed.size()));
  Bytes frame(offending.begin(), offending.begin() + static_cast<ptrdiff_t>(l3));
  frame.insert(frame.end(), ip.begin(), ip.end());
  frame.insert(frame.end(), icmp.begin(), icmp.end());
  return frame;
}

bool make(rte_mbuf& mbuf, const Packet& packet, IcmpError error, uint16_t mtu = 0) {
  const IpAddress& source = packet.payload_ether_type() == 0x0800 ? kOurs4 : kOurs6;
  return make_icmp_error(mbuf, packet.l3_offset(), error, source, mtu);
}

TEST(IcmpError, TypesCodesAndMtu) {
  struct Case {
    IcmpError error;
    uint8_t type4, code4, type6, code6;
    uint16_t mtu = 0;
  };
  for (const Case& c : std::vector<Case>{{IcmpError::TimeExceeded, 11, 0, 3, 0},
                                         {IcmpError::NetUnreachable, 3, 0, 1, 0},
                                         {IcmpError::HostUnreachable, 3, 1, 1, 3},
                                         {IcmpError::PortUnreachable, 3, 3, 1, 4},
                                         {IcmpError::AdminProhibited, 3, 13, 1, 1},
                                         {IcmpError::TooBig, 3, 4, 2, 0, 1450},
                                         {IcmpError::TooBig, 3, 4, 2, 0, 9000}}) {
    const Packet packet4 = v4({.ttl = 1}).udp(33434, 33435).payload(31);
    const PacketPtr error4 = packet4.mbuf();
    ASSERT_TRUE(make(*error4, packet4, c.error, c.mtu));
    EXPECT_EQ(text_of(*error4), text_of(expected_v4(packet4.bytes(), 14, c.type4, c.code4, c.mtu, 59)));
    const Packet packet6 = v6().udp(33434, 33435).payload(31);
    const PacketPtr error6 = packet6.mbuf();
    ASSERT_TRUE(make(*error6, packet6, c.error, c.mtu));
    EXPECT_EQ(text_of(*error6), text_of(expected_v6(packet6.bytes(), 14, c.type6, c.code6, c.mtu, 79)));
  }
}

TEST(IcmpError, MtuIsOnlyInTooBig) {
  const Packet packet = v4().udp(1, 2);
  const PacketPtr mbuf = packet.mbuf();
  ASSERT_TRUE(make(*mbuf, packet, IcmpError::TimeExceeded, 1450));
  EXPECT_EQ(text_of(*mbuf), text_of(expected_v4(packet.bytes(), 14, 11, 0, 0, 28)));
}

TEST(IcmpError, QuotesWhatFits) {
  struct Case {
    const char* what;
    Packet packet;
    size_t quoted;
    std::vector<size_t> sizes = {};
  };
  for (const Case& c : std::vector<Case>{
           {"header alone", v4(), 20},
           {"padded", v4().udp(1, 2).padding(18), 28},
           {"padded, padding in a segment of its own", v4().udp(1, 2).padding(18), 28, {42}},
           {"two tags", Packet().eth(kSender, kRouter).vlan(5).vlan(6).ipv4("10.0.0.1", "10.9.0.2").udp(1, 2),
            28},
           {"options", v4({.options = Bytes(40, 1)}).tcp(1, 2), 80},
           {"as much as may be", v4().udp(1, 2).payload(520), 548},
           {"one byte more", v4().udp(1, 2).payload(521), 548},
           {"a jumbo frame", v4().udp(1, 2).payload(8000), 548},
           {"odd segments", v4().udp(1, 2).payload(2000), 548, {35, 1, 0, 77, 3, 500}},
           {"cut at the end of a segment", v4().udp(1, 2).payload(900), 548, {62, 500, 100}},
           {"first segment without layer 4", v4().icmp(8).payload(100), 124, {34}},
           {"first fragment", v4({.fragment = 0x2000}).udp(1, 2).payload(72), 100},
           {"echo reply", v4().icmp(0).payload(4), 28},
           {"timestamp", v4().icmp(13).payload(16), 40},
           {"SCTP", v4().sctp(1, 2).payload(4), 36},
           {"TTL 0", v4({.ttl = 0}).udp(1, 2), 28},
       }) {
    const PacketPtr mbuf = c.packet.mbuf(c.sizes);
    ASSERT_TRUE(make(*mbuf, c.packet, IcmpError::TimeExceeded)) << c.what;
    EXPECT_EQ(text_of(*mbuf),
              text_of(expected_v4(c.packet.bytes(), c.packet.l3_offset(), 11, 0, 0, c.quoted)))
        << c.what;
    EXPECT_EQ(defect_of(*mbuf), "") << c.what;
  }
  for (const Case& c : std::vector<Case>{
           {"header alone", v6(), 40},
           {"padded", v6().udp(1, 2).padding(18), 48},
           {"tag", Packet().eth(kSender, kRouter).vlan(5).ipv6("2001:db8::1", "2001:db8:9::2").udp(1, 2), 48},
           {"extension headers", v6().extension(0).extension(43).extension(60, 3).tcp(1, 2), 100},
           {"as much as may be", v6().udp(1, 2).payload(1184), 1232},
           {"one byte more", v6().udp(1, 2).payload(1185), 1232},
           {"a jumbo frame", v6().udp(1, 2).payload(8900), 1232},
           {"odd segments", v6().udp(1, 2).payload(2000), 1232, {55, 1, 0, 77, 3, 500}},
           {"first segment without layer 4", v6().icmpv6(128).payload(100), 144, {54}},
           {"first fragment", v6().fragment6(0, true).udp(1, 2).payload(72), 128},
           {"later fragment", v6().fragment6(8, true, 17).payload(72), 120},
           {"later fragment of ICMPv6", v6().fragment6(8, true, 58).payload(72), 120},
           {"solicitation", v6().solicitation("2001:db8:9::2"), 64},
           {"link-local source", v6("fe80::1").udp(1, 2), 48},
       }) {
    const PacketPtr mbuf = c.packet.mbuf(c.sizes);
    ASSERT_TRUE(make(*mbuf, c.packet, IcmpError::TimeExceeded)) << c.what;
    EXPECT_EQ(text_of(*mbuf), text_of(expected_v6(c.packet.bytes(), c.packet.l3_offset(), 3, 0, 0, c.quoted)))
        << c.what;
    EXPECT_EQ(defect_of(*mbuf), "") << c.what;
  }
}

// What must not be answered stays as it is.
void expect_refused(const char* what, const Packet& packet, IcmpError error,
                    const std::vector<size_t>& sizes) {
  const PacketPtr mbuf = packet.mbuf(sizes);
  EXPECT_FALSE(make(*mbuf, packet, error, 1400)) << what;
  EXPECT_EQ(text_of(*mbuf), text_of(packet.bytes())) << what;
}

struct Refusal {
  const char* what;
  Packet packet;
  std::vector<size_t> sizes = {};
};

TEST(IcmpError, RefusesIpv4) {
  for (const Refusal& c : std::vector<Refusal>{
           {"unreachable", v4().icmp(3)},
           {"source quench", v4().icmp(4)},
           {"redirect", v4().icmp(5)},
           {"time exceeded", v4().icmp(11)},
           {"parameter problem", v4().icmp(12)},
           {"unknown ICMP", v4().icmp(44)},
           {"error in the second segment", v4().icmp(3).payload(40), {34}},
           {"error in the third segment", v4().icmp(3).payload(40), {34, 0}},
           {"ICMP without a type", v4({.protocol = 1})},
           {"ICMP without a type, padded", v4({.protocol = 1}).padding(26).poke(34, 8)},
           {"first fragment of an error", v4({.fragment = 0x2000}).icmp(3)},
           {"middle fragment", v4({.fragment = 0x2001}).payload(16)},
           {"last fragment", v4({.fragment = 0x0001}).payload(16)},
           {"broadcast frame", v4({}, "10.0.0.1", "10.9.0.2", kBroadcastMac).udp(1, 2)},
           {"multicast frame", v4({}, "10.0.0.1", "10.9.0.2", "01:00:5e:00:00:01").udp(1, 2)},
           {"to all", v4({}, "10.0.0.1", "255.255.255.255").udp(1, 2)},
           {"to all, old style", v4({}, "10.0.0.1", "0.0.0.0").udp(1, 2)},
           {"to a group", v4({}, "10.0.0.1", "224.0.0.5").udp(1, 2)},
           {"to the last group", v4({}, "10.0.0.1", "239.255.255.255").udp(1, 2)},
           {"to loopback", v4({}, "10.0.0.1", "127.0.0.1").udp(1, 2)},
           {"from nobody", v4({}, "0.0.0.0").udp(1, 2)},
           {"from network 0", v4({}, "0.1.2.3").udp(1, 2)},
           {"from loopback", v4({}, "127.0.0.1").udp(1, 2)},
           {"from a group", v4({}, "224.0.0.1").udp(1, 2)},
           {"from class E", v4({}, "240.0.0.1").udp(1, 2)},
           {"from all", v4({}, "255.255.255.255").udp(1, 2)},
           {"from ourselves", v4({}, "192.0.2.1").udp(1, 2)},
           {"wrong header checksum", v4().udp(1, 2).poke(24, 0x5a)},
           {"header in two segments", v4().udp(1, 2), {20}},
           {"cut off", v4().udp(1, 2).payload(20).cut(1)},
       })
    for (const IcmpError error : {IcmpError::TimeExceeded, IcmpError::PortUnreachable, IcmpError::TooBig})
      expect_refused(c.what, c.packet, error, c.sizes);
}

TEST(IcmpError, RefusesIpv6) {
  for (const Refusal& c : std::vector<Refusal>{
           {"unreachable", v6().icmpv6(1)},
           {"too big", v6().icmpv6(2)},
           {"time exceeded", v6().icmpv6(3)},
           {"parameter problem", v6().icmpv6(4)},
           {"unknown error", v6().icmpv6(127)},
           {"redirect", v6().icmpv6(137)},
           {"error behind extension headers", v6().extension(0).extension(60).icmpv6(1)},
           {"error in the second segment", v6().icmpv6(1).payload(40), {54}},
           {"first fragment of an error", v6().fragment6(0, true).icmpv6(1)},
           {"ICMPv6 without a type", v6().extension(60).poke(54, 58)},
           {"ICMPv6 without a type, padded", v6().extension(60).poke(54, 58).padding(8).poke(62, 128)},
           {"from nobody", v6("::").udp(1, 2)},
           {"from loopback", v6("::1").udp(1, 2)},
           {"from a group", v6("ff02::1").udp(1, 2)},
           {"from a mapped address", v6("::ffff:10.0.0.1").udp(1, 2)},
           {"from ourselves", v6("2001:db8:ffff::1").udp(1, 2)},
           {"to nobody", v6("2001:db8::1", "::").udp(1, 2)},
           {"to loopback", v6("2001:db8::1", "::1").udp(1, 2)},
           {"header in two segments", v6().udp(1, 2), {50}},
           {"cut off", v6().udp(1, 2).payload(20).cut(1)},
       })
    for (const IcmpError error : {IcmpError::TimeExceeded, IcmpError::PortUnreachable, IcmpError::TooBig})
      expect_refused(c.what, c.packet, error, c.sizes);
}

TEST(IcmpError, OnlyTooBigIsAboutIpv6Groups) {
  for (const Refusal& c : std::vector<Refusal>{
           {"to a group", v6("2001:db8::1", "ff0e::1", "33:33:00:00:00:01").udp(1, 2).payload(1500)},
           {"to a group in a frame for us", v6("2001:db8::1", "ff0e::1").udp(1, 2).payload(1500)},
           {"multicast frame",
            v6("2001:db8::1", "2001:db8:9::2", "33:33:00:00:00:01").udp(1, 2).payload(1500)},
           {"broadcast frame", v6("2001:db8::1", "2001:db8:9::2", kBroadcastMac).udp(1, 2).payload(1500)},
       }) {
    for (const IcmpError error :
         {IcmpError::TimeExceeded, IcmpError::NetUnreachable, IcmpError::HostUnreachable,
          IcmpError::PortUnreachable, IcmpError::AdminProhibited})
      expect_refused(c.what, c.packet, error, {});
    const PacketPtr mbuf = c.packet.mbuf();
    ASSERT_TRUE(make(*mbuf, c.packet, IcmpError::TooBig, 1280)) << c.what;
    EXPECT_EQ(text_of(*mbuf), text_of(expected_v6(c.packet.bytes(), 14, 2, 0, 1280, 1232))) << c.what;
  }
}

TEST(IcmpError, RefusesTheOtherFamilyAndNoIp) {
  const Packet packet4 = v4().udp(1, 2).payload(60);
  const Packet packet6 = v6().udp(1, 2).payload(60);
  EXPECT_FALSE(make_icmp_error(*packet4.mbuf(), 14, IcmpError::TimeExceeded, kOurs6));
  EXPECT_FALSE(make_icmp_error(*packet6.mbuf(), 14, IcmpError::TimeExceeded, kOurs4));
  EXPECT_FALSE(make_icmp_error(*packet4.mbuf(), 2000, IcmpError::TimeExceeded, kOurs4));
  const Bytes frame = packet6.bytes();
  const PacketPtr bare = make_mbuf(Bytes(frame.begin() + 14, frame.end()));
  EXPECT_FALSE(make_icmp_error(*bare, 0, IcmpError::TimeExceeded, kOurs6)) << "no Ethernet header";
}

// As a guest's packets come, through parse.
PacketPtr with_request(const Packet& packet, uint64_t flags, const std::vector<size_t>& sizes = {}) {
  PacketPtr mbuf = packet.mbuf(sizes);
  mbuf->ol_flags = flags;
  mbuf->tso_segsz = 1000;
  PacketMeta meta{};
  meta.l3_offset = packet.l3_offset();
  meta.ether_type = packet.payload_ether_type();
  EXPECT_TRUE(adopt_offload_request(*mbuf, meta));
  EXPECT_TRUE(has_open_request(*mbuf));
  return mbuf;
}

TEST(IcmpError, QuotesACompleteChecksum) {
  for (const bool is_long : {false, true}) {
    const size_t length = is_long ? 1300 : 33;
    Packet open4 = v4().udp(1, 2).payload(length), open6 = v6().tcp(1, 2).payload(length);
    const Bytes complete4 = open4.bytes(), complete6 = open6.bytes();
    open4.partial_checksum();
    open6.partial_checksum();
    const PacketPtr error4 = with_request(open4, RTE_MBUF_F_RX_L4_CKSUM_NONE, {60, 5});
    ASSERT_TRUE(make(*error4, open4, IcmpError::HostUnreachable));
    EXPECT_EQ(text_of(*error4), text_of(expected_v4(complete4, 14, 3, 1, 0, is_long ? 548 : 61)));
    const PacketPtr error6 = with_request(open6, RTE_MBUF_F_RX_L4_CKSUM_NONE, {80, 5});
    ASSERT_TRUE(make(*error6, open6, IcmpError::HostUnreachable));
    EXPECT_EQ(text_of(*error6), text_of(expected_v6(complete6, 14, 1, 3, 0, is_long ? 1232 : 93)));
    for (const rte_mbuf* error : {error4.get(), error6.get()}) {
      EXPECT_EQ(error->ol_flags, 0u);
      EXPECT_EQ(error->tx_offload, 0u);
    }
  }
}

TEST(IcmpError, QuotesASuperFrameAsItIs) {
  Packet packet = v4().tcp(1, 2).payload(20000);
  packet.partial_checksum();
  const PacketPtr mbuf = with_request(packet, RTE_MBUF_F_RX_L4_CKSUM_NONE | RTE_MBUF_F_RX_LRO);
  ASSERT_TRUE(make(*mbuf, packet, IcmpError::TooBig, 900));
  EXPECT_EQ(text_of(*mbuf), text_of(expected_v4(packet.bytes(), 14, 3, 4, 900, 548)));
  EXPECT_EQ(mbuf->ol_flags, 0u);
  EXPECT_EQ(mbuf->tso_segsz, 0u);
  EXPECT_EQ(mbuf->nb_segs, 1u);
  EXPECT_EQ(defect_of(*mbuf), "");
}

TEST(IcmpError, FreesWhatIsCutOff) {
  const unsigned free_before = rte_mempool_avail_count(&packet_pool());
  const Packet packet = v4().udp(1, 2).payload(9000);
  PacketPtr mbuf = packet.mbuf({100, 100});
  ASSERT_TRUE(make(*mbuf, packet, IcmpError::TimeExceeded));
  EXPECT_EQ(mbuf->nb_segs, 3u);
  mbuf.reset();
  EXPECT_EQ(rte_mempool_avail_count(&packet_pool()), free_before);
}

TEST(IcmpError, LeavesSharedPacketsAlone) {
  const Packet packet = v4().udp(1, 2).payload(1000);
  for (const unsigned shared : {0, 1, 2}) {
    const PacketPtr mbuf = packet.mbuf({200, 600});
    rte_mbuf* segment = mbuf.get();
    for (unsigned i = 0; i < shared; ++i) segment = segment->next;
    rte_mbuf_refcnt_update(segment, 1);
    EXPECT_FALSE(make(*mbuf, packet, IcmpError::TimeExceeded)) << shared;
    EXPECT_EQ(text_of(*mbuf), text_of(packet.bytes()));
    rte_mbuf_refcnt_update(segment, -1);
    EXPECT_TRUE(make(*mbuf, packet, IcmpError::TimeExceeded)) << shared;
  }
  const PacketPtr original = packet.mbuf();
  PacketPtr clone(rte_pktmbuf_clone(original.get(), &packet_pool()));
  EXPECT_FALSE(make(*original, packet, IcmpError::TimeExceeded));
  EXPECT_FALSE(make(*clone, packet, IcmpError::TimeExceeded));
  EXPECT_EQ(text_of(*clone), text_of(packet.bytes()));
  clone.reset();
  EXPECT_TRUE(make(*original, packet, IcmpError::TimeExceeded));
}

TEST(IcmpError, ExternalBuffers) {
  const Packet packet = v4().udp(1, 2).payload(1000);
  const Bytes frame = packet.bytes();
  for (const uint16_t owners : {1, 2}) {
    Bytes buffer(RTE_PKTMBUF_HEADROOM + frame.size());
    std::copy(frame.begin(), frame.end(), buffer.begin() + RTE_PKTMBUF_HEADROOM);
    rte_mbuf_ext_shared_info info{};
    info.free_cb = [](void*, void*) {};
    rte_mbuf_ext_refcnt_set(&info, owners);
    const PacketPtr mbuf(rte_pktmbuf_alloc(&packet_pool()));
    rte_pktmbuf_attach_extbuf(mbuf.get(), buffer.data(), RTE_BAD_IOVA, static_cast<uint16_t>(buffer.size()),
                              &info);
    rte_pktmbuf_reset_headroom(mbuf.get());
    ASSERT_NE(rte_pktmbuf_append(mbuf.get(), static_cast<uint16_t>(frame.size())), nullptr);
    EXPECT_EQ(make(*mbuf, packet, IcmpError::TimeExceeded), owners == 1);
    EXPECT_EQ(text_of(*mbuf), text_of(owners == 1 ? expected_v4(frame, 14, 11, 0, 0, 548) : frame));
    EXPECT_NE(mbuf->ol_flags & RTE_MBUF_F_EXTERNAL, 0u) << "freed the way it came";
  }
}

TEST(IcmpError, NeedsHeadroom) {
  const auto with_headroom = [](const Packet& packet, uint16_t headroom) {
    PacketPtr mbuf = packet.mbuf();
    std::memmove(static_cast<char*>(mbuf->buf_addr) + headroom, rte_pktmbuf_mtod(mbuf.get(), char*),
                 mbuf->data_len);
    mbuf->data_off = headroom;
    return mbuf;
  };
  const Packet packet4 = v4().udp(1, 2).payload(100);
  const Packet packet6 = v6().udp(1, 2).payload(100);
  EXPECT_FALSE(make(*with_headroom(packet4, 27), packet4, IcmpError::TimeExceeded));
  EXPECT_TRUE(make(*with_headroom(packet4, 28), packet4, IcmpError::TimeExceeded));
  EXPECT_FALSE(make(*with_headroom(packet6, 47), packet6, IcmpError::TimeExceeded));
  EXPECT_TRUE(make(*with_headroom(packet6, 48), packet6, IcmpError::TimeExceeded));
}

}  // namespace
}  // namespace podswitch::test
