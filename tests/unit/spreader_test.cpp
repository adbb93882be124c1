// SPDX-License-Identifier: Apache-2.0
// Which flow is whose, and the stage: one thread at a time, and two receivers in threads of their own while
// flows move at random.
#include "switch/spreader.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "switch/stages/stages.h"
#include "tests/unit/provoked.h"
#include "tests/unit/spread_rig.h"

namespace podswitch::test {
namespace {

constexpr PortId kPod = 1;

std::unique_ptr<const Snapshot> snapshot() {
  FidMap fids;
  return compile_snapshot(
      {{.id = kPod}, {.id = kUplink, .network = "underlay", .allow_spoofing = true, .is_uplink = true}}, {},
      {}, fids);
}

class SpreadStage : public testing::Test {
 protected:
  explicit SpreadStage(unsigned others = 2) : mesh_(others) { local_.spreader = mesh_.spreader.get(); }

  // One burst of the flows given, run through the stage. What is left of it.
  Burst& spread(const std::vector<uint32_t>& flows) {
    burst_.in_port = kUplink;
    burst_.count = 0;
    for (const uint32_t flow : flows) {
      packets_.push_back(inner(flow).mbuf());
      burst_.packets[burst_.count] = packets_.back().get();
      burst_.meta[burst_.count++] = decapsulated(*packets_.back());
    }
    stages::spread(burst_, *snapshot_, local_);
    return burst_;
  }
  uint16_t share_of_flow(uint32_t flow) { return share_of(*inner(flow).mbuf()); }
  void give(uint32_t flow, uint16_t worker) { mesh_.spreader->want(share_of_flow(flow), worker); }
  uint16_t taken_by(unsigned worker) {
    std::array<HandedOver, kBurstSize> got;
    return mesh_.ring(worker).take(got.data(), kBurstSize);
  }

  std::unique_ptr<const Snapshot> snapshot_ = test::snapshot();
  Mesh mesh_;
  Local local_;
  Burst burst_;
  std::vector<PacketPtr> packets_;
};

TEST_F(SpreadStage, KeepsAllUntilToldOtherwise) {
  EXPECT_EQ(spread({1, 2, 3}).count, 3);
  EXPECT_FALSE(mesh_.spreader->is_active());
  local_.spreader = nullptr;
  EXPECT_EQ(spread({1, 2, 3}).count, 3);
}

TEST_F(SpreadStage, GivesFlowsAwayAndKeepsTheOrderOfTheRest) {
  ASSERT_NE(share_of_flow(1), share_of_flow(2));
  give(1, 1);
  const Burst& rest = spread({2, 1, 3, 1, 4});
  ASSERT_EQ(rest.count, 3);
  EXPECT_EQ(rest.packets[0], packets_[0].get());
  EXPECT_EQ(rest.packets[1], packets_[2].get());
  EXPECT_EQ(rest.packets[2], packets_[4].get());
  EXPECT_EQ(taken_by(1), 2);
  EXPECT_EQ(mesh_.spreader->handed_over(), 2u);
}

TEST_F(SpreadStage, LeavesTheUnderlaysOwnPacketsAlone) {
  give(1, 1);
  packets_.push_back(inner(1).mbuf());
  burst_.count = 1;
  burst_.packets[0] = packets_[0].get();
  for (const Verdict verdict : {Verdict::Undecided, Verdict::Drop}) {
    burst_.meta[0] = decapsulated(*packets_[0]);
    burst_.meta[0].verdict = verdict;
    stages::spread(burst_, *snapshot_, local_);
    EXPECT_EQ(burst_.count, 1);
  }
}

TEST_F(SpreadStage, MovesAFlowOnlyWhenItsPacketsHaveBeenSent) {
  give(1, 1);
  spread({1, 1});
  give(1, 2);
  EXPECT_EQ(spread({1}).count, 0);
  EXPECT_EQ(taken_by(1), 3);
  spread({1});  // taken is not sent
  EXPECT_EQ(taken_by(1), 1);
  EXPECT_EQ(taken_by(2), 0);
  mesh_.ring(1).finish();
  spread({1});
  EXPECT_EQ(taken_by(2), 1);
  give(1, kSelf);
  mesh_.ring(2).finish();
  EXPECT_TRUE(mesh_.spreader->is_active());
  mesh_.spreader->settle();
  EXPECT_FALSE(mesh_.spreader->is_active());
  EXPECT_EQ(spread({1}).count, 1);
}

TEST_F(SpreadStage, DropsWhatDoesNotFit) {
  give(1, 1);
  size_t refused = 0;
  for (size_t i = 0; i <= HandOverRing::kCapacity; ++i) {
    const Burst& rest = spread({1});
    if (rest.count == 0) continue;
    ++refused;
    ASSERT_EQ(rest.meta[0].verdict, Verdict::Drop);
    EXPECT_EQ(rest.meta[0].reason, DropReason::HandOverRefused);
    provoked_reasons().insert(rest.meta[0].reason);
  }
  EXPECT_EQ(refused, 1u);
  EXPECT_TRUE(mesh_.spreader->take_overflowed(1));
  EXPECT_FALSE(mesh_.spreader->take_overflowed(1));
}

TEST_F(SpreadStage, TakesAFlowFromACrowdedWorkerAtOnce) {
  give(1, 1);
  spread({1});
  mesh_.spreader->set_crowded(1, true);
  EXPECT_EQ(spread({1}).count, 0);  // but only what is to leave
  give(1, kSelf);
  EXPECT_EQ(spread({1}).meta[0].verdict, Verdict::Drop);
  EXPECT_EQ(taken_by(1), 2);
  mesh_.ring(1).finish();
  const Burst& rest = spread({1});
  ASSERT_EQ(rest.count, 1);
  EXPECT_EQ(rest.meta[0].verdict, Verdict::Route);
}

TEST_F(SpreadStage, SaysWhomToWakeOnce) {
  give(1, 1);
  std::set<uint16_t> woken;
  const auto collect = [&](uint16_t worker) noexcept { woken.insert(worker); };
  spread({1});
  mesh_.spreader->wake_receivers(collect);
  EXPECT_TRUE(woken.empty());
  ASSERT_TRUE(mesh_.bell(1).answer());
  mesh_.bell(1).arm();
  spread({1});
  mesh_.spreader->wake_receivers(collect);
  EXPECT_EQ(woken, std::set<uint16_t>{1});
  woken.clear();
  mesh_.spreader->wake_receivers(collect);
  EXPECT_TRUE(woken.empty());
}

TEST_F(SpreadStage, TheOtherWorkerGoesOnWhereThisOneStopped) {
  give(1, 1);
  spread({1, 1});
  Burst burst;
  ASSERT_EQ(stages::take_over(burst, mesh_.ring(1), *snapshot_), 2);
  EXPECT_EQ(burst.in_port, kUplink);
  EXPECT_EQ(burst.to_route, 2);
  EXPECT_EQ(burst.packets[1], packets_[1].get());
  const PacketMeta& meta = burst.meta[1];
  EXPECT_EQ(meta.verdict, Verdict::Route);
  EXPECT_EQ(meta.fid, 7);
  EXPECT_EQ(meta.ether_type, 0x0800);
  EXPECT_EQ(meta.l3_offset, 14);
  EXPECT_EQ(meta.source, fdb_key(mac("02:00:00:00:00:aa").as_u64(), 7));
  EXPECT_EQ(meta.destination, fdb_key(mac("02:00:00:00:00:bb").as_u64(), 7));
}

TEST_F(SpreadStage, PacketsOfAnUplinkThatHasGoneGoToo) {
  give(1, 1);
  spread({1});
  FidMap fids;
  const auto without = compile_snapshot({{.id = kPod}}, {}, {}, fids);
  Burst burst;
  ASSERT_EQ(stages::take_over(burst, mesh_.ring(1), *without), 1);
  EXPECT_EQ(burst.meta[0].verdict, Verdict::Drop);
  EXPECT_EQ(burst.meta[0].reason, DropReason::HandOverRefused);
}

// Receivers in threads, while shares move at random: no flow overtakes itself, nothing is lost.
TEST_F(SpreadStage, KeepsFlowsInOrderWhileTheyMove) {
  constexpr uint32_t kFlows = 40, kEnough = 100000;
  std::mutex mutex;  // of what follows
  std::vector<rte_mbuf*> free;
  std::array<uint32_t, kFlows> next{};
  uint64_t delivered = 0, overtaken = 0;
  const auto deliver = [&](rte_mbuf* packet) {
    const std::scoped_lock lock(mutex);
    const Numbered got = number_of(*packet);
    overtaken += got.number < next[got.flow] ? 1 : 0;
    next[got.flow] = got.number + 1;
    ++delivered;
    free.push_back(packet);
  };
  std::atomic<bool> stopping{false};
  const auto receive = [&](unsigned worker) {
    Burst burst;
    for (bool last = false; !last;) {
      last = stopping.load();  // and then a last look
      while (stages::take_over(burst, mesh_.ring(worker), *snapshot_) != 0) {
        for (uint16_t i = 0; i < burst.count; ++i) deliver(burst.packets[i]);
        mesh_.ring(worker).finish();
      }
      std::this_thread::yield();
    }
  };
  std::vector<PacketPtr> owners;
  for (int i = 0; i < 2048; ++i) {
    owners.push_back(inner(0).mbuf());
    free.push_back(owners.back().get());
  }
  std::vector<Bytes> frames;
  for (uint32_t flow = 0; flow < kFlows; ++flow) frames.push_back(inner(flow).bytes());
  std::vector<std::thread> receivers;
  for (const unsigned worker : {1, 2}) receivers.emplace_back(receive, worker);

  std::mt19937 random(1);
  const auto any = [&](uint32_t below) { return static_cast<uint32_t>(random() % below); };
  std::array<uint32_t, kFlows> sent{};
  uint64_t offered = 0, refused = 0;
  while (mesh_.spreader->handed_over() < kEnough) {
    // Between two loops.
    if (any(4) == 0)
      mesh_.spreader->want(static_cast<uint16_t>(any(Spreader::kShares)), static_cast<uint16_t>(any(3)));
    if (any(50) == 0)
      for (uint16_t share = 0; share < Spreader::kShares; ++share)
        mesh_.spreader->want(share, static_cast<uint16_t>(any(3)));
    if (any(50) == 0) mesh_.spreader->set_crowded(static_cast<uint16_t>(1 + any(2)), any(2) == 0);
    if (any(200) == 0)
      for (uint16_t share = 0; share < Spreader::kShares; ++share) mesh_.spreader->want(share, kSelf);
    if (any(3) == 0) mesh_.spreader->settle();
    {
      const std::scoped_lock lock(mutex);
      burst_.in_port = kUplink;
      burst_.count = static_cast<uint16_t>(std::min<size_t>(1 + any(kBurstSize), free.size()));
      for (uint16_t i = 0; i < burst_.count; ++i) {
        rte_mbuf* packet = burst_.packets[i] = free.back();
        free.pop_back();
        const uint32_t flow = any(kFlows);
        std::memcpy(rte_pktmbuf_mtod(packet, void*), frames[flow].data(), frames[flow].size());
        set_number(*packet, {flow, sent[flow]++});
        burst_.meta[i] = decapsulated(*packet);
      }
    }
    offered += burst_.count;
    const uint64_t refused_before = refused;
    stages::spread(burst_, *snapshot_, local_);
    for (uint16_t i = 0; i < burst_.count; ++i) {
      if (burst_.meta[i].verdict == Verdict::Route) {
        deliver(burst_.packets[i]);
        continue;
      }
      ++refused;
      const std::scoped_lock lock(mutex);
      free.push_back(burst_.packets[i]);
    }
    if (refused != refused_before) std::this_thread::yield();
  }
  stopping = true;
  for (std::thread& receiver : receivers) receiver.join();
  EXPECT_EQ(overtaken, 0u);
  EXPECT_EQ(delivered + refused, offered);
  EXPECT_EQ(free.size(), owners.size());
}

}  // namespace
}  // namespace podswitch::test
