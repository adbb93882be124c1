// SPDX-License-Identifier: Apache-2.0
// A hash that is the same on every node, in every release and for either byte order, since nodes must choose
// alike. Whoever may choose addresses can make it collide: nothing relies on it but an even choice. Any
// thread.
#pragma once

#include <cstdint>

#include "switch/net/address.h"

namespace podswitch {

// The finalizer of SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
constexpr uint64_t stable_mix(uint64_t x) noexcept {
  x = (x ^ x >> 30) * 0xbf58'476d'1ce4'e5b9;
  x = (x ^ x >> 27) * 0x94d0'49bb'1331'11eb;
  return x ^ x >> 31;
}

// `with` is whatever else distinguishes.
inline uint64_t stable_hash(const IpAddress& ip, uint64_t with) noexcept {
  const auto word = [&](size_t offset) {
    uint64_t value = 0;
    for (size_t i = 0; i < 8; ++i) value = value << 8 | ip.v6.bytes[offset + i];
    return value;
  };
  constexpr uint64_t kOdd = 0x9e37'79b9'7f4a'7c15;  // 2^64 over the golden ratio
  return stable_mix(stable_mix(stable_mix(word(0) + kOdd) ^ word(8)) ^ (with + 1) * kOdd);
}

}  // namespace podswitch
