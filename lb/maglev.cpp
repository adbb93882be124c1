// SPDX-License-Identifier: Apache-2.0
#include "lb/maglev.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "lb/stable_hash.h"

namespace podswitch {
namespace {

constexpr uint16_t kFree = 0xffff;  // no index is that: kMaxBackends

// The powers of the smallest primitive root modulo a table's size, and the strides that visit all of them.
struct Powers {
  std::vector<uint16_t> of;
  std::vector<uint16_t> strides;

  explicit Powers(uint32_t size) {
    for (uint64_t root = 2; of.size() != size - 1; ++root) {
      of.clear();
      uint64_t power = 1;
      do {
        of.push_back(static_cast<uint16_t>(power));
        power = power * root % size;
      } while (power != 1);
    }
    for (uint32_t stride = 1; stride < size - 1; ++stride)
      if (std::gcd(stride, size - 1) == 1) strides.push_back(static_cast<uint16_t>(stride));
  }
};

const Powers& powers_of(uint32_t size) {
  static const std::array<Powers, std::size(kMaglevSizes)> all = [] {
    return std::array{Powers(kMaglevSizes[0]), Powers(kMaglevSizes[1]), Powers(kMaglevSizes[2]),
                      Powers(kMaglevSizes[3])};
  }();
  return all[static_cast<size_t>(std::find(std::begin(kMaglevSizes), std::end(kMaglevSizes), size) -
                                 std::begin(kMaglevSizes))];
}

// A backend's way through all places of the table. The paper steps by a constant; then two backends whose
// steps are small multiples of each other meet again and again, and one table in a hundred moves up to 15 %
// of its entries without need. Powers of a root from a random place on, shifted, are as good as a shuffle.
struct Walk {
  uint32_t power;
  uint32_t stride;
  uint32_t shift;  // the first place
  uint32_t place;
};

// 20 bits of a hash, to below `bound`.
uint32_t scaled(uint64_t hash, unsigned bits_below, size_t bound) {
  return static_cast<uint32_t>((hash >> bits_below & 0xf'ffff) * bound >> 20);
}

// A backend is its address and how many of the same came before it, so that services which reach the same
// pods by other ports have the same table.
std::vector<Walk> walks_of(std::span<const IpAddress> backends, uint32_t size, const Powers& powers) {
  std::vector<Walk> walks;
  walks.reserve(backends.size());
  uint64_t rank = 0;
  for (size_t i = 0; i < backends.size(); ++i) {
    rank = i > 0 && backends[i] == backends[i - 1] ? rank + 1 : 0;
    const uint64_t hash = stable_hash(backends[i], rank);
    const uint32_t shift = scaled(hash, 40, size);
    walks.push_back(
        {scaled(hash, 0, size - 1), powers.strides[scaled(hash, 20, powers.strides.size())], shift, shift});
  }
  return walks;
}

}  // namespace

// A leaving backend moves 3 % of the others' entries on average, the fewer backends the less: with 64 entries
// for each, no more than 5 % in any of thousands of random sets, which 50 would exceed now and then.
uint32_t maglev_size(size_t backends) noexcept {
  constexpr size_t kEntriesOfEach = 64;
  for (const uint32_t size : kMaglevSizes)
    if (backends * kEntriesOfEach <= size) return size;
  return *std::rbegin(kMaglevSizes);
}

Maglev::Maglev(std::span<const IpAddress> backends)
    : size_(maglev_size(backends.size())), entries_(std::make_unique_for_overwrite<uint16_t[]>(size_)) {
  const Powers& powers = powers_of(size_);
  const uint16_t* const power_of = powers.of.data();
  const uint32_t size = size_;
  uint16_t* const entries = entries_.get();
  std::fill_n(entries, size, kFree);
  std::vector<Walk> walks = walks_of(backends, size, powers);
  // In turn each takes the next free place on its way.
  for (uint32_t free = size; free > 0;)
    for (size_t i = 0; i < walks.size() && free > 0; ++i, --free) {
      auto [power, stride, shift, place] = walks[i];
      while (entries[place] != kFree) {
        place = power_of[power] + shift;
        place -= place >= size ? size : 0;
        power += stride;
        power -= power >= size - 1 ? size - 1 : 0;
      }
      entries[place] = static_cast<uint16_t>(i);
      walks[i].power = power;
      walks[i].place = place;
    }
}

}  // namespace podswitch
