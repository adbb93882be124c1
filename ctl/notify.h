// SPDX-License-Identifier: Apache-2.0
// What systemd is told (sd_notify(3)): ready, stopping, and a watchdog ping for as long as the workers make
// progress. All of it does nothing when systemd did not start us.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace podswitch {

// Main thread.
void notify_ready();
void notify_stopping();

// Pings four times per WatchdogSec= on a thread of its own: the configuration thread may be busy for longer.
// Made and destroyed in main(); `is_healthy` is called on that thread.
class Watchdog {
 public:
  explicit Watchdog(std::function<bool()> is_healthy);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  bool enabled() const { return thread_.joinable(); }

 private:
  void run(std::chrono::microseconds interval);

  const std::function<bool()> is_healthy_;
  std::mutex mutex_;
  std::condition_variable stopping_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace podswitch
