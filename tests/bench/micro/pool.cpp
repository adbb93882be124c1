// SPDX-License-Identifier: Apache-2.0
// The packet builder's pool, for this program: as the switch makes its own.
#include "tests/unit/pool.h"

#include <rte_errno.h>

#include <stdexcept>

#include "pmd/eal.h"

namespace podswitch::test {
namespace {

rte_mempool& make() {
  rte_mempool* pool = make_packet_pool("packets", 4095, false);
  if (pool == nullptr) throw std::runtime_error(rte_strerror(rte_errno));
  return *pool;
}

}  // namespace

rte_mempool& packet_pool() {
  static rte_mempool& pool = make();
  return pool;
}

}  // namespace podswitch::test
