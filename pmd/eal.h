// SPDX-License-Identifier: Apache-2.0
// DPDK's environment: memory, the packet buffer pool, thread registration. Started once, by main().
#pragma once

#include <rte_mempool.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pmd/engine.h"

namespace podswitch {

class Eal {
 public:
  // Throws Error. `instance` keeps several daemons on one machine apart.
  explicit Eal(const EngineOptions& options);
  ~Eal();
  Eal(const Eal&) = delete;
  Eal& operator=(const Eal&) = delete;

  rte_mempool& pool() const { return *pool_; }
  bool hugepages() const { return hugepages_; }
  uint64_t memory_bytes() const { return memory_bytes_; }
  uint32_t buffers() const { return buffers_; }

 private:
  bool hugepages_ = false;
  uint64_t memory_bytes_ = 0;
  uint32_t buffers_ = 0;
  rte_mempool* pool_ = nullptr;
};

// Packet buffers of 128 bytes of headroom and 2,048 of data, in a pool that the caller owns. nullptr: no
// room, rte_errno says more. `hugepages`: whether EAL has them.
rte_mempool* make_packet_pool(const char* name, uint32_t buffers, bool hugepages);

// Pins the calling thread to `core` and gives it an lcore id, so that it has a cache of the pool.
void become_worker_thread(unsigned core, unsigned index);

}  // namespace podswitch
