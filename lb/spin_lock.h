// SPDX-License-Identifier: Apache-2.0
// Held for moments: by a worker for one send of a burst to a queue that several share, or while it takes a
// batch of free places for flows. std::atomic rather than rte_spinlock, so that ThreadSanitizer understands
// it.
#pragma once

#include <rte_pause.h>

#include <atomic>

namespace podswitch {

class SpinLock {
 public:
  void lock() noexcept {
    while (held_.exchange(true, std::memory_order_acquire))
      while (held_.load(std::memory_order_relaxed)) rte_pause();
  }
  void unlock() noexcept { held_.store(false, std::memory_order_release); }

 private:
  alignas(64) std::atomic<bool> held_{false};
};

}  // namespace podswitch
