// SPDX-License-Identifier: Apache-2.0
// One flow table and its memory, call by call.
#include "lb/flow_table.h"

#include <gtest/gtest.h>

#include <random>

#include "pmd/flow_memory.h"
#include "tests/unit/flow_checker.h"
#include "tests/unit/packet_builder.h"

namespace podswitch::test {
namespace {

using Outcome = FlowTable::Outcome;

FlowKey key(std::string_view source, uint16_t source_port, std::string_view destination,
            uint16_t destination_port, uint8_t protocol = net::kProtoUdp) {
  return FlowKey::of(*IpAddress::parse(source), source_port, *IpAddress::parse(destination), destination_port,
                     protocol, 1);
}
// A client's flow to a Service with one backend.
NewFlow flow_of(uint16_t client_port, FlowState state = FlowState::UdpUnreplied,
                std::string_view vip = "10.96.0.1") {
  return {key("10.1.0.1", client_port, vip, 53), key("10.1.0.3", 5353, "10.1.0.1", client_port), 7, state};
}

class FlowTableTest : public testing::Test {
 protected:
  FlowTable::Found find(const FlowKey& tuple) { return flows_.find(flows_.hash(tuple), tuple); }
  uint32_t sequence_of(FlowSlot slot) { return flows_.record(slot).sequence.load(); }
  void remove(FlowSlot slot) { ASSERT_TRUE(flows_.remove(slot, sequence_of(slot), worker_.slots)); }
  std::string defect() { return FlowChecker(memory_.table(), flows_).defect(worker_.slots.count.load()); }

  FlowMemory memory_{"", kMinFlows, false};
  FlowTable flows_{memory_.table(), {.capacity = kMinFlows}, memory_.hash()};
  FlowWorker worker_;
};

TEST_F(FlowTableTest, AFlowIsFoundByBothTuplesUntilItIsRemoved) {
  const NewFlow flow = flow_of(4000);
  const auto inserted = flows_.insert(flow, 1, worker_);
  ASSERT_EQ(inserted.outcome, Outcome::Inserted);
  EXPECT_FALSE(inserted.has_other_port);
  EXPECT_EQ(find(flow.original).direction, FlowDirection::Original);
  EXPECT_EQ(find(flow.reply).direction, FlowDirection::Reply);
  EXPECT_TRUE(flows_.translated(find(flow.original)) == flow.reply.reversed());
  EXPECT_TRUE(flows_.translated(find(flow.reply)) == flow.original.reversed());
  EXPECT_EQ(flows_.insert(flow, 1, worker_).outcome, Outcome::Known);
  EXPECT_EQ(defect(), "");
  remove(inserted.slot);
  EXPECT_FALSE(find(flow.original));
  EXPECT_FALSE(find(flow.reply));
  EXPECT_EQ(defect(), "");
}

TEST_F(FlowTableTest, TwoFlowsWhoseAnswersLookAlikeGetDifferentPortsOfTheSameRange) {
  for (const uint16_t port : {300, 800, 40000}) {
    ASSERT_EQ(flows_.insert(flow_of(port), 1, worker_).outcome, Outcome::Inserted);
    const auto second = flows_.insert(flow_of(port, FlowState::UdpUnreplied, "10.96.0.2"), 1, worker_);
    ASSERT_EQ(second.outcome, Outcome::Inserted);
    EXPECT_TRUE(second.has_other_port);
    const uint16_t chosen = flows_.read(second.slot, 1)->reply.destination_port();
    EXPECT_NE(chosen, port);
    EXPECT_EQ(chosen < 512, port < 512);
    EXPECT_EQ(chosen < 1024, port < 1024);
  }
  EXPECT_EQ(defect(), "");
}

TEST_F(FlowTableTest, AnExpiredFlowGivesItsAnswersToTheNextOne) {
  ASSERT_EQ(flows_.insert(flow_of(4000), 1, worker_).outcome, Outcome::Inserted);
  const auto second = flows_.insert(flow_of(4000, FlowState::UdpUnreplied, "10.96.0.2"), 32, worker_);
  ASSERT_EQ(second.outcome, Outcome::Inserted);
  EXPECT_FALSE(second.has_other_port);
  EXPECT_FALSE(find(flow_of(4000).original));
  EXPECT_EQ(defect(), "");
}

TEST_F(FlowTableTest, AFullTableGivesUpUnansweredFlowsAndNoOthers) {
  for (uint16_t i = 0; i < kMinFlows; ++i)
    ASSERT_EQ(flows_
                  .insert(flow_of(1024 + i, i % 2 == 0 ? FlowState::UdpReplied : FlowState::UdpUnreplied),
                          1 + i / 100, worker_)
                  .outcome,
              Outcome::Inserted);
  unsigned evicted = 0;
  for (uint16_t i = 0; i < kMinFlows / 2; ++i)
    evicted +=
        flows_.insert(flow_of(5000 + i, FlowState::UdpReplied), 20, worker_).outcome == Outcome::Evicted;
  EXPECT_EQ(evicted, kMinFlows / 2);
  EXPECT_EQ(flows_.insert(flow_of(9000, FlowState::UdpReplied), 20, worker_).outcome, Outcome::Full);
  for (uint16_t i = 0; i < kMinFlows; ++i) EXPECT_EQ(bool{find(flow_of(1024 + i).original)}, i % 2 == 0) << i;
  EXPECT_EQ(defect(), "");
}

TEST_F(FlowTableTest, AgingForgetsWhatWasSilentForLongerThanItsTimeout) {
  ASSERT_EQ(flows_.insert(flow_of(4000), 10, worker_).outcome, Outcome::Inserted);
  ASSERT_EQ(flows_.insert(flow_of(4001, FlowState::UdpReplied), 10, worker_).outcome, Outcome::Inserted);
  const auto age = [&](uint32_t now) {
    const size_t removed = flows_.age(0, kMinFlows, now, worker_.slots);
    return removed;
  };
  EXPECT_EQ(age(40), 0u);
  EXPECT_EQ(age(41), 1u);
  EXPECT_EQ(age(130), 0u);
  EXPECT_EQ(age(131), 1u);
  EXPECT_EQ(defect(), "");
}

TEST_F(FlowTableTest, ATimeAheadByALittleIsAnotherClocksAndByMuchIsNobodys) {
  EXPECT_FALSE(flows_.is_expired(flow::activity_of(FlowState::UdpUnreplied, 105), 100));
  EXPECT_FALSE(flows_.is_expired(flow::activity_of(FlowState::TcpEstablished, 5), 100));
  EXPECT_FALSE(flows_.is_expired(flow::activity_of(FlowState::TcpEstablished, 0xffff'fff0), 100));
  EXPECT_TRUE(flows_.is_expired(flow::activity_of(FlowState::UdpUnreplied, 1'000'000), 100));
}

TEST_F(FlowTableTest, AWorkerThatIsLateWithItsNextHopHarmsNoFreePlaceAndNoOtherFlow) {
  const auto gone = flows_.insert(flow_of(4000), 1, worker_);
  const FlowTable::Found stale = find(flow_of(4000).original);
  remove(gone.slot);
  flows_.give_back(worker_.slots);
  flows_.set_hop(stale, uint64_t{9} << 32 | 1000);
  EXPECT_EQ(defect(), "");
  FlowSlot reused = kNoFlow;
  for (uint16_t port = 5000; reused != gone.slot; ++port)
    reused = flows_.insert(flow_of(port), 1, worker_).slot;
  flows_.set_hop(stale, uint64_t{9} << 32 | 1000);
  EXPECT_EQ(flows_.record(reused).hops[0].load(), 0u);
}

TEST_F(FlowTableTest, AFlowThatIsNotInPlaceYetIsNotRemovedAndStaysSo) {
  const auto inserted = flows_.insert(flow_of(4000), 1, worker_);
  // As another worker sees it between the two index entries.
  auto& record = const_cast<FlowRecord&>(flows_.record(inserted.slot));
  record.activity.fetch_or(flow::kPending);
  const uint32_t sequence = record.sequence.load();
  EXPECT_FALSE(flows_.remove(inserted.slot, sequence, worker_.slots));
  EXPECT_EQ(record.sequence.load(), sequence);
  const uint64_t seen = record.activity.load();
  flows_.touch(inserted.slot, seen, flow::activity_of(FlowState::UdpReplied, 2));
  EXPECT_EQ(record.activity.load(), flow::activity_of(FlowState::UdpReplied, 2) | flow::kPending);
  record.activity.fetch_and(~flow::kPending);
  EXPECT_EQ(defect(), "");
}

}  // namespace
}  // namespace podswitch::test
