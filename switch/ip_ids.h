// SPDX-License-Identifier: Apache-2.0
// Identifications of IPv4 packets that somebody on their way may fragment (RFC 6864 section 4.3): no two
// packets of the switch have the same one before all others were used. A worker takes them by the block from
// a counter that all share, so that it is touched seldom. Owned by one worker.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace podswitch {

class IpIds {
 public:
  IpIds() = default;  // take() is not to be called
  // `shared`: of all workers.
  explicit IpIds(std::atomic<uint32_t>& shared) : shared_(&shared) {}

  // The first of `count` in a row.
  uint16_t take(uint16_t count) noexcept {
    if (left_ < count) {
      left_ = std::max<uint32_t>(count, kBlock);
      next_ = shared_->fetch_add(left_, std::memory_order_relaxed);
    }
    left_ -= count;
    const uint32_t first = next_;
    next_ += count;
    return static_cast<uint16_t>(first);
  }

 private:
  static constexpr uint32_t kBlock = 256;
  std::atomic<uint32_t>* shared_ = nullptr;
  uint32_t next_ = 0;
  uint32_t left_ = 0;
};

}  // namespace podswitch
