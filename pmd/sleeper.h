// SPDX-License-Identifier: Apache-2.0
// How a worker sleeps: in epoll on its queues' wake sources and on an eventfd for publications. Used by
// the worker alone, but for wake() and is_asleep().
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "pmd/revision.h"

namespace podswitch {

class Sleeper {
 public:
  Sleeper();
  ~Sleeper();
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  // Asks every queue to notify. The worker polls once more after it.
  void arm(const WorkerView& view, uint64_t revision) noexcept;
  // Until a packet, wake(), or, while some port is up that cannot wake us, for a short time.
  void sleep() noexcept;
  void disarm(const WorkerView& view) noexcept;

  void wake() noexcept;
  bool is_asleep() const noexcept { return asleep_.load(std::memory_order_relaxed); }

 private:
  void watch(size_t slot, const WakeSource& source) noexcept;

  int epoll_fd_;
  int event_fd_;
  std::vector<WakeSource> watched_;  // by position in the view
  uint64_t watched_revision_ = 0;
  bool must_poll_ = false;
  std::atomic<bool> asleep_{false};
};

}  // namespace podswitch
