// SPDX-License-Identifier: Apache-2.0
// Which of its receive queues a worker polls when. Queues that bring packets are hot and polled in every
// round. One that has brought none for a while is cold: while there are packets, cold queues are polled in
// turns, one for every few packets, so that many idle ports take a small, fixed share of a busy worker's
// time. A round in which hot queues bring nothing polls all. Made by the configuration thread, then used
// by one worker alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>

#include "pmd/own_lines.h"

namespace podswitch {

class alignas(kCacheLine) PollOrder {
 public:
  static constexpr uint8_t kPatience = 64;        // empty polls until a queue is cold
  static constexpr uint32_t kPacketsPerLook = 4;  // packets for which one cold queue is polled
  static constexpr uint32_t kMostRounds = 64;     // until each cold queue had its turn

  PollOrder() = default;
  explicit PollOrder(uint16_t queues) : order_(queues), empty_polls_(queues), hot_(queues) {
    std::iota(order_.begin(), order_.end(), uint16_t{0});
  }

  // `poll(i)` polls queue i of those the constructor was told of and returns how many packets came.
  // Returns the sum.
  template <typename Poll>
  uint32_t round(Poll&& poll) noexcept {
    uint32_t packets = 0;
    for (uint16_t place = 0; place < hot_;) {
      const uint16_t queue = order_[place];
      const uint32_t count = poll(queue);
      packets += count;
      if (count != 0)
        empty_polls_[queue] = 0;
      else if (++empty_polls_[queue] == kPatience) {
        std::swap(order_[place], order_[--hot_]);
        continue;
      }
      ++place;
    }
    const auto cold = static_cast<uint32_t>(order_.size() - hot_);
    const uint32_t looks =
        packets == 0 ? cold : std::min(cold, std::max(packets / kPacketsPerLook, cold / kMostRounds) + 1);
    for (uint32_t i = 0; i < looks; ++i) packets += look(poll);
    return packets;
  }

 private:
  // Polls the next cold queue.
  template <typename Poll>
  uint32_t look(Poll&& poll) noexcept {
    if (cursor_ < hot_ || cursor_ >= order_.size()) cursor_ = hot_;
    const uint16_t queue = order_[cursor_];
    const uint32_t count = poll(queue);
    if (count != 0) {
      empty_polls_[queue] = 0;
      std::swap(order_[cursor_], order_[hot_++]);
    }
    ++cursor_;
    return count;
  }

  OwnVector<uint16_t> order_;  // the hot ones first
  OwnVector<uint8_t> empty_polls_;
  uint16_t hot_ = 0;
  size_t cursor_ = 0;  // the place of the cold queue that is next
};

}  // namespace podswitch
