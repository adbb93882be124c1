// SPDX-License-Identifier: Apache-2.0
#include "pmd/af_xdp_pool.h"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_memzone.h>

#include <atomic>
#include <mutex>
#include <vector>

#include "pmd/error.h"

namespace podswitch {
namespace {

constexpr uint32_t kPage = 4096;
constexpr uint32_t kObjectHeader = 64;  // rte_mempool's, aligned to a cache line
constexpr uint32_t kElement = kPage - kObjectHeader;
constexpr uint16_t kRoom = kElement - sizeof(rte_mbuf);
constexpr uint32_t kKernelHeadroom = 256;  // XDP_PACKET_HEADROOM
constexpr unsigned kFillBuffers = 2048;    // XSK_RING_CONS__DEFAULT_NUM_DESCS; the driver never frees them
constexpr unsigned kFlags = RTE_MEMPOOL_F_NO_SPREAD;

struct Retired {
  rte_mempool* pool;
  const rte_memzone* zone;
  unsigned never_returned;
};
std::mutex g_retired_mutex;
std::vector<Retired> g_retired;

void release(rte_mempool* pool, const rte_memzone* zone) {
  rte_mempool_free(pool);
  rte_memzone_free(zone);
}

void populate(rte_mempool* pool, const rte_memzone* zone, const std::string& name) {
  rte_pktmbuf_pool_private settings{};
  settings.mbuf_data_room_size = kRoom;
  check(rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), nullptr), name);
  rte_pktmbuf_pool_init(pool, &settings);
  const int buffers = check(rte_mempool_populate_virt(pool, static_cast<char*>(zone->addr), zone->len,
                                                      zone->hugepage_sz, nullptr, nullptr),
                            name + ": lay out buffers");
  if (static_cast<unsigned>(buffers) != pool->size)
    throw Error("", fmt::format("{}: {} of {} buffers fit", name, buffers, pool->size));
  rte_mempool_obj_iter(pool, rte_pktmbuf_init, nullptr);
}

}  // namespace

AfXdpPool::AfXdpPool(uint16_t queues) : queues_(queues) {
  static std::atomic<unsigned> next{0};
  const std::string name = fmt::format("af_xdp_{}", next++);
  const unsigned buffers = kAfXdpBuffersPerQueue * queues;
  zone_ = rte_memzone_reserve_aligned(name.c_str(), size_t{buffers} * kPage, SOCKET_ID_ANY, 0, kPage);
  if (zone_ == nullptr)
    throw Error("memory.mib",
                fmt::format("an af-xdp port of {} queue(s) needs {} MiB, which are not left: {}", queues,
                            size_t{buffers} * kPage >> 20, rte_strerror(rte_errno)));
  pool_ = rte_mempool_create_empty(name.c_str(), buffers, kElement, 0, sizeof(rte_pktmbuf_pool_private),
                                   SOCKET_ID_ANY, kFlags);
  if (pool_ == nullptr) {
    rte_memzone_free(zone_);
    throw Error("memory.mib", fmt::format("make packet buffers for af-xdp: {}", rte_strerror(rte_errno)));
  }
  try {
    populate(pool_, zone_, name);
  } catch (...) {
    release(pool_, zone_);
    throw;
  }
}

AfXdpPool::~AfXdpPool() {
  const std::scoped_lock lock(g_retired_mutex);
  g_retired.push_back({pool_, zone_, kFillBuffers * queues_});
  std::erase_if(g_retired, [](const Retired& retired) {
    if (rte_mempool_in_use_count(retired.pool) > retired.never_returned) return false;
    release(retired.pool, retired.zone);
    return true;
  });
}

uint32_t AfXdpPool::max_frame() {
  return kRoom - RTE_PKTMBUF_HEADROOM - kKernelHeadroom;
}

}  // namespace podswitch
