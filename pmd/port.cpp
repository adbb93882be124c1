// SPDX-License-Identifier: Apache-2.0
#include "pmd/port.h"

#include "pmd/log.h"

namespace podswitch {

PortState Port::state() const {
  const std::scoped_lock lock(reason_mutex_);
  return {up_.load(std::memory_order_relaxed), reason_};
}

void Port::set_up() {
  {
    const std::scoped_lock lock(reason_mutex_);
    if (up_.load(std::memory_order_relaxed)) return;
    reason_.clear();
    state_changes_.fetch_add(1, std::memory_order_relaxed);
    up_.store(true, std::memory_order_release);
  }
  log::info("port {}: up", spec_.name);
  host_.wake_workers();
}

void Port::set_down(const std::string& reason) {
  {
    const std::scoped_lock lock(reason_mutex_);
    const bool was_up = up_.load(std::memory_order_relaxed);
    if (!was_up && reason_ == reason) return;
    reason_ = reason;
    if (was_up) state_changes_.fetch_add(1, std::memory_order_relaxed);
    up_.store(false, std::memory_order_release);
  }
  log::info("port {}: down, {}", spec_.name, reason);
}

}  // namespace podswitch
