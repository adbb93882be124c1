// SPDX-License-Identifier: Apache-2.0
#include "pmd/housekeeping.h"

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
    workers_.push_back(std::make_unique<Worker>(Worker::Setup{
        0, 0, IdlePolicy::Adaptive, publisher_, fdb_, test::packet_pool(), clock_, fragments_, ip_ids_}));
    housekeeping_ =
        std::make_unique<Housekeeping>(fdb_, options.aging_seconds, workers_, clock_, underlay_, publisher_);
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
  Publisher publisher_;
  std::atomic<uint32_t> clock_{1};
  FragmentTable fragments_{{.capacity = 1}};
  std::atomic<uint32_t> ip_ids_{0};
  std::vector<std::unique_ptr<Worker>> workers_;
  NextHopTable next_hops_;
  Underlay underlay_{next_hops_, test::packet_pool(), [](PortId, rte_mbuf*) {}};
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

}  // namespace
}  // namespace podswitch
