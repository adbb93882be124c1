// SPDX-License-Identifier: Apache-2.0
#include "pmd/vnet_hdr.h"

#include <gtest/gtest.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include <cstring>
#include <memory>
#include <vector>

#include "switch/net/headers.h"

namespace podswitch {
namespace {

constexpr uint16_t kTcpChecksum = 16, kUdpChecksum = 6, kSctpChecksum = 8;
constexpr uint64_t kRxFlags = RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_MASK;

struct FreePacket {
  void operator()(rte_mbuf* packet) const { rte_pktmbuf_free(packet); }
};
using Packet = std::unique_ptr<rte_mbuf, FreePacket>;
using Bytes = std::vector<uint8_t>;

rte_mempool& pool() {
  static rte_mempool* made = rte_pktmbuf_pool_create("vnet_hdr", 255, 0, 0, 2176, SOCKET_ID_ANY);
  return *made;
}

// A chain of segments of at most `segment_size` bytes.
Packet packet_of(const Bytes& bytes, size_t segment_size = 2048) {
  Packet head;
  for (size_t i = 0; i < bytes.size(); i += segment_size) {
    rte_mbuf* segment = rte_pktmbuf_alloc(&pool());
    const size_t size = std::min(segment_size, bytes.size() - i);
    std::memcpy(rte_pktmbuf_append(segment, static_cast<uint16_t>(size)), &bytes[i], size);
    if (!head)
      head.reset(segment);
    else
      rte_pktmbuf_chain(head.get(), segment);
  }
  return head;
}

Bytes bytes_of(const rte_mbuf& packet) {
  Bytes bytes;
  for (const rte_mbuf* segment = &packet; segment != nullptr; segment = segment->next) {
    const auto* start = rte_pktmbuf_mtod(segment, const uint8_t*);
    bytes.insert(bytes.end(), start, start + segment->data_len);
  }
  return bytes;
}

template <typename T>
void append(Bytes& bytes, const T& header) {
  const auto* start = reinterpret_cast<const uint8_t*>(&header);
  bytes.insert(bytes.end(), start, start + sizeof header);
}

struct Layout {
  Bytes bytes;
  uint16_t l4 = 0;  // offset of the transport header
};

Layout ipv4_frame(uint8_t protocol, int tags = 0, uint16_t fragment = 0) {
  Layout frame;
  append(frame.bytes, net::EtherHeader{{}, {}, be16_t(tags > 0 ? net::kEtherTypeVlan : net::kEtherTypeIpv4)});
  for (int i = 1; i <= tags; ++i)
    append(frame.bytes,
           net::VlanHeader{be16_t(7), be16_t(i < tags ? net::kEtherTypeVlan : net::kEtherTypeIpv4)});
  net::Ipv4Header ip{};
  ip.version_ihl = 0x46;  // with four bytes of options
  ip.protocol = protocol;
  ip.fragment = be16_t(fragment);
  append(frame.bytes, ip);
  frame.bytes.resize(frame.bytes.size() + 4);
  frame.l4 = static_cast<uint16_t>(frame.bytes.size());
  frame.bytes.resize(frame.bytes.size() + 61, 0x5a);
  return frame;
}

Layout ipv6_frame(uint8_t protocol) {  // behind hop-by-hop and destination options
  Layout frame;
  append(frame.bytes, net::EtherHeader{{}, {}, be16_t(net::kEtherTypeIpv6)});
  net::Ipv6Header ip{};
  ip.version_class_label = be32_t(0x60000000);
  ip.next_header = net::kProtoHopByHop;
  append(frame.bytes, ip);
  const size_t options = frame.bytes.size();
  frame.bytes.resize(options + 8 + 16);
  frame.bytes[options] = net::kProtoDestOptions;
  frame.bytes[options + 8] = protocol;
  frame.bytes[options + 9] = 1;  // in units of 8 bytes, beyond the first
  frame.l4 = static_cast<uint16_t>(frame.bytes.size());
  frame.bytes.resize(frame.bytes.size() + 60, 0x5a);
  return frame;
}

VnetHeader partial(uint16_t start, uint16_t offset) {
  return {kVnetNeedsCsum, kVnetGsoNone, 0, 0, start, offset};
}

VnetHeader tso(uint8_t type, uint16_t start, uint16_t size = 1400) {
  return {kVnetNeedsCsum, type, static_cast<uint16_t>(start + 20), size, start, kTcpChecksum};
}

uint16_t raw_sum(const Bytes& bytes, size_t from) {
  return rte_raw_cksum(bytes.data() + from, bytes.size() - from);
}

TEST(VnetHeaderReceive, WithoutRequestChangesNothing) {
  const auto packet = packet_of(ipv4_frame(net::kProtoTcp).bytes);
  EXPECT_TRUE(apply_vnet_header({}, *packet));
  EXPECT_TRUE(apply_vnet_header({2, 0, 0, 0, 0, 0}, *packet));  // DATA_VALID
  EXPECT_EQ(packet->ol_flags & kRxFlags, 0u);
}

TEST(VnetHeaderReceive, FlagsThePartialChecksumOfTheFramesOwnTransportHeader) {
  struct Case {
    uint8_t protocol;
    uint16_t offset;
  };
  for (const Case& c : {Case{net::kProtoTcp, kTcpChecksum}, Case{net::kProtoUdp, kUdpChecksum},
                        Case{net::kProtoSctp, kSctpChecksum}})
    for (const Layout& frame : {ipv4_frame(c.protocol), ipv4_frame(c.protocol, 1), ipv4_frame(c.protocol, 2),
                                ipv6_frame(c.protocol)}) {
      const auto packet = packet_of(frame.bytes);
      EXPECT_TRUE(apply_vnet_header(partial(frame.l4, c.offset), *packet));
      EXPECT_EQ(packet->ol_flags & kRxFlags, RTE_MBUF_F_RX_L4_CKSUM_NONE);
      EXPECT_EQ(bytes_of(*packet), frame.bytes);
    }
}

// A checksum further inside (a tunnel's payload), of ICMPv6, of a fragment: the switch has no name for it.
TEST(VnetHeaderReceive, CompletesAnyOtherChecksum) {
  struct Case {
    Layout frame;
    uint16_t start, offset;
  };
  const Layout udp = ipv4_frame(net::kProtoUdp);
  const Layout fragment = ipv4_frame(net::kProtoUdp, 0, 0x2000);
  const Layout icmp = ipv6_frame(net::kProtoIcmpv6);
  for (const Case& c :
       {Case{udp, static_cast<uint16_t>(udp.l4 + 8), kTcpChecksum}, Case{udp, udp.l4, kTcpChecksum},
        Case{fragment, fragment.l4, kUdpChecksum}, Case{icmp, icmp.l4, 2}})
    for (const size_t segment_size : {2048u, 128u, 37u, 1u}) {
      const auto packet = packet_of(c.frame.bytes, segment_size);
      ASSERT_TRUE(apply_vnet_header(partial(c.start, c.offset), *packet));
      EXPECT_EQ(packet->ol_flags & kRxFlags, 0u);
      // What the sender had put into the field (here 0x5a5a) counts as the pseudo-header's sum.
      Bytes expected = c.frame.bytes;
      const uint16_t sum = static_cast<uint16_t>(~raw_sum(expected, c.start));
      std::memcpy(&expected[c.start + c.offset], &sum, sizeof sum);
      EXPECT_EQ(bytes_of(*packet), expected) << segment_size;
    }
}

TEST(VnetHeaderReceive, NeverCompletesToZero) {
  Layout frame = ipv4_frame(net::kProtoIcmp);
  std::fill(frame.bytes.begin() + frame.l4, frame.bytes.end(), uint8_t{0});
  frame.bytes[frame.l4] = frame.bytes[frame.l4 + 1] = 0xff;
  const auto packet = packet_of(frame.bytes);
  ASSERT_TRUE(apply_vnet_header(partial(frame.l4, 2), *packet));
  EXPECT_EQ(bytes_of(*packet)[frame.l4 + 2], 0xff);
  EXPECT_EQ(bytes_of(*packet)[frame.l4 + 3], 0xff);
}

TEST(VnetHeaderReceive, RefusesAChecksumBeyondTheFrame) {
  Layout frame = ipv4_frame(net::kProtoTcp);
  const auto end = static_cast<uint16_t>(frame.bytes.size());
  for (const VnetHeader& header :
       {partial(end, 0), partial(static_cast<uint16_t>(end - 1), 0), partial(0xffff, 0xffff),
        partial(0, static_cast<uint16_t>(end - 1)), partial(frame.l4, end)}) {
    const auto packet = packet_of(frame.bytes, 40);
    EXPECT_FALSE(apply_vnet_header(header, *packet));
    EXPECT_EQ(bytes_of(*packet), frame.bytes);
  }
  frame.bytes.resize(frame.l4 + kTcpChecksum + 1);
  EXPECT_FALSE(apply_vnet_header(partial(frame.l4, kTcpChecksum), *packet_of(frame.bytes)));
}

TEST(VnetHeaderReceive, FlagsTcpSegmentation) {
  for (const uint8_t ecn : {uint8_t{0}, kVnetGsoEcn}) {
    const Layout v4 = ipv4_frame(net::kProtoTcp, 1), v6 = ipv6_frame(net::kProtoTcp);
    const auto packet4 = packet_of(v4.bytes), packet6 = packet_of(v6.bytes);
    EXPECT_TRUE(apply_vnet_header(tso(kVnetGsoTcp4 | ecn, v4.l4), *packet4));
    EXPECT_TRUE(apply_vnet_header(tso(kVnetGsoTcp6 | ecn, v6.l4, 1380), *packet6));
    EXPECT_EQ(packet4->ol_flags & kRxFlags, RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE);
    EXPECT_EQ(packet6->ol_flags & kRxFlags, RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE);
    EXPECT_EQ(packet4->tso_segsz, 1400);
    EXPECT_EQ(packet6->tso_segsz, 1380);
  }
}

TEST(VnetHeaderReceive, RefusesOtherSegmentation) {
  const Layout tcp = ipv4_frame(net::kProtoTcp), udp = ipv4_frame(net::kProtoUdp);
  const auto refused = [](const Layout& frame, const VnetHeader& header) {
    const auto packet = packet_of(frame.bytes);
    return !apply_vnet_header(header, *packet) && (packet->ol_flags & kRxFlags) == 0;
  };
  EXPECT_TRUE(refused(udp, tso(3, udp.l4)));                                        // UFO
  EXPECT_TRUE(refused(udp, tso(5, udp.l4)));                                        // UDP_L4
  EXPECT_TRUE(refused(tcp, tso(kVnetGsoEcn, tcp.l4)));                              // ECN alone
  EXPECT_TRUE(refused(udp, tso(kVnetGsoTcp4, udp.l4)));                             // not TCP
  EXPECT_TRUE(refused(tcp, tso(kVnetGsoTcp6, tcp.l4)));                             // not IPv6
  EXPECT_TRUE(refused(tcp, tso(kVnetGsoTcp4, tcp.l4, 0)));                          // no size
  EXPECT_TRUE(refused(tcp, tso(kVnetGsoTcp4, static_cast<uint16_t>(tcp.l4 + 4))));  // elsewhere
  EXPECT_TRUE(refused(tcp, {0, kVnetGsoTcp4, 0, 1400, tcp.l4, kTcpChecksum}));      // complete checksum
}

TEST(VnetHeaderReceive, ReadsNoHeaderBeyondTheFirstSegment) {
  const Layout frame = ipv6_frame(net::kProtoTcp);
  for (size_t size = 1; size < frame.l4; ++size) {
    const auto packet = packet_of(frame.bytes, size);
    (void)apply_vnet_header(partial(frame.l4, kTcpChecksum), *packet);
    EXPECT_FALSE(apply_vnet_header(
        tso(kVnetGsoTcp6, frame.l4),
        *packet_of(Bytes(frame.bytes.begin(), frame.bytes.begin() + static_cast<long>(size)))));
  }
}

TEST(VnetHeaderSend, WithoutRequestIsAllZeros) {
  const auto packet = packet_of(ipv4_frame(net::kProtoTcp).bytes);
  packet->l2_len = 14;
  packet->l3_len = 20;
  const VnetHeader header = make_vnet_header(*packet);
  EXPECT_EQ(header.flags | header.gso_type | header.gso_size | header.csum_start, 0);
}

TEST(VnetHeaderSend, SaysWhereThePartialChecksumIs) {
  struct Case {
    uint64_t request;
    uint16_t offset;
  };
  for (const Case& c :
       {Case{RTE_MBUF_F_TX_TCP_CKSUM, kTcpChecksum}, Case{RTE_MBUF_F_TX_UDP_CKSUM, kUdpChecksum},
        Case{RTE_MBUF_F_TX_SCTP_CKSUM, kSctpChecksum}}) {
    const auto packet = packet_of(ipv4_frame(net::kProtoTcp, 1).bytes);
    packet->ol_flags = c.request | RTE_MBUF_F_TX_IPV4;
    packet->l2_len = 18;
    packet->l3_len = 24;
    const VnetHeader header = make_vnet_header(*packet);
    EXPECT_EQ(header.flags, kVnetNeedsCsum);
    EXPECT_EQ(header.gso_type, kVnetGsoNone);
    EXPECT_EQ(header.csum_start, 42);
    EXPECT_EQ(header.csum_offset, c.offset);
  }
}

TEST(VnetHeaderSend, StatesTcpSegmentationAndCwr) {
  for (const bool is_v6 : {false, true})
    for (const bool has_cwr : {false, true}) {
      Layout frame = is_v6 ? ipv6_frame(net::kProtoTcp) : ipv4_frame(net::kProtoTcp);
      frame.bytes[frame.l4 + 13] = has_cwr ? net::kTcpCwr : 0;
      const auto packet = packet_of(frame.bytes);
      packet->ol_flags =
          RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM | (is_v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4);
      packet->l2_len = 14;
      packet->l3_len = frame.l4 - 14U;
      packet->l4_len = 32;
      packet->tso_segsz = 1448;
      const VnetHeader header = make_vnet_header(*packet);
      EXPECT_EQ(header.flags, kVnetNeedsCsum);
      EXPECT_EQ(header.gso_type, (is_v6 ? kVnetGsoTcp6 : kVnetGsoTcp4) | (has_cwr ? kVnetGsoEcn : 0));
      EXPECT_EQ(header.gso_size, 1448);
      EXPECT_EQ(header.header_length, frame.l4 + 32);
      EXPECT_EQ(header.csum_start, frame.l4);
      EXPECT_EQ(header.csum_offset, kTcpChecksum);
    }
}

}  // namespace
}  // namespace podswitch
