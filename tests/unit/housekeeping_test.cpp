// SPDX-License-Identifier: Apache-2.0
#include "pmd/housekeeping.h"
#include "pmd/flow_memory.h"

#include <gtest/gtest.h>

#include "switch/fragment_table.h"
#include "tests/unit/pool.h"
#include "tests/unit/provoked.h"

namespace podswitch {
namespace {

// A worker that never runs: its ring is filled by the test.
class HousekeepingTest : public testing::Test {
 protected:
  explicit HousekeepingTest(const Fdb::Options& options = {.capacity = 8,
                                                           .port_limit = 5,
                                                           .aging_seconds = 300})
      : fdb_(options), publisher_(1) {
    workers_.push_back(std::make_unique<Worker>(
        Worker::Setup{0, 0, IdlePolicy::Adaptive, publisher_, fdb_, remote_fdb_, neighbours_, link_hosts_,
                      test::packet_pool(), clock_, fragments_, ip_ids_, flows_}));
    housekeeping_ = std::make_unique<Housekeeping>(fdb_, remote_fdb_, neighbours_, options.aging_seconds,
                                                   workers_, clock_, underlay_, publisher_);
  }
  void learn(uint64_t mac, PortId port) {
    ASSERT_TRUE(workers_[0]->learned().push({fdb_key(mac << 8 | 0x02, 1), port}));
  }
  uint64_t noted(DropReason reason, PortId port) {
    housekeeping_->run([&] { housekeeping_->drain_learned(); });
    const uint64_t packets = housekeeping_->counters()[port].reasons[static_cast<size_t>(reason)].get();
    if (packets != 0) test::provoked_reasons().insert(reason);
    return packets;
  }

  Fdb fdb_;
  RemoteFdb remote_fdb_{{.capacity = 8, .vtep_limit = 5}};
  NeighbourTable neighbours_{{.capacity = 8}};
  Publisher publisher_;
  std::atomic<uint32_t> clock_{1};
  FragmentTable fragments_{{.capacity = 1}};
  FlowMemory flow_memory_{"", kMinFlows, false};
  FlowTable flows_{flow_memory_.table(), {.capacity = kMinFlows}, flow_memory_.hash()};
  std::atomic<uint32_t> ip_ids_{0};
  std::vector<std::unique_ptr<Worker>> workers_;
  NeighbourTable link_hosts_{{.capacity = 1}};
  NextHopTable next_hops_;
  Underlay underlay_{next_hops_, link_hosts_, test::packet_pool(), [](PortId, rte_mbuf*) {}};
  std::unique_ptr<Housekeeping> housekeeping_;
};

TEST_F(HousekeepingTest, WritesWhatWorkersPost) {
  learn(1, 3);
  EXPECT_EQ(noted(DropReason::FdbFull, 3), 0u);
  EXPECT_EQ(fdb_.find(fdb_key(0x102, 1)).port(), 3);
}

TEST_F(HousekeepingTest, SaysHowManyWereNew) {
  learn(1, 3);
  learn(2, 3);
  learn(2, 3);
  size_t stored = 0;
  housekeeping_->run([&] { stored = housekeeping_->drain_learned(); });
  // The thread's own tick may have come first.
  EXPECT_LE(stored, 2u);
  EXPECT_EQ(fdb_.size(), 2u);
  learn(2, 3);
  housekeeping_->run([&] { stored = housekeeping_->drain_learned(); });
  EXPECT_EQ(stored, 0u);
}

TEST_F(HousekeepingTest, CountsWhatItCouldNotLearnAtThePort) {
  for (uint64_t mac = 1; mac <= 7; ++mac) learn(mac, 3);
  EXPECT_EQ(noted(DropReason::FdbPortLimit, 3), 2u);
  for (uint64_t mac = 11; mac <= 15; ++mac) learn(mac, 4);
  EXPECT_EQ(noted(DropReason::FdbFull, 4), 2u);
  EXPECT_EQ(noted(DropReason::FdbPortLimit, 4), 0u);
}

// Live migration: who is seen behind a VTEP is not at a port any more, and the other way round.
TEST_F(HousekeepingTest, KnowsAMacInOnePlace) {
  const uint64_t key = fdb_key(0x102, 1);
  const auto post = [&](const LearnEvent& event) {
    ASSERT_TRUE(workers_[0]->learned().push(event));
    housekeeping_->run([&] { housekeeping_->drain_learned(); });
  };
  const auto is_here = [&] { return static_cast<bool>(fdb_.find(key)); };
  const auto is_there = [&] { return static_cast<bool>(remote_fdb_.find(key)); };
  post({key, 3});
  post({key, 9, 77});
  EXPECT_TRUE(!is_here() && is_there());
  EXPECT_EQ(remote_fdb_.find(key).hop(), 77u);
  post({key, 3});
  EXPECT_TRUE(is_here() && !is_there());
  // A pod keeps its MAC, and so does what the operator put elsewhere.
  housekeeping_->run([&] { fdb_.add_static(key, 3); });
  post({key, 9, 77});
  EXPECT_TRUE(is_here() && !is_there());
  housekeeping_->run([&] {
    fdb_.remove(key);
    remote_fdb_.add_static(key, 77);
  });
  post({key, 3});
  EXPECT_TRUE(!is_here() && is_there());
  // What does not fit is noted at the uplink.
  for (uint64_t mac = 1; mac <= 6; ++mac) post({fdb_key(mac << 8, 1), 9, 78});
  EXPECT_EQ(noted(DropReason::FdbPortLimit, 9), 1u);
}

}  // namespace
}  // namespace podswitch
