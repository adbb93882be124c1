// SPDX-License-Identifier: Apache-2.0
// A bucket of the flow table's index: eight tags and record numbers in one cache line. What does not fit goes
// into one of the next buckets, and those on the way count it, so that a look-up knows when to go on. Readers
// need no lock; who changes something holds the home bucket's.
#pragma once

#include <emmintrin.h>
#include <rte_pause.h>

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

namespace podswitch {

using FlowSlot = uint32_t;  // number of a record, stable for a flow's life
inline constexpr FlowSlot kNoFlow = ~FlowSlot{0};

// 16 bits that choose no bucket; 0 is a free place's.
constexpr uint16_t flow_tag(uint64_t hash) noexcept {
  return static_cast<uint16_t>(hash) | 1;
}

struct alignas(64) FlowBucket {
  static constexpr unsigned kEntries = 8;
  static constexpr uint32_t kReach = 16;  // buckets, the home included, that an entry may lie in

  std::array<std::atomic<uint64_t>, 2> tags;  // four of 16 bits each
  std::array<std::atomic<uint32_t>, kEntries> slots;
  std::atomic<uint32_t> locked;
  std::atomic<uint32_t> passed;  // entries of this or an earlier home that lie further on

  // Bits 2i and 2i+1 for each entry i with that tag.
  unsigned match(uint16_t tag) const noexcept {
    const __m128i all = _mm_set_epi64x(static_cast<int64_t>(tags[1].load(std::memory_order_acquire)),
                                       static_cast<int64_t>(tags[0].load(std::memory_order_acquire)));
    return static_cast<unsigned>(
        _mm_movemask_epi8(_mm_cmpeq_epi16(all, _mm_set1_epi16(static_cast<int16_t>(tag)))));
  }
  // Of the first entry with that tag.
  FlowSlot first_with(uint16_t tag) const noexcept {
    const unsigned found = match(tag);
    return found == 0
               ? kNoFlow
               : slots[static_cast<unsigned>(std::countr_zero(found)) / 2].load(std::memory_order_relaxed);
  }

  void lock() noexcept {
    while (locked.exchange(1, std::memory_order_acquire) != 0)
      while (locked.load(std::memory_order_relaxed) != 0) rte_pause();
  }
  void unlock() noexcept { locked.store(0, std::memory_order_release); }
  // Holding this bucket's lock.
  void set(unsigned entry, uint16_t tag, FlowSlot slot) noexcept {
    slots[entry].store(slot, std::memory_order_release);
    auto& word = tags[entry / 4];
    const unsigned shift = entry % 4 * 16;
    word.store((word.load(std::memory_order_relaxed) & ~(uint64_t{0xffff} << shift)) | uint64_t{tag} << shift,
               std::memory_order_release);
  }
  void clear(unsigned entry) noexcept { set(entry, 0, kNoFlow); }
};
static_assert(sizeof(FlowBucket) == 64);

}  // namespace podswitch
