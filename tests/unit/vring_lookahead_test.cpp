// SPDX-License-Identifier: Apache-2.0
// What a guest writes into its ring is anything: looking ahead must not follow it out of the guest's memory.
#include "pmd/vring_lookahead.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <memory>

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
      : fd_(memfd_create("guest", MFD_CLOEXEC)),
        regions_(static_cast<rte_vhost_memory*>(
            std::calloc(1, sizeof(rte_vhost_memory) + sizeof(rte_vhost_mem_region)))) {
    EXPECT_EQ(ftruncate(fd_, sizeof(Memory)), 0);
    memory_ = static_cast<Memory*>(mmap(nullptr, sizeof(Memory), PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0));
    regions_->nregions = 1;
    rte_vhost_mem_region& region = regions_->regions[0];
    region.guest_phys_addr = 0x10000;
    region.size = region.mmap_size = sizeof(Memory);
    region.host_user_addr = reinterpret_cast<uint64_t>(memory_);
    region.mmap_addr = memory_;
    region.fd = fd_;
  }
  ~VringLookaheadTest() override {
    munmap(memory_, sizeof(Memory));
    close(fd_);
    std::free(regions_);
  }

  rte_vhost_vring vring(uint16_t size = kSize) {
    rte_vhost_vring result{};
    result.desc = reinterpret_cast<vring_desc*>(memory_->descriptors);
    result.avail = reinterpret_cast<vring_avail*>(memory_->avail);
    result.size = size;
    return result;
  }
  void describe(uint16_t id, uint64_t address) {
    std::memcpy(&memory_->descriptors[id * 16], &address, sizeof address);
  }

  int fd_;
  Memory* memory_ = nullptr;
  rte_vhost_memory* regions_;
};

TEST_F(VringLookaheadTest, CountsAcrossTheWrapOfTheFreeRunningIndex) {
  const VringLookahead ahead(vring(), *regions_);
  memory_->avail[1] = 0xffff;
  EXPECT_EQ(ahead.available(0xfffe), 1);
  EXPECT_EQ(ahead.available(0xffff), 0);
  memory_->avail[1] = 3;
  EXPECT_EQ(ahead.available(0xfffe), 5);
}

// Run under AddressSanitizer by tests/run: every read stays within the ring and the table.
TEST_F(VringLookaheadTest, ReadsNothingOutsideTheRing) {
  const VringLookahead ahead(vring(), *regions_);
  for (uint16_t i = 0; i < kSize; ++i) memory_->avail[2 + i] = 0xfff0 + i;  // ids that do not exist
  for (uint16_t id = 0; id < kSize; ++id) describe(id, id % 2 == 0 ? 0x10000 + id : ~uint64_t{0} - id);
  for (const uint32_t next : {0u, 7u, 0xffffu}) {
    ahead.prefetch_frames(static_cast<uint16_t>(next), 32);
    ahead.prefetch_descriptors(static_cast<uint16_t>(next));
  }
  SUCCEED();
}

// librte_vhost unmaps what it had when a peer sends a new memory table, while workers run.
TEST_F(VringLookaheadTest, OutlivesLibrteVhostsMapping) {
  const VringLookahead ahead(vring(), *regions_);
  ASSERT_TRUE(ahead.is_usable());
  memory_->avail[1] = 5;
  describe(0, 0x10000);
  munmap(memory_, sizeof(Memory));
  EXPECT_EQ(ahead.available(0), 5);
  ahead.prefetch_frames(0, kSize);
  ahead.prefetch_descriptors(0);
}

TEST_F(VringLookaheadTest, IsUnusableWithoutMemory) {
  EXPECT_TRUE(VringLookahead(vring(), *regions_).is_usable());
  regions_->regions[0].size = sizeof(Memory::descriptors);  // the avail ring is not in it
  EXPECT_FALSE(VringLookahead(vring(), *regions_).is_usable());
  regions_->nregions = 0;
  EXPECT_FALSE(VringLookahead(vring(), *regions_).is_usable());
}

}  // namespace
}  // namespace podswitch
