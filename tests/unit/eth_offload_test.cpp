// SPDX-License-Identifier: Apache-2.0
// What an ethdev is handed, and that a NIC makes the same frames of it as the switch in software.
#include "pmd/eth_offload.h"

#include <gtest/gtest.h>

#include "switch/encap.h"
#include "tests/unit/encap_rig.h"
#include "tests/unit/segmenting_nic.h"

namespace podswitch::test {
namespace {

constexpr uint64_t kPartial = RTE_MBUF_F_RX_L4_CKSUM_NONE;
constexpr uint64_t kSuper = RTE_MBUF_F_RX_L4_CKSUM_NONE | RTE_MBUF_F_RX_LRO;

constexpr uint64_t kBasic = RTE_ETH_TX_OFFLOAD_MULTI_SEGS | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM |
                            RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
constexpr uint64_t kTunnel = kBasic | RTE_ETH_TX_OFFLOAD_OUTER_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO;

EthTxOffloads offloads_of(uint64_t capabilities, const char* driver = "net_some") {
  rte_eth_dev_info info{};
  info.driver_name = driver;
  info.tx_offload_capa = capabilities;
  return tx_offloads_of(info);
}

std::string text_of_caps(const TxCaps& caps) {
  return std::string(caps.checksum ? "checksum " : "") + (caps.tso4 ? "tso4 " : "") +
         (caps.tso6 ? "tso6 " : "") + (caps.multi_segment ? "chains " : "") +
         (caps.tunnel_checksum ? "tunnel-checksum " : "") + (caps.vxlan_tso ? "vxlan " : "") +
         (caps.geneve_tso ? "geneve" : "");
}

TEST(EthOffload, IsWhatTheDriverSays) {
  EXPECT_EQ(text_of_caps(offloads_of(0).caps), "");
  EXPECT_EQ(text_of_caps(offloads_of(RTE_ETH_TX_OFFLOAD_TCP_CKSUM).caps), "") << "TCP's alone is no use";
  EXPECT_EQ(text_of_caps(offloads_of(kBasic).caps), "checksum chains ");
  EXPECT_EQ(text_of_caps(offloads_of(kBasic | RTE_ETH_TX_OFFLOAD_TCP_TSO).caps),
            "checksum tso4 tso6 chains ");
  EXPECT_EQ(text_of_caps(offloads_of(kBasic | RTE_ETH_TX_OFFLOAD_TCP_TSO, "net_tap").caps),
            "checksum tso4 chains ");
  EXPECT_EQ(text_of_caps(offloads_of(kTunnel).caps), "checksum tso4 tso6 chains tunnel-checksum ");
  EXPECT_EQ(text_of_caps(offloads_of(kTunnel | RTE_ETH_TX_OFFLOAD_VXLAN_TNL_TSO).caps),
            "checksum tso4 tso6 chains tunnel-checksum vxlan ");
  EXPECT_EQ(text_of_caps(offloads_of(kTunnel | RTE_ETH_TX_OFFLOAD_GENEVE_TNL_TSO).caps),
            "checksum tso4 tso6 chains tunnel-checksum geneve");
  for (const uint64_t lacking : {RTE_ETH_TX_OFFLOAD_MULTI_SEGS, RTE_ETH_TX_OFFLOAD_OUTER_IPV4_CKSUM,
                                 RTE_ETH_TX_OFFLOAD_TCP_TSO, RTE_ETH_TX_OFFLOAD_IPV4_CKSUM}) {
    const uint64_t all = kTunnel | RTE_ETH_TX_OFFLOAD_VXLAN_TNL_TSO | RTE_ETH_TX_OFFLOAD_GENEVE_TNL_TSO;
    const TxCaps caps = offloads_of(all & ~lacking).caps;
    EXPECT_FALSE(caps.vxlan_tso || caps.geneve_tso) << lacking;
  }
}

TEST(EthOffload, AsksTheDeviceForNoMoreThanIsUsed) {
  EXPECT_EQ(offloads_of(UINT64_MAX).flags, kTunnel | RTE_ETH_TX_OFFLOAD_OUTER_UDP_CKSUM |
                                               RTE_ETH_TX_OFFLOAD_VXLAN_TNL_TSO |
                                               RTE_ETH_TX_OFFLOAD_GENEVE_TNL_TSO);
  EXPECT_EQ(offloads_of(RTE_ETH_TX_OFFLOAD_OUTER_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO).flags, 0U);
}

// A pod's packet with a request, as it is or in a tunnel.
PacketPtr requested(const Packet& packet, uint64_t flags, const Shape* shape) {
  Packet partial = packet;
  PacketPtr mbuf = partial.partial_checksum().mbuf({90, 700, 11});
  mbuf->ol_flags = flags;
  mbuf->tso_segsz = 1000;
  EXPECT_TRUE(adopt_offload_request(*mbuf, meta_of(packet)));
  EXPECT_TRUE(shape == nullptr || make_template(spec_of(*shape))->encapsulate(*mbuf, inner_packet(packet)));
  return mbuf;
}

std::vector<std::string> in_software(PacketPtr mbuf) {
  if ((mbuf->ol_flags & RTE_MBUF_F_TX_TCP_SEG) == 0) {
    complete_checksum(*mbuf);
    return {text_of(*mbuf)};
  }
  std::vector<rte_mbuf*> out(100);
  out.resize(segment(*mbuf, packet_pool(), out.data(), 100));
  std::vector<std::string> texts;
  for (rte_mbuf* piece : out) texts.push_back(text_of(*PacketPtr(piece)));
  return texts;
}

std::vector<std::string> in_hardware(PacketPtr mbuf) {
  EXPECT_TRUE(has_device_form(mbuf->ol_flags));
  to_device_form(*mbuf);
  std::vector<std::string> texts;
  for (const Bytes& frame : SegmentingNic(*mbuf).on_the_wire()) texts.push_back(text_of(frame));
  return texts;
}

Packet pods_packet(bool is_v6, bool is_udp, size_t payload) {
  Packet packet;
  packet.eth("02:00:00:00:00:01", "02:00:00:00:00:02");
  if (is_v6)
    packet.ipv6("fd00:1::2", "fd00:2::3");
  else
    packet.ipv4("10.244.1.2", "10.244.2.3", {.id = 0xfffe});
  if (is_udp) return packet.udp(1, 2).payload(payload);
  return packet.tcp(1, 2, {.sequence = 0xfffffe00, .flags = 0x19, .options = Bytes(12, 1)}).payload(payload);
}

TEST(EthOffload, TheNicMakesTheFramesThatSoftwareMakes) {
  std::vector<const Shape*> shapes{nullptr};
  static const std::vector<Shape> all = all_shapes();
  for (const Shape& shape : all) shapes.push_back(&shape);
  for (const Shape* shape : shapes)
    for (const bool is_v6 : {false, true}) {
      const std::string what =
          (shape == nullptr ? "no tunnel" : name_of(*shape)) + (is_v6 ? ", IPv6" : ", IPv4");
      for (const size_t payload : {1001U, 2000U, 4321U}) {
        const Packet super = pods_packet(is_v6, false, payload);
        const auto expected = in_software(requested(super, kSuper, shape));
        EXPECT_EQ(expected.size(), (payload + 999) / 1000);
        ASSERT_EQ(in_hardware(requested(super, kSuper, shape)), expected) << what;
      }
      if (shape == nullptr) continue;
      for (const bool is_udp : {false, true}) {
        const Packet partial = pods_packet(is_v6, is_udp, 801);
        ASSERT_EQ(in_hardware(requested(partial, kPartial, shape)),
                  in_software(requested(partial, kPartial, shape)))
            << what;
      }
    }
}

TEST(EthOffload, AFormThatTheDriverRefusesIsTakenBack) {
  static const std::vector<Shape> all = all_shapes();
  for (const Shape& shape : all) {
    for (const uint64_t request : {kSuper, kPartial}) {
      const Packet packet = pods_packet(false, false, 1500);
      PacketPtr mbuf = requested(packet, request, &shape);
      to_device_form(*mbuf);
      from_device_form(*mbuf);
      ASSERT_EQ(in_software(std::move(mbuf)), in_software(requested(packet, request, &shape)))
          << name_of(shape);
    }
  }
}

}  // namespace
}  // namespace podswitch::test
