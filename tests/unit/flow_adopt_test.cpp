// SPDX-License-Identifier: Apache-2.0
// A flow table in the memory that another one has left behind, whole or damaged.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "pmd/flow_memory.h"
#include "tests/unit/flow_checker.h"
#include "tests/unit/packet_builder.h"

namespace podswitch::test {
namespace {

constexpr uint16_t kNetwork = 1;

NewFlow flow_of(uint16_t port, bool is_v6) {
  const auto ip = [&](std::string_view v4, std::string_view v6) {
    return *IpAddress::parse(is_v6 ? v6 : v4);
  };
  const IpAddress client = ip("10.1.0.1", "fd00:1::1");
  return {FlowKey::of(client, port, ip("10.96.0.1", "fd00:96::1"), 80, net::kProtoTcp, kNetwork),
          FlowKey::of(ip("10.1.0.3", "fd00:1::3"), 8080, client, port, net::kProtoTcp, kNetwork), 5,
          FlowState::TcpEstablished};
}

class FlowAdoptTest : public testing::Test {
 protected:
  static constexpr uint16_t kFlows = 600;
  // As a daemon does that ends in the midst of its work: places are in its workers' caches.
  FlowAdoptTest() {
    FlowTable former(memory_.table(), {.capacity = kMinFlows}, memory_.hash());
    FlowWorker worker;
    for (uint16_t i = 0; i < kFlows; ++i)
      EXPECT_EQ(former.insert(flow_of(2000 + i, i % 3 == 0), 100, worker).outcome,
                FlowTable::Outcome::Inserted);
  }
  std::span<FlowRecord> records() {
    return {reinterpret_cast<FlowRecord*>(memory_.table().data() + FlowTable::memory_bytes(kMinFlows) -
                                          kMinFlows * (sizeof(FlowRecord) + sizeof(FlowAddresses))),
            kMinFlows};
  }

  FlowMemory memory_{"", kMinFlows, false};
  FlowTable flows_{memory_.table(), {.capacity = kMinFlows}, memory_.hash()};
};

TEST_F(FlowAdoptTest, AllFlowsGoOnWithTheirStatesAndOnTheNewClock) {
  EXPECT_EQ(flows_.adopt(50, kNetwork), kFlows);
  for (uint16_t i = 0; i < kFlows; ++i) {
    const NewFlow flow = flow_of(2000 + i, i % 3 == 0);
    const auto found = flows_.find(flows_.hash(flow.reply), flow.reply);
    ASSERT_TRUE(found);
    const auto entry = flows_.read(found.slot, 157);
    ASSERT_TRUE(entry);
    EXPECT_TRUE(entry->original == flow.original);
    EXPECT_EQ(entry->state, FlowState::TcpEstablished);
    EXPECT_EQ(entry->idle_seconds, 7u);
  }
  EXPECT_EQ(FlowChecker(memory_.table(), flows_).defect(0), "");
}

TEST_F(FlowAdoptTest, AnotherNetworksFlowsAreLeftBehind) {
  EXPECT_EQ(flows_.adopt(0, kNetwork + 1), 0u);
  EXPECT_EQ(FlowChecker(memory_.table(), flows_).defect(0), "");
}

TEST_F(FlowAdoptTest, WhatCannotBeIsDroppedAndTheRestIsKept) {
  std::vector<FlowRecord*> v4;
  for (FlowRecord& record : records())
    if (record.activity != 0 && (record.kind & FlowScope::kV6) == 0) v4.push_back(&record);
  v4[0]->sequence.fetch_add(1);                                   // being written
  v4[1]->activity.store(flow::activity_of(FlowState::Count, 1));  // no such state
  v4[2]->activity.fetch_or(flow::kPending);                       // half inserted
  v4[3]->original.store(v4[4]->original);                         // somebody else's tuple
  v4[3]->ports.store(v4[4]->ports);
  v4[5]->reply.store(v4[5]->original);  // answers itself
  v4[5]->ports.store(uint64_t{7} << 32 | 7);
  v4[6]->activity.store(flow::activity_of(FlowState::UdpReplied, 100));  // TCP has no such state
  EXPECT_EQ(flows_.adopt(0, kNetwork), kFlows - 6u);
  EXPECT_EQ(FlowChecker(memory_.table(), flows_).defect(0), "");
}

TEST_F(FlowAdoptTest, RandomBytesDoNoHarm) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 30; ++round) {
    const std::span<std::byte> memory = memory_.table();
    for (int i = 0; i < 2000; ++i) memory[random() % memory.size()] = static_cast<std::byte>(random());
    // Whole records, most of whose words would do.
    for (int i = 0; i < 100; ++i) {
      FlowRecord& record = records()[random() % kMinFlows];
      record.sequence.store(static_cast<uint32_t>(random()));
      record.kind.store(FlowScope::make(6, random() % 2 == 0, kNetwork) | random() << 32);
      record.activity.store(random() & 0x1f'ffff'ffff);
      record.ports.store(random());
      record.service.store(static_cast<uint32_t>(random()));
      record.hops[0].store(random());
    }
    FlowTable flows(memory, {.capacity = kMinFlows}, memory_.hash());
    const size_t kept = flows.adopt(static_cast<uint32_t>(random()), kNetwork);
    EXPECT_EQ(flows.taken(), kept);
    ASSERT_EQ(FlowChecker(memory, flows).defect(0), "") << round;
    FlowWorker worker;
    for (uint16_t i = 0; i < 200; ++i) (void)flows.insert(flow_of(2000 + i, i % 3 == 0), 100, worker);
  }
}

}  // namespace
}  // namespace podswitch::test
