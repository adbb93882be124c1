// SPDX-License-Identifier: Apache-2.0
#include "pmd/publisher.h"

#include <cstdlib>
#include <new>

namespace podswitch {

Publisher::Publisher(unsigned workers) {
  const size_t bytes = rte_rcu_qsbr_get_memsize(workers);
  qsbr_ = static_cast<rte_rcu_qsbr*>(
      std::aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(bytes, RTE_CACHE_LINE_SIZE)));
  if (qsbr_ == nullptr) throw std::bad_alloc();
  rte_rcu_qsbr_init(qsbr_, workers);
  for (unsigned i = 0; i < workers; ++i) rte_rcu_qsbr_thread_register(qsbr_, i);
}

Publisher::~Publisher() {
  delete current_.load();
  std::free(qsbr_);
}

}  // namespace podswitch
