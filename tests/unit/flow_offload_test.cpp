// SPDX-License-Identifier: Apache-2.0
// What FlowOffload makes of a NIC, told by the model of one.
#include "pmd/flow_offload.h"

#include <gtest/gtest.h>
#include <rte_ethdev.h>

#include <set>

#include "tests/support/flow_model.h"
#include "tests/unit/flow_rig.h"

namespace podswitch::test {
namespace {

constexpr auto kVxlan = net::Encapsulation::Vxlan, kGeneve = net::Encapsulation::Geneve;
const std::vector<std::string> kPeers{"192.0.2.2", "192.0.2.3", "2001:db8::2"};

class FlowOffloadTest : public testing::Test {
 protected:
  static FlowOffload::Device device(uint16_t queues = 4) {
    return {.id = 0, .queues = {queues, RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP}, .driver = "net_model"};
  }
  void offer(const std::optional<TunnelFlows>& flows) {
    offload_.prepare(flows);
    offload_.settle();
  }
  OffloadStatus rss() const { return offload_.status().at(0); }
  OffloadStatus drop() const { return offload_.status().at(1); }
  void refuse(std::initializer_list<FlowFeature> features) {
    for (const FlowFeature feature : features) model_.refused.set(static_cast<size_t>(feature));
  }

  FlowModel model_{4};
  FlowOffload offload_;
  FlowNode node_{kVxlan, kPeers};
};

TEST_F(FlowOffloadTest, PutsBothIntoACapableNic) {
  EXPECT_EQ(drop().reason, "the device does not run");
  offload_.attach(device());
  EXPECT_EQ(drop().reason, "no tunnel ends here");
  offer(node_.flows());
  EXPECT_TRUE(rss().in_nic) << rss().reason;
  EXPECT_EQ(rss().rules, 2U);
  EXPECT_TRUE(drop().in_nic) << drop().reason;
  EXPECT_EQ(drop().rules, 2 * kPeers.size() + 2);
  EXPECT_EQ(drop().packets, 0U);
  EXPECT_EQ(drop().reason, "");
  for (const std::string& peer : kPeers)
    EXPECT_FALSE(model_.receive(tunnel_packet(peer, kVxlan).bytes()).is_dropped) << peer;
  for (const char* stranger : {"192.0.2.9", "2001:db8::9", "198.51.100.2"})
    EXPECT_TRUE(model_.receive(tunnel_packet(stranger, kVxlan).bytes()).is_dropped) << stranger;
  EXPECT_EQ(drop().packets, 3U);
  EXPECT_FALSE(model_.receive(tunnel_packet("192.0.2.9", kGeneve).bytes()).is_dropped);
}

TEST_F(FlowOffloadTest, SpreadsByInnerHeaders) {
  offload_.attach(device());
  for (const auto encapsulation : {kVxlan, kGeneve}) {
    FlowNode node(encapsulation, kPeers);
    offer(node.flows());
    std::set<uint16_t> by_inner, by_outer;
    for (uint16_t i = 0; i < 64; ++i) {
      by_inner.insert(model_.receive(tunnel_packet("192.0.2.2", encapsulation, i).bytes()).queue);
      by_outer.insert(model_.receive(tunnel_packet("192.0.2.2", encapsulation, 9, i).bytes()).queue);
    }
    EXPECT_EQ(by_inner.size(), 4U);
    EXPECT_EQ(by_outer.size(), 1U) << "one inner flow stays on one queue";
  }
}

TEST_F(FlowOffloadTest, OneQueueHasNothingToSpread) {
  offload_.attach(device(1));
  offer(node_.flows());
  EXPECT_FALSE(rss().in_nic);
  EXPECT_EQ(rss().reason, "one queue: there is nothing to spread");
  EXPECT_TRUE(drop().in_nic);
  EXPECT_EQ(drop().rules, kPeers.size() + 2);
}

TEST_F(FlowOffloadTest, SaysInTheDriversWordsWhatItRefuses) {
  offload_.attach(device());
  refuse({FlowFeature::InnerRss});
  offer(node_.flows());
  EXPECT_EQ(rss().reason, "spread tunnels over IPv4: action rss: RSS by inner headers");
  EXPECT_TRUE(drop().in_nic) << "each for itself";
  refuse({FlowFeature::Fragment});
  offer(std::nullopt);
  offer(node_.flows());
  EXPECT_FALSE(drop().in_nic);
  EXPECT_EQ(drop().reason, "drop tunnels to 192.0.2.1: item ipv4: fragment offset");
  EXPECT_EQ(model_.size(), 0U);
  model_.refused.reset();
  refuse({FlowFeature::Priority});
  offer(std::nullopt);
  offer(node_.flows());
  EXPECT_EQ(drop().reason, "drop tunnels to 192.0.2.1: priority 2: no such priority");
}

TEST_F(FlowOffloadTest, DoesWithoutACounterAndWithoutTheSecondLook) {
  offload_.attach(device());
  refuse({FlowFeature::Count, FlowFeature::FragmentExtension});
  offer(node_.flows());
  EXPECT_TRUE(drop().in_nic);
  EXPECT_EQ(drop().packets, std::nullopt);
  EXPECT_EQ(drop().reason, "not counted: drop tunnels to 192.0.2.1: action count: no counters");
}

TEST_F(FlowOffloadTest, CountsOnOverChanges) {
  offload_.attach(device());
  const Bytes stranger = tunnel_packet("192.0.2.9", kVxlan).bytes();
  offer(node_.flows());
  model_.receive(stranger);
  offer(std::nullopt);
  EXPECT_EQ(drop().packets, 1U);
  offer(node_.flows());
  model_.receive(stranger);
  EXPECT_EQ(drop().packets, 2U);
  model_.counts_silently = true;
  EXPECT_EQ(drop().packets, 1U);
}

TEST_F(FlowOffloadTest, FollowsNodesByDifferences) {
  offload_.attach(device());
  offer(node_.flows());
  const unsigned before = model_.creates();
  FlowNode more(kVxlan, {"192.0.2.2", "192.0.2.3", "2001:db8::2", "192.0.2.4"});
  offload_.prepare(more.flows());
  EXPECT_EQ(model_.creates(), before + 2);
  EXPECT_FALSE(model_.receive(tunnel_packet("192.0.2.4", kVxlan).bytes()).is_dropped)
      << "before packets see it";
  offload_.settle();
  FlowNode fewer(kVxlan, {"192.0.2.3", "2001:db8::2", "192.0.2.4"});
  offload_.prepare(fewer.flows());
  EXPECT_FALSE(model_.receive(tunnel_packet("192.0.2.2", kVxlan).bytes()).is_dropped)
      << "packets see it still";
  offload_.settle();
  EXPECT_TRUE(model_.receive(tunnel_packet("192.0.2.2", kVxlan).bytes()).is_dropped);
  EXPECT_EQ(model_.creates(), before + 2);
  offer(fewer.flows());
  EXPECT_EQ(model_.creates(), before + 2);
}

TEST_F(FlowOffloadTest, LeavesManyNodesToSoftware) {
  offload_.attach(device());
  TunnelFlows flows = node_.flows();
  flows.known.clear();
  for (unsigned i = 0; i < 5000; ++i)
    flows.known.push_back(flow_ip("10." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ".1"));
  std::sort(flows.known.begin(), flows.known.end());
  TunnelFlows some = flows;
  some.known.resize(kMaxFlowVteps);
  offer(some);
  EXPECT_TRUE(drop().in_nic);
  EXPECT_EQ(model_.size(), 2 * kMaxFlowVteps + 4);
  offer(flows);
  EXPECT_FALSE(drop().in_nic);
  EXPECT_EQ(drop().reason, "5000 known VTEPs are more than the 1024 that the switch makes rules for");
  EXPECT_TRUE(rss().in_nic);
  EXPECT_EQ(model_.size(), 2U);
  offer(some);
  EXPECT_TRUE(drop().in_nic) << drop().reason;
}

TEST_F(FlowOffloadTest, AFullTableIsSoftwaresAgain) {
  offload_.attach(device());
  model_.capacity = 9;
  offer(node_.flows());
  EXPECT_FALSE(drop().in_nic);
  EXPECT_EQ(drop().reason, "drop tunnels to 2001:db8::1: the table is full");
  EXPECT_TRUE(rss().in_nic);
  EXPECT_EQ(model_.size(), 2U);
  const unsigned before = model_.creates();
  offer(node_.flows());
  EXPECT_EQ(model_.creates(), before) << "not tried again in vain";
  FlowNode fewer(kVxlan, {"192.0.2.2"});
  offer(fewer.flows());
  EXPECT_TRUE(drop().in_nic) << drop().reason;
}

TEST_F(FlowOffloadTest, IsThereAgainAfterTheDeviceStoppedAndStarted) {
  offload_.attach(device());
  offer(node_.flows());
  const std::string rules = model_.dump();
  offload_.detach();
  EXPECT_EQ(model_.size(), 0U);
  EXPECT_TRUE(model_.tunnel_ports().empty());
  EXPECT_EQ(drop().reason, "the device does not run");
  FlowNode other(kVxlan, {"192.0.2.2"});
  offer(other.flows());
  offer(node_.flows());
  offload_.attach(device());
  EXPECT_EQ(model_.dump(), rules);
}

TEST_F(FlowOffloadTest, ADeviceThatStartsWhileARevisionIsPublishedWaitsForIt) {
  offload_.prepare(node_.flows());
  offload_.attach(device());
  EXPECT_EQ(model_.size(), 0U);
  offload_.settle();
  EXPECT_TRUE(drop().in_nic);
}

TEST_F(FlowOffloadTest, WhatCannotBeRemovedOneByOneIsFlushed) {
  offload_.attach(device());
  offer(node_.flows());
  model_.fails_destroy_at = 0;
  offer(std::nullopt);
  EXPECT_EQ(model_.size(), 0U);
  EXPECT_EQ(drop().reason, "no tunnel ends here");
}

TEST_F(FlowOffloadTest, ANicThatDoesNotForgetIsSaidToBeSo) {
  offload_.attach(device());
  offer(node_.flows());
  model_.fails_flush = true;
  offer(std::nullopt);
  EXPECT_EQ(drop().reason,
            "the driver cannot remove its rules, the NIC may still follow them: the NIC is stuck");
  const unsigned before = model_.creates();
  offer(node_.flows());
  EXPECT_EQ(model_.creates(), before) << "hands off";
  model_.fails_flush = false;
  offload_.detach();
  offload_.attach(device());
  EXPECT_NE(drop().reason, "the device does not run");
}

TEST_F(FlowOffloadTest, ATaggedUnderlay) {
  offload_.attach(device());
  FlowNode tagged(kVxlan, kPeers, true);
  offer(tagged.flows());
  const auto with_tag = [](const std::string& source, uint8_t vlan) {
    Bytes frame = tunnel_packet(source, kVxlan).bytes();
    frame.insert(frame.begin() + 12, {0x81, 0x00, 0x60, vlan});
    return frame;
  };
  EXPECT_TRUE(model_.receive(with_tag("192.0.2.9", 5)).is_dropped);
  EXPECT_FALSE(model_.receive(with_tag("192.0.2.2", 5)).is_dropped);
  EXPECT_FALSE(model_.receive(with_tag("192.0.2.9", 6)).is_dropped);
  refuse({FlowFeature::Vlan});
  offer(std::nullopt);
  offer(tagged.flows());
  EXPECT_EQ(drop().reason, "drop tunnels to 192.0.2.1: item vlan: VLAN");
}

TEST(FlowOffload, ADeviceWithoutAFlowEngineSaysSo) {
  FlowOffload offload;
  FlowNode node(kVxlan, kPeers);
  offload.attach({.id = RTE_MAX_ETHPORTS - 1, .queues = {2, RTE_ETH_RSS_IP}, .driver = "net_none"});
  offload.prepare(node.flows());
  offload.settle();
  for (const OffloadStatus& row : offload.status()) {
    EXPECT_FALSE(row.in_nic);
    EXPECT_NE(row.reason.find("No such device"), std::string::npos) << row.reason;
  }
}

}  // namespace
}  // namespace podswitch::test
