// SPDX-License-Identifier: Apache-2.0
// EthTransmit before a device that is nothing but its two functions.
#include "pmd/eth_transmit.h"

#include <gtest/gtest.h>
#include <rte_ethdev.h>

#include <functional>

#include "switch/encap.h"
#include "tests/unit/encap_rig.h"

namespace podswitch::test {
namespace {

constexpr uint16_t kDevice = RTE_MAX_ETHPORTS - 1;

class EthTransmitTest : public testing::Test {
 protected:
  EthTransmitTest() : before_(device_ops()) {
    Ops& ops = device_ops();
    ops.txq.data = queue_data_.data();
    ops.txq.clbk = callbacks_.data();
    ops.tx_pkt_burst = [](void* self, rte_mbuf** packets, uint16_t count) {
      return static_cast<EthTransmitTest*>(self)->take(packets, count);
    };
    ops.tx_pkt_prepare = [](void* self, rte_mbuf** packets, uint16_t count) -> uint16_t {
      auto& test = *static_cast<EthTransmitTest*>(self);
      for (uint16_t i = 0; i < count; ++i) {
        ++test.prepared_;
        if (test.refuses_ && test.refuses_(*packets[i])) return i;
      }
      return count;
    };
  }
  ~EthTransmitTest() override {
    for (rte_mbuf* packet : sent_) rte_pktmbuf_free(packet);
    device_ops() = before_;
  }
  using Ops = struct ::rte_eth_fp_ops;
  static Ops& device_ops() { return ::rte_eth_fp_ops[kDevice]; }

  uint16_t take(rte_mbuf** packets, uint16_t count) {
    uint16_t taken = 0;
    for (; taken < count && room_ > 0; --room_) sent_.push_back(packets[taken++]);
    return taken;
  }

  static rte_mbuf* super(uint16_t id = 1) {
    Packet packet;
    packet.eth("02:00:00:00:00:01", "02:00:00:00:00:02").ipv4("10.244.1.2", "10.244.2.3", {.id = id});
    packet.tcp(1, 2).payload(1500).partial_checksum();
    PacketPtr mbuf = packet.mbuf();
    mbuf->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_NONE | RTE_MBUF_F_RX_LRO;
    mbuf->tso_segsz = 500;
    EXPECT_TRUE(adopt_offload_request(*mbuf, meta_of(packet)));
    EXPECT_TRUE(make_template(spec_of({.is_routed = true}))->encapsulate(*mbuf, inner_packet(packet)));
    return mbuf.release();
  }
  static rte_mbuf* plain() {
    return Packet()
        .eth("02:00:00:00:00:01", "02:00:00:00:00:02")
        .ipv4("10.0.0.1", "10.0.0.2")
        .udp(1, 2)
        .payload(20)
        .mbuf()
        .release();
  }
  uint16_t send(std::vector<rte_mbuf*>& packets) {
    return transmit_.send(kDevice, 0, packets.data(), static_cast<uint16_t>(packets.size()));
  }
  std::vector<uint32_t> sent_lengths() const {
    std::vector<uint32_t> lengths;
    for (const rte_mbuf* packet : sent_) lengths.push_back(packet->pkt_len);
    return lengths;
  }

  static constexpr uint32_t kHeaders = 64 + 40, kSuperLength = kHeaders + 1500, kPiece = kHeaders + 500,
                            kPlain = 62;
  const Ops before_;
  std::array<void*, 1> queue_data_{this};
  std::array<void*, 1> callbacks_{};
  std::function<bool(const rte_mbuf&)> refuses_;
  size_t room_ = 1000, prepared_ = 0;
  std::vector<rte_mbuf*> sent_;
  EthTransmit transmit_{packet_pool()};
};

TEST_F(EthTransmitTest, PlainPacketsGoStraight) {
  std::vector<rte_mbuf*> packets{plain(), plain()};
  EXPECT_EQ(send(packets), 2);
  EXPECT_EQ(prepared_, 0U);
}

TEST_F(EthTransmitTest, SuperFramesGoAsTheyAre) {
  std::vector<rte_mbuf*> packets{plain(), super(), plain()};
  EXPECT_EQ(send(packets), 3);
  EXPECT_EQ(sent_lengths(), (std::vector<uint32_t>{kPlain, kSuperLength, kPlain}));
  EXPECT_EQ(prepared_, 1U);
  EXPECT_EQ(sent_[1]->l2_len, 8 + 8 + 14) << "outer UDP, VXLAN, inner Ethernet";
}

TEST_F(EthTransmitTest, WhatTheDriverRefusesIsCutInSoftwareInItsPlace) {
  refuses_ = [](const rte_mbuf&) { return true; };
  std::vector<rte_mbuf*> packets{plain(), super(), plain()};
  EXPECT_EQ(send(packets), 3);
  EXPECT_EQ(sent_lengths(), (std::vector<uint32_t>{kPlain, kPiece, kPiece, kPiece, kPlain}));
  for (const rte_mbuf* packet : sent_) EXPECT_FALSE(has_open_request(*packet));
  EXPECT_EQ(transmit_.lost(), 0U);
}

TEST_F(EthTransmitTest, SharedDataIsNotWritten) {
  rte_mbuf* shared = super();
  const Bytes before = bytes_of(*shared);
  rte_mbuf_refcnt_update(shared, 1);
  std::vector<rte_mbuf*> packets{shared};
  EXPECT_EQ(send(packets), 1);
  ASSERT_EQ(sent_.size(), 1U);
  EXPECT_NE(sent_[0], shared);
  EXPECT_EQ(text_of(*shared), text_of(before));
  EXPECT_EQ(rte_mbuf_refcnt_read(shared), 1);
  rte_pktmbuf_free(shared);
}

TEST_F(EthTransmitTest, AFullRingLeavesTheRestToTheCaller) {
  room_ = 2;
  std::vector<rte_mbuf*> packets{plain(), super(1), super(2), plain()};
  EXPECT_EQ(send(packets), 2);
  rte_pktmbuf_free_bulk(&packets[2], 2);
  // The one that the driver refuses stands behind one that finds no room.
  room_ = 0;
  refuses_ = [](const rte_mbuf&) { return true; };
  packets = {plain(), super()};
  EXPECT_EQ(send(packets), 0);
  rte_pktmbuf_free_bulk(packets.data(), 2);
  // No room for some of the pieces: they are lost, and counted.
  room_ = 1;
  packets = {super()};
  EXPECT_EQ(send(packets), 1);
  EXPECT_EQ(transmit_.lost(), 2U);
}

}  // namespace
}  // namespace podswitch::test
