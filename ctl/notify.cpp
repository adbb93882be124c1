// SPDX-License-Identifier: Apache-2.0
#include "ctl/notify.h"

#include <pthread.h>
#include <systemd/sd-daemon.h>

#include "pmd/log.h"

namespace podswitch {

void notify_ready() {
  sd_notify(0, "READY=1");
}

void notify_stopping() {
  sd_notify(0, "STOPPING=1");
}

Watchdog::Watchdog(std::function<bool()> is_healthy) : is_healthy_(std::move(is_healthy)) {
  uint64_t period_us = 0;
  if (sd_watchdog_enabled(0, &period_us) <= 0) return;
  thread_ = std::thread([this, period_us] { run(std::chrono::microseconds(period_us / 4)); });
}

Watchdog::~Watchdog() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  stopping_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Watchdog::run(std::chrono::microseconds interval) {
  pthread_setname_np(pthread_self(), "watchdog");
  bool was_healthy = true;
  std::unique_lock lock(mutex_);
  while (!stop_) {
    const bool healthy = is_healthy_();
    if (healthy) sd_notify(0, "WATCHDOG=1");
    if (!healthy && was_healthy) log::error("a worker makes no progress: systemd's watchdog is not pinged");
    was_healthy = healthy;
    stopping_.wait_for(lock, interval, [this] { return stop_; });
  }
}

}  // namespace podswitch
