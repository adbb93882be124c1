// SPDX-License-Identifier: Apache-2.0
#include "pmd/transmitter.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "switch/net/headers.h"
#include "tests/unit/fake_port.h"
#include "tests/unit/packet_builder.h"
#include "tests/unit/provoked.h"

namespace podswitch {
namespace {

// Three ports of one network: 0 and 1 untagged, 2 a trunk with VLAN 0's traffic tagged as 7.
class TransmitterTest : public testing::Test {
 protected:
  TransmitterTest()
      : counters_(std::make_unique<PortCounterTable>()),
        transmitter_(test::packet_pool(), *counters_, ip_ids_) {
    std::vector<BridgePort> ports{{.id = 0}, {.id = 1}, {.id = 2}};
    for (BridgePort& port : ports) port.vlan = {VlanMode::Access, 7, {}};
    ports[2].vlan = {VlanMode::Trunk, 0, {7}};
    snapshot_ = compile_snapshot(ports, {}, {}, fids_);
    view_.routes.resize(kMaxPorts);
    for (FakePort* port : {&a_, &b_, &c_}) view_.routes[port->id()] = {port, nullptr, 0};
  }

  static rte_mbuf* frame(uint16_t length = 100, uint8_t fill = 0) {
    rte_mbuf* packet = rte_pktmbuf_alloc(&test::packet_pool());
    std::memset(rte_pktmbuf_append(packet, length), fill, length);
    packet->port = 0;
    return packet;
  }
  Burst burst_of(Verdict verdict, PortId out, uint16_t count) {
    Burst burst;
    burst.in_port = 0;
    burst.count = count;
    for (uint16_t i = 0; i < count; ++i) {
      burst.packets[i] = frame();
      burst.meta[i] = {};
      burst.meta[i].verdict = verdict;
      burst.meta[i].out_port = out;
      burst.meta[i].fid = snapshot_->ports[0].fid;
      burst.meta[i].reason = DropReason::GuardMac;
    }
    return burst;
  }
  void run(Burst burst) {
    transmitter_.hand_on(burst, view_, *snapshot_);
    transmitter_.flush(view_);
  }
  uint64_t dropped(DropReason reason, PortId port = 0) const {
    const uint64_t packets = (*counters_)[port].reasons[static_cast<size_t>(reason)].get();
    if (packets != 0) test::provoked_reasons().insert(reason);
    return packets;
  }

  FakeHost host_;
  FakePort a_{0, host_}, b_{1, host_}, c_{2, host_};
  FidMap fids_;
  std::unique_ptr<const Snapshot> snapshot_;
  WorkerView view_;
  std::unique_ptr<PortCounterTable> counters_;
  IpIds ip_ids_;
  Transmitter transmitter_;
};

TEST_F(TransmitterTest, SendsABurstAtOnceAndCountsIt) {
  run(burst_of(Verdict::Forward, 1, 32));
  EXPECT_EQ(b_.sent.size(), 32u);
  EXPECT_EQ(b_.sends, 1u);
  EXPECT_EQ((*counters_)[1].tx_packets.get(), 32u);
  EXPECT_EQ((*counters_)[1].tx_bytes.get(), 3200u);
  run(burst_of(Verdict::Forward, 1, 3));
  EXPECT_EQ(b_.sent.size(), 35u);
}

TEST_F(TransmitterTest, CollectsSeveralBurstsForOnePort) {
  for (int i = 0; i < 4; ++i) {
    Burst burst = burst_of(Verdict::Forward, 1, 5);
    transmitter_.hand_on(burst, view_, *snapshot_);
  }
  EXPECT_EQ(b_.sends, 0u);
  transmitter_.flush(view_);
  EXPECT_EQ(b_.sends, 1u);
  EXPECT_EQ(b_.sent.size(), 20u);
}

TEST_F(TransmitterTest, CountsDropsAtThePortOfOrigin) {
  const unsigned before = rte_mempool_in_use_count(&test::packet_pool());
  run(burst_of(Verdict::Drop, kNoPort, 4));
  EXPECT_EQ(dropped(DropReason::GuardMac), 4u);
  b_.capacity = 2;
  run(burst_of(Verdict::Forward, 1, 5));
  EXPECT_EQ(dropped(DropReason::TxFull), 3u);
  EXPECT_EQ((*counters_)[1].tx_packets.get(), 2u);
  EXPECT_EQ((*counters_)[1].tx_bytes.get(), 200u);
  b_.go_down();
  run(burst_of(Verdict::Forward, 1, 5));
  EXPECT_EQ(dropped(DropReason::PortDown), 5u);
  b_.clear();
  EXPECT_EQ(rte_mempool_in_use_count(&test::packet_pool()), before);
}

TEST_F(TransmitterTest, FloodsToAllOthersAndTagsForTheTrunk) {
  const unsigned before = rte_mempool_in_use_count(&test::packet_pool());
  run(burst_of(Verdict::Flood, kNoPort, 2));
  EXPECT_TRUE(a_.sent.empty());
  ASSERT_EQ(b_.sent.size(), 2u);
  ASSERT_EQ(c_.sent.size(), 2u);
  EXPECT_EQ(b_.sent[0]->pkt_len, 100u);
  EXPECT_EQ(c_.sent[0]->pkt_len, 104u);
  const auto* ether = rte_pktmbuf_mtod(c_.sent[0], const net::EtherHeader*);
  EXPECT_EQ(ether->ether_type.host(), net::kEtherTypeVlan);
  EXPECT_EQ(reinterpret_cast<const net::VlanHeader*>(ether + 1)->tci.host(), 7);
  b_.clear();
  c_.clear();
  EXPECT_EQ(rte_mempool_in_use_count(&test::packet_pool()), before);
}

TEST_F(TransmitterTest, AFloodWithEveryOtherPortDownIsADropThatSaysSo) {
  b_.go_down();
  c_.go_down();
  run(burst_of(Verdict::Flood, kNoPort, 1));
  EXPECT_EQ(dropped(DropReason::PortDown), 1u);
}

TEST_F(TransmitterTest, StraightensAChainForAPortThatTakesNone) {
  b_.caps.multi_segment = false;
  Burst burst = burst_of(Verdict::Forward, 1, 1);
  rte_pktmbuf_chain(burst.packets[0], frame(50, 9));
  run(burst);
  ASSERT_EQ(b_.sent.size(), 1u);
  EXPECT_EQ(b_.sent[0]->nb_segs, 1);
  EXPECT_EQ(b_.sent[0]->data_len, 150);
  EXPECT_EQ(*rte_pktmbuf_mtod_offset(b_.sent[0], const uint8_t*, 149), 9);
}

class UnfinishedPacket : public TransmitterTest {
 protected:
  // Sends `whole` with its checksum left open, cut into a chain behind `first` bytes (0: one buffer).
  void send_open(const test::Packet& whole, uint16_t first) {
    Burst burst;
    burst.in_port = 0;
    burst.count = 1;
    test::Packet open = whole;
    open.partial_checksum();
    rte_mbuf* packet = first == 0 ? open.mbuf().release() : open.mbuf({first}).release();
    packet->port = 0;
    packet->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
    burst.packets[0] = packet;
    burst.meta[0] = {};
    burst.meta[0].l3_offset = sizeof(net::EtherHeader);
    burst.meta[0].ether_type = net::kEtherTypeIpv4;
    ASSERT_TRUE(adopt_offload_request(*packet, burst.meta[0]));
    burst.meta[0].forward(1);
    run(burst);
  }
  test::Bytes sent_bytes() const {
    const auto* data = rte_pktmbuf_mtod(b_.sent.at(0), const uint8_t*);
    return {data, data + b_.sent[0]->data_len};
  }
  const test::Packet head_ =
      test::Packet().eth("02:00:00:00:00:01", "02:00:00:00:00:02").ipv4("10.0.0.1", "10.0.0.2");
};

TEST_F(UnfinishedPacket, AnSctpChecksumIsCompletedForEveryReceiver) {
  const test::Packet whole = test::Packet(head_).sctp(1, 2).payload(64);
  send_open(whole, 0);
  ASSERT_EQ(b_.sent.size(), 1u);
  EXPECT_FALSE(has_open_request(*b_.sent[0]));
  EXPECT_EQ(sent_bytes(), whole.bytes());
}

TEST_F(UnfinishedPacket, AChainThatIsStraightenedIsCompletedToo) {
  b_.caps = {true, false, false, false, false};
  const test::Packet whole = test::Packet(head_).udp(1, 2).payload(200);
  send_open(whole, 100);
  ASSERT_EQ(b_.sent.size(), 1u);
  EXPECT_EQ(b_.sent[0]->nb_segs, 1);
  EXPECT_EQ(sent_bytes(), whole.bytes());
}

// Run under ThreadSanitizer by tests/run: two workers and one queue that does not serialise by itself.
TEST_F(TransmitterTest, TwoWorkersShareAQueueUnderItsLock) {
  SpinLock lock;
  constexpr int kRounds = 500;
  const auto work = [&] {
    auto counters = std::make_unique<PortCounterTable>();
    IpIds ip_ids;
    Transmitter mine(test::packet_pool(), *counters, ip_ids);
    WorkerView view;
    view.routes = view_.routes;
    view.routes[1].lock = &lock;
    for (int i = 0; i < kRounds; ++i) {
      Burst burst = burst_of(Verdict::Forward, 1, 4);
      mine.hand_on(burst, view, *snapshot_);
      mine.flush(view);
    }
    EXPECT_EQ((*counters)[1].tx_packets.get(), 4u * kRounds);
  };
  std::thread other(work);
  work();
  other.join();
  EXPECT_EQ(b_.sent.size(), 8u * kRounds);
}

}  // namespace
}  // namespace podswitch
