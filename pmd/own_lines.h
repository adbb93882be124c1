// SPDX-License-Identifier: Apache-2.0
// An allocator of whole cache lines, for what one worker writes all the time: on the heap its neighbour may
// be what another worker reads or writes, and both would wait for the line in turns. Any thread.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace podswitch {

inline constexpr size_t kCacheLine = 64;

template <typename T>
struct OwnLines {
  using value_type = T;

  OwnLines() = default;
  template <typename Other>
  OwnLines(const OwnLines<Other>&) noexcept {}

  T* allocate(size_t count) {
    const size_t lines = (count * sizeof(T) + kCacheLine - 1) / kCacheLine;
    return static_cast<T*>(::operator new (lines* kCacheLine, std::align_val_t{kCacheLine}));
  }
  void deallocate(T* data, size_t) noexcept { ::operator delete (data, std::align_val_t{kCacheLine}); }
  friend bool operator==(const OwnLines&, const OwnLines&) { return true; }
};

template <typename T>
using OwnVector = std::vector<T, OwnLines<T>>;

}  // namespace podswitch
