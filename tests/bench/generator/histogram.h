// SPDX-License-Identifier: Apache-2.0
// How often each duration was seen: 64 buckets for each power of two, so that a value read from it is at most
// 1/64 (1.6 %) too large. Fixed size, no allocation after construction. One thread.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

namespace podswitch::bench {

class Histogram {
 public:
  void add(uint64_t value) noexcept {
    ++counts_[bucket(value)];
    ++samples_;
    max_ = std::max(max_, value);
  }
  void clear() noexcept {
    std::fill(counts_.begin(), counts_.end(), 0);
    samples_ = max_ = 0;
  }
  uint64_t samples() const noexcept { return samples_; }
  uint64_t max() const noexcept { return max_; }

  // The smallest value that `share` (0 to 1) of the samples do not exceed; 0 without samples.
  uint64_t quantile(double share) const noexcept {
    const auto rank =
        std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(share * static_cast<double>(samples_))));
    uint64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen >= rank) return std::min(largest(i), max_);
    }
    return max_;
  }

 private:
  static constexpr unsigned kBits = 6;
  static constexpr uint64_t kPart = 1 << kBits;

  // Values below 128 have a bucket each; above, the highest 7 bits choose.
  static size_t bucket(uint64_t value) noexcept {
    if (value < 2 * kPart) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kBits - 1;
    return shift * kPart + (value >> shift);
  }
  static uint64_t largest(size_t bucket) noexcept {
    if (bucket < 2 * kPart) return bucket;
    const uint64_t shift = bucket / kPart - 1;
    return (((bucket % kPart + kPart) + 1) << shift) - 1;
  }

  std::vector<uint64_t> counts_ = std::vector<uint64_t>((64 - kBits + 1) * kPart);
  uint64_t samples_ = 0;
  uint64_t max_ = 0;
};

}  // namespace podswitch::bench
