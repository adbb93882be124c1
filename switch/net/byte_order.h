// SPDX-License-Identifier: Apache-2.0
// Strict big-endian integers for wire formats: they have no implicit conversion, so that a missing
// byte swap is a compile error. Held as bytes, so that a header made of them has alignment 1 and can lie
// anywhere in a packet. Plain values, any thread.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <type_traits>

namespace podswitch {

template <typename T>
class BigEndian {
 public:
  constexpr BigEndian() = default;
  explicit constexpr BigEndian(T host) : bytes_(std::bit_cast<Bytes>(swap(host))) {}
  constexpr T host() const { return swap(raw()); }
  // The bytes as they lie on the wire, for comparisons and checksums.
  constexpr T raw() const { return std::bit_cast<T>(bytes_); }
  static constexpr BigEndian from_raw(T raw) {
    BigEndian value;
    value.bytes_ = std::bit_cast<Bytes>(raw);
    return value;
  }
  friend constexpr bool operator==(BigEndian a, BigEndian b) { return a.raw() == b.raw(); }

 private:
  using Bytes = std::array<uint8_t, sizeof(T)>;
  static constexpr T swap(T v) {
    static_assert(std::endian::native == std::endian::little);
    if constexpr (sizeof(T) == 2) return __builtin_bswap16(v);
    if constexpr (sizeof(T) == 4) return __builtin_bswap32(v);
    if constexpr (sizeof(T) == 8) return __builtin_bswap64(v);
  }
  Bytes bytes_{};
};

using be16_t = BigEndian<uint16_t>;
using be32_t = BigEndian<uint32_t>;
static_assert(alignof(be32_t) == 1 && sizeof(be16_t) == 2 && sizeof(be32_t) == 4 &&
              std::is_trivially_copyable_v<be16_t>);

}  // namespace podswitch
