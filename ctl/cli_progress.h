// SPDX-License-Identifier: Apache-2.0
// Says on standard error how far a long transaction is. The command line's only thread.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string_view>

namespace podswitch {

class Progress {
 public:
  explicit Progress(std::string_view what) : what_(what) {}

  void count() {
    ++count_;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    fmt::print(stderr, "podswitch: {} {} sent\n", count_, what_);
    next_ = now + std::chrono::seconds(1);
  }
  // All are sent, and the answer takes long.
  void wait() const {
    if (std::chrono::steady_clock::now() >= next_)
      fmt::print(stderr, "podswitch: all {} {} sent, waiting for the switch\n", count_, what_);
  }

 private:
  std::string_view what_;
  size_t count_ = 0;
  std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now() + std::chrono::seconds(2);
};

}  // namespace podswitch
