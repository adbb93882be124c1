// SPDX-License-Identifier: Apache-2.0
// How much of a table to look at now, so that all of it has its turn once in every round, and no look is long
// however large the table is. Arithmetic only; one thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace podswitch {

class AgingPace {
 public:
  using Duration = std::chrono::nanoseconds;

  // `tick` is how often due() is asked for, about. `round` is positive, and at most 10 s for 2^29 buckets.
  AgingPace(size_t buckets, Duration round, Duration tick)
      : buckets_(buckets),
        round_(static_cast<uint64_t>(round.count())),
        most_(std::max<size_t>(1, kCatchUp * buckets * static_cast<uint64_t>(tick.count()) / round_)) {}

  // Buckets to look at, `elapsed` after the last call. Who comes late makes up for it, by a few ticks' worth
  // at a time.
  size_t due(Duration elapsed) noexcept {
    const auto passed = std::min(static_cast<uint64_t>(elapsed.count()), round_);
    fraction_ += passed * buckets_;
    // More than all of them would be looked at twice.
    owed_ = std::min(owed_ + fraction_ / round_, buckets_);
    fraction_ %= round_;
    const size_t now = std::min(owed_, most_);
    owed_ -= now;
    return now;
  }

 private:
  static constexpr size_t kCatchUp = 4;

  size_t buckets_;
  uint64_t round_;  // ns
  size_t most_;     // of one call
  size_t owed_ = 0;
  uint64_t fraction_ = 0;  // of a bucket, in 1 / round_
};

}  // namespace podswitch
