// SPDX-License-Identifier: Apache-2.0
// What a guest writes into its ring is anything: looking ahead must not follow it out of the guest's memory.
#include "pmd/vring_lookahead.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

namespace podswitch {
namespace {

constexpr uint16_t kSize = 8;

struct Memory {
  alignas(64) uint8_t descriptors[kSize * 16] = {};
  alignas(64) uint16_t avail[2 + kSize] = {};  // flags, index, ring
  uint8_t frames[4096] = {};
};

class VringLookaheadTest : public testing::Test {
 protected:
  VringLookaheadTest()
      : regions_(static_cast<rte_vhost_memory*>(
            std::calloc(1, sizeof(rte_vhost_memory) + sizeof(rte_vhost_mem_region)))) {
    regions_->nregions = 1;
    regions_->regions[0].guest_phys_addr = 0x10000;
    regions_->regions[0].size = sizeof memory_.frames;
    regions_->regions[0].host_user_addr = reinterpret_cast<uint64_t>(memory_.frames);
  }
  ~VringLookaheadTest() override { std::free(regions_); }

  rte_vhost_vring vring(uint16_t size = kSize) {
    rte_vhost_vring result{};
    result.desc = reinterpret_cast<vring_desc*>(memory_.descriptors);
    result.avail = reinterpret_cast<vring_avail*>(memory_.avail);
    result.size = size;
    return result;
  }
  void describe(uint16_t id, uint64_t address) {
    std::memcpy(&memory_.descriptors[id * 16], &address, sizeof address);
  }

  Memory memory_;
  rte_vhost_memory* regions_;
};

TEST_F(VringLookaheadTest, CountsAcrossTheWrapOfTheFreeRunningIndex) {
  const VringLookahead ahead(vring(), *regions_);
  memory_.avail[1] = 0xffff;
  EXPECT_EQ(ahead.available(0xfffe), 1);
  EXPECT_EQ(ahead.available(0xffff), 0);
  memory_.avail[1] = 3;
  EXPECT_EQ(ahead.available(0xfffe), 5);
}

// Run under AddressSanitizer by tests/run: every read stays within the ring and the table.
TEST_F(VringLookaheadTest, ReadsNothingOutsideTheRing) {
  const VringLookahead ahead(vring(), *regions_);
  for (uint16_t i = 0; i < kSize; ++i) memory_.avail[2 + i] = 0xfff0 + i;  // ids that do not exist
  for (uint16_t id = 0; id < kSize; ++id) describe(id, id % 2 == 0 ? 0x10000 + id : ~uint64_t{0} - id);
  for (const uint32_t next : {0u, 7u, 0xffffu}) {
    ahead.prefetch_frames(static_cast<uint16_t>(next), 32);
    ahead.prefetch_descriptors(static_cast<uint16_t>(next));
  }
  SUCCEED();
}

TEST_F(VringLookaheadTest, WithoutMemoryNothingIsLookedFor) {
  regions_->nregions = 0;
  const VringLookahead ahead(vring(), *regions_);
  describe(0, 0);
  ahead.prefetch_frames(0, kSize);
  EXPECT_EQ(ahead.available(0), 0);
}

TEST_F(VringLookaheadTest, KnowsItsVringAgain) {
  const VringLookahead ahead(vring(), *regions_);
  EXPECT_TRUE(ahead.is_same(vring()));
  EXPECT_FALSE(ahead.is_same(vring(kSize / 2)));
  rte_vhost_vring moved = vring();
  moved.avail = reinterpret_cast<vring_avail*>(&memory_.avail[1]);
  EXPECT_FALSE(ahead.is_same(moved));
}

}  // namespace
}  // namespace podswitch
