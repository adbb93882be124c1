// SPDX-License-Identifier: Apache-2.0
// The packet buffers of one AF_XDP port. The driver hands the pool's memory to the kernel and asks more of
// it than of other pools: one range, and no buffer across a page. So each buffer is one page here, which
// is right with and without hugepages. Configuration or housekeeping thread.
#pragma once

#include <rte_mempool.h>
#include <rte_memzone.h>

#include <cstdint>

namespace podswitch {

// The fill ring holds 2,048 buffers for good; the rest are on their way through the switch or being sent.
inline constexpr unsigned kAfXdpBuffersPerQueue = 4096;
inline constexpr uint16_t kAfXdpRing = 1024;

class AfXdpPool {
 public:
  explicit AfXdpPool(uint16_t queues);  // throws Error
  // When the port is closed. Another device may still be sending some of the buffers: then the memory is
  // kept, and looked at again when the next pool goes.
  ~AfXdpPool();
  AfXdpPool(const AfXdpPool&) = delete;
  AfXdpPool& operator=(const AfXdpPool&) = delete;

  rte_mempool& pool() { return *pool_; }
  // The longest frame that fits.
  static uint32_t max_frame();

 private:
  rte_mempool* pool_ = nullptr;
  const rte_memzone* zone_ = nullptr;
  uint16_t queues_;
};

}  // namespace podswitch
