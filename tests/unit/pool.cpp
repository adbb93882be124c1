// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/pool.h"

#include <rte_errno.h>

#include <stdexcept>

namespace podswitch::test {
namespace {

rte_mempool& make(const char* name, unsigned count, uint16_t size) {
  rte_mempool* pool = rte_pktmbuf_pool_create(name, count, 0, 0, RTE_PKTMBUF_HEADROOM + size, SOCKET_ID_ANY);
  if (pool == nullptr) throw std::runtime_error(rte_strerror(rte_errno));
  return *pool;
}

}  // namespace

rte_mempool& packet_pool() {
  static rte_mempool& pool = make("test_packets", 4095, 2048);
  return pool;
}

rte_mempool& small_pool() {
  static rte_mempool& pool = make("test_small", 1023, 256);
  return pool;
}

}  // namespace podswitch::test
