// SPDX-License-Identifier: Apache-2.0
// The model of a NIC's flow engine is as strict as it is said to be.
#include "tests/support/flow_model.h"

#include <gtest/gtest.h>
#include <rte_ethdev.h>

#include <cstring>

#include "tests/unit/packet_builder.h"

namespace podswitch::test {
namespace {

using Items = std::vector<rte_flow_item>;
using Actions = std::vector<rte_flow_action>;

constexpr rte_flow_item kEth{RTE_FLOW_ITEM_TYPE_ETH, nullptr, nullptr, nullptr};
constexpr rte_flow_item kIp{RTE_FLOW_ITEM_TYPE_IPV4, nullptr, nullptr, nullptr};
constexpr rte_flow_item kUdp{RTE_FLOW_ITEM_TYPE_UDP, nullptr, nullptr, nullptr};
constexpr rte_flow_item kVxlan{RTE_FLOW_ITEM_TYPE_VXLAN, nullptr, nullptr, nullptr};
constexpr rte_flow_item kEnd{RTE_FLOW_ITEM_TYPE_END, nullptr, nullptr, nullptr};
constexpr rte_flow_action kDropIt{RTE_FLOW_ACTION_TYPE_DROP, nullptr};
constexpr rte_flow_action kStop{RTE_FLOW_ACTION_TYPE_END, nullptr};

class FlowModelTest : public testing::Test {
 protected:
  FlowModelTest() { attr_.ingress = 1; }

  // The refusal's message, or nothing.
  std::string why_not(const Items& items, const Actions& actions) {
    rte_flow_error error{};
    if (rte_flow_validate(0, &attr_, items.data(), actions.data(), &error) == 0) return "";
    EXPECT_EQ(rte_flow_create(0, &attr_, items.data(), actions.data(), &error), nullptr);
    return error.message;
  }
  rte_flow* create(const Items& items, const Actions& actions) {
    rte_flow_error error{};
    return rte_flow_create(0, &attr_, items.data(), actions.data(), &error);
  }
  std::string why_not_rss(const rte_flow_action_rss& rss, const Items& items = {kEth, kIp, kEnd}) {
    return why_not(items, {{RTE_FLOW_ACTION_TYPE_RSS, &rss}, kStop});
  }

  FlowModel model_{4};
  rte_flow_attr attr_{};
};

TEST_F(FlowModelTest, WantsAWellFormedPattern) {
  const Actions drop{kDropIt, kStop};
  EXPECT_EQ(why_not({kEth, kIp, kUdp, kVxlan, kEnd}, drop), "");
  EXPECT_EQ(why_not({kEnd}, drop), "an empty pattern matches all");
  EXPECT_EQ(why_not(Items(20, kEth), drop), "out of order");
  EXPECT_EQ(why_not({kEth, kUdp, kEnd}, drop), "out of order");
  EXPECT_EQ(why_not({kIp, kEnd}, drop), "out of order");
  EXPECT_EQ(why_not({kEth, {RTE_FLOW_ITEM_TYPE_TCP, nullptr, nullptr, nullptr}, kEnd}, drop), "unknown item");
  EXPECT_EQ(rte_flow_validate(0, &attr_, nullptr, drop.data(), nullptr), -EINVAL);
}

TEST_F(FlowModelTest, WantsSpecMaskAndLastThatGoTogether) {
  const Actions drop{kDropIt, kStop};
  rte_flow_item_ipv4 spec{}, mask{};
  EXPECT_EQ(why_not({kEth, {RTE_FLOW_ITEM_TYPE_IPV4, nullptr, nullptr, &mask}, kEnd}, drop),
            "last or mask without spec");
  EXPECT_EQ(why_not({kEth, {RTE_FLOW_ITEM_TYPE_IPV4, &spec, &spec, &mask}, kEnd}, drop),
            "ranges are not supported");
  EXPECT_EQ(why_not({kEth, {RTE_FLOW_ITEM_TYPE_IPV4, &spec, nullptr, nullptr}, kEnd}, drop),
            "default masks are not supported");
  const Items all{kEth, {RTE_FLOW_ITEM_TYPE_IPV4, &spec, nullptr, &mask}, kEnd};
  spec.hdr.src_addr = 1;
  EXPECT_EQ(why_not(all, drop), "specified, but not in the mask");
  mask.hdr.src_addr = 0xffffff;
  EXPECT_EQ(why_not(all, drop), "only whole addresses");
  mask.hdr.src_addr = UINT32_MAX;
  EXPECT_EQ(why_not(all, drop), "");
  mask.hdr.time_to_live = 0xff;
  EXPECT_EQ(why_not(all, drop), "unknown IPv4 field");
}

TEST_F(FlowModelTest, WantsOneActionThatDecides) {
  const Items items{kEth, kIp, kEnd};
  const rte_flow_action_count count{};
  const rte_flow_action counted{RTE_FLOW_ACTION_TYPE_COUNT, &count};
  EXPECT_EQ(why_not(items, {counted, kDropIt, kStop}), "");
  EXPECT_EQ(why_not(items, {kStop}), "just one action must decide about the packet");
  EXPECT_EQ(why_not(items, {counted, kStop}), "just one action must decide about the packet");
  EXPECT_EQ(why_not(items, {kDropIt, kDropIt, kStop}), "just one action must decide about the packet");
  EXPECT_EQ(why_not(items, {counted, counted, kDropIt, kStop}), "one counter");
  EXPECT_EQ(why_not(items, {{RTE_FLOW_ACTION_TYPE_PASSTHRU, nullptr}, kStop}), "unknown action");
  const rte_flow_action_queue queue{.index = 4};
  EXPECT_EQ(why_not(items, {{RTE_FLOW_ACTION_TYPE_QUEUE, &queue}, kStop}), "no such queue");
}

TEST_F(FlowModelTest, WantsRssThatTheDeviceCanDo) {
  const std::vector<uint16_t> queues{0, 1, 2, 3}, twice{1, 1}, beyond{4};
  rte_flow_action_rss rss{};
  rss.types = RTE_ETH_RSS_IP;
  rss.queue_num = 4;
  rss.queue = queues.data();
  EXPECT_EQ(why_not_rss(rss), "");
  const auto with = [&](auto change) {
    rte_flow_action_rss other = rss;
    change(other);
    return other;
  };
  EXPECT_EQ(why_not_rss(with([](auto& r) { r.queue_num = 5; })), "queues");
  EXPECT_EQ(why_not_rss(with([](auto& r) { r.queue_num = 0; })), "queues");
  EXPECT_EQ(why_not_rss(with([&](auto& r) { r.queue = twice.data(), r.queue_num = 2; })), "queues");
  EXPECT_EQ(why_not_rss(with([&](auto& r) { r.queue = beyond.data(), r.queue_num = 1; })), "queues");
  EXPECT_EQ(why_not_rss(with([](auto& r) { r.types = 0; })), "types");
  EXPECT_EQ(why_not_rss(with([](auto& r) { r.key_len = 40; })), "key");
  EXPECT_EQ(why_not_rss(with([](auto& r) { r.level = 3; })), "level");
  EXPECT_EQ(why_not_rss(with([](auto& r) { r.level = 2; })), "level 2 of what is no tunnel");
  EXPECT_EQ(why_not_rss(with([](auto& r) { r.level = 2; }), {kEth, kIp, kUdp, kVxlan, kEnd}), "");
}

TEST_F(FlowModelTest, WantsAttributesOfAnIngressRule) {
  const Items items{kEth, kIp, kEnd};
  const Actions drop{kDropIt, kStop};
  attr_.priority = 8;
  EXPECT_EQ(why_not(items, drop), "no such priority");
  attr_ = {};
  EXPECT_EQ(why_not(items, drop), "ingress only");
  attr_.ingress = attr_.egress = 1;
  EXPECT_EQ(why_not(items, drop), "ingress only");
  attr_ = {};
  attr_.ingress = attr_.group = 1;
  EXPECT_EQ(why_not(items, drop), "groups");
}

TEST_F(FlowModelTest, RefusesContradictions) {
  const Actions drop{kDropIt, kStop};
  const rte_flow_action_queue queue{.index = 1};
  const Actions keep{{RTE_FLOW_ACTION_TYPE_QUEUE, &queue}, kStop};
  rte_flow* flow = create({kEth, kIp, kEnd}, drop);
  ASSERT_NE(flow, nullptr);
  EXPECT_EQ(why_not({kEth, kIp, kEnd}, drop), "contradicts another rule") << "the same twice";
  EXPECT_EQ(why_not({kEth, kIp, kUdp, kEnd}, keep), "contradicts another rule");
  EXPECT_EQ(why_not({kEth, {RTE_FLOW_ITEM_TYPE_IPV6, nullptr, nullptr, nullptr}, kEnd}, keep), "");
  attr_.priority = 1;
  EXPECT_EQ(why_not({kEth, kIp, kUdp, kEnd}, keep), "");
  EXPECT_EQ(rte_flow_destroy(0, flow, nullptr), 0);
  EXPECT_EQ(rte_flow_destroy(0, flow, nullptr), -ENOENT);
}

TEST_F(FlowModelTest, FollowsTheRuleOfTheFirstPriority) {
  const Bytes frame = Packet()
                          .eth("02:00:00:00:00:01", "02:00:00:00:00:02")
                          .ipv4("192.0.2.1", "192.0.2.2")
                          .udp(1, 2)
                          .payload(10)
                          .bytes();
  EXPECT_FALSE(model_.receive(frame).is_dropped);
  attr_.priority = 2;
  ASSERT_NE(create({kEth, kIp, kEnd}, {kDropIt, kStop}), nullptr);
  EXPECT_TRUE(model_.receive(frame).is_dropped);
  attr_.priority = 1;
  const rte_flow_action_queue queue{.index = 3};
  ASSERT_NE(create({kEth, kIp, kUdp, kEnd}, {{RTE_FLOW_ACTION_TYPE_QUEUE, &queue}, kStop}), nullptr);
  EXPECT_FALSE(model_.receive(frame).is_dropped);
  EXPECT_EQ(model_.receive(frame).queue, 3);
}

// Microsoft's verification suite for RSS.
TEST(FlowModel, HashesAsNicsDo) {
  const auto hash_of = [](const char* source, uint16_t source_port, const char* destination, uint16_t port) {
    const Bytes frame = Packet()
                            .eth("02:00:00:00:00:01", "02:00:00:00:00:02")
                            .ipv4(source, destination)
                            .tcp(source_port, port)
                            .bytes();
    return rss_hash(read_headers(frame, 0, {}));
  };
  EXPECT_EQ(hash_of("66.9.149.187", 2794, "161.142.100.80", 1766), 0x51ccc178U);
  EXPECT_EQ(hash_of("199.92.111.2", 14230, "65.69.140.83", 4739), 0xc626b0eaU);
}

}  // namespace
}  // namespace podswitch::test
