// SPDX-License-Identifier: Apache-2.0
#include "lb/maglev.h"

#include <algorithm>

#include "lb/stable_hash.h"

namespace podswitch {
namespace {

constexpr uint16_t kFree = 0xffff;  // no index is that: kMaxBackends

// A backend's way through all places of the table: a permutation, since sizes are prime.
struct Walk {
  uint32_t place;
  uint32_t step;
};

// A backend is its address and how many of the same came before it, so that services which reach the same
// pods by other ports have the same table.
std::vector<Walk> walks_of(std::span<const IpAddress> backends, uint32_t size) {
  std::vector<Walk> walks;
  walks.reserve(backends.size());
  uint64_t rank = 0;
  for (size_t i = 0; i < backends.size(); ++i) {
    rank = i > 0 && backends[i] == backends[i - 1] ? rank + 1 : 0;
    const uint64_t hash = stable_hash(backends[i], rank);
    walks.push_back({static_cast<uint32_t>(hash >> 32) % size, static_cast<uint32_t>(hash) % (size - 1) + 1});
  }
  return walks;
}

}  // namespace

uint32_t maglev_size(size_t backends) noexcept {
  constexpr size_t kEntriesOfEach = 50;
  for (const uint32_t size : kMaglevSizes)
    if (backends * kEntriesOfEach <= size) return size;
  return *std::rbegin(kMaglevSizes);
}

Maglev::Maglev(std::span<const IpAddress> backends)
    : size_(maglev_size(backends.size())), entries_(std::make_unique_for_overwrite<uint16_t[]>(size_)) {
  std::fill_n(entries_.get(), size_, kFree);
  std::vector<Walk> walks = walks_of(backends, size_);
  // In turn each takes the next free place on its way.
  for (uint32_t taken = 0;;)
    for (size_t i = 0; i < walks.size(); ++i) {
      auto [place, step] = walks[i];
      while (entries_[place] != kFree) {
        place += step;
        place -= place >= size_ ? size_ : 0;
      }
      entries_[place] = static_cast<uint16_t>(i);
      walks[i].place = place;
      if (++taken == size_) return;
    }
}

}  // namespace podswitch
