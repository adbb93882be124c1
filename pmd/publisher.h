// SPDX-License-Identifier: Apache-2.0
// Hands revisions to the workers (rte_rcu_qsbr): one atomic store; the old one is freed when every worker
// has said that it is between bursts. A worker is offline while it sleeps, so that nobody waits for it.
#pragma once

#include <rte_rcu_qsbr.h>

#include <atomic>
#include <memory>
#include <mutex>

#include "pmd/revision.h"

namespace podswitch {

class Publisher {
 public:
  explicit Publisher(unsigned workers);
  ~Publisher();

  // Configuration thread. Returns after the grace period; the old revision is freed by then.
  template <typename Wake>
  void publish(std::unique_ptr<const Revision> next, Wake&& wake_workers) {
    std::unique_ptr<const Revision> old(current_.exchange(next.release(), std::memory_order_acq_rel));
    wake_workers();
    synchronize();
  }
  // Any thread but a worker: returns when every worker has passed a point between two bursts. As
  // rte_rcu_qsbr_synchronize(), but inline, so that ThreadSanitizer sees what it orders.
  void synchronize() const noexcept { rte_rcu_qsbr_check(qsbr_, rte_rcu_qsbr_start(qsbr_), true); }
  // Valid on a worker until it says quiescent() or offline(); on the configuration thread until publish().
  const Revision* current() const noexcept { return current_.load(std::memory_order_acquire); }

  // Worker `index`.
  void online(unsigned index) const noexcept { rte_rcu_qsbr_thread_online(qsbr_, index); }
  void offline(unsigned index) const noexcept { rte_rcu_qsbr_thread_offline(qsbr_, index); }
  void quiescent(unsigned index) const noexcept { rte_rcu_qsbr_quiescent(qsbr_, index); }

 private:
  rte_rcu_qsbr* qsbr_;
  std::atomic<const Revision*> current_{nullptr};
};

}  // namespace podswitch
