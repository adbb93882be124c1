// SPDX-License-Identifier: Apache-2.0
// Bounded ring from one producer thread to one consumer thread. A full ring refuses: the producer never
// waits.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <type_traits>

namespace podswitch {

template <typename T, size_t kCapacity>
class SpscRing {
  static_assert(std::has_single_bit(kCapacity) && std::is_trivially_copyable_v<T>);

 public:
  static constexpr size_t kSize = kCapacity;

  bool push(const T& item) noexcept {  // producer
    const size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - cached_head_ == kCapacity) {
      cached_head_ = head_.load(std::memory_order_acquire);
      if (tail - cached_head_ == kCapacity) return false;
    }
    items_[tail & (kCapacity - 1)] = item;
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }
  bool pop(T& item) noexcept {  // consumer
    const size_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return false;
    item = items_[head & (kCapacity - 1)];
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

 private:
  alignas(64) std::atomic<size_t> tail_{0};
  size_t cached_head_ = 0;
  alignas(64) std::atomic<size_t> head_{0};
  alignas(64) std::array<T, kCapacity> items_;
};

}  // namespace podswitch
