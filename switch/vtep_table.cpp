// SPDX-License-Identifier: Apache-2.0
#include "switch/vtep_table.h"

#include <algorithm>

namespace podswitch {
namespace {

// Of a bucket, at most: then no more than one of 250 overflows.
constexpr size_t kMeanKeys = 3;

void keep_hop(NextHopId& kept, NextHopId other) {
  if (other != kNoNextHop) kept = other;
}

}  // namespace

void VtepTable::build(std::span<const Entry> entries) {
  const auto v4_count = static_cast<size_t>(
      std::count_if(entries.begin(), entries.end(), [](const Entry& entry) { return entry.ip.is_v4(); }));
  const size_t buckets = std::bit_ceil(v4_count / kMeanKeys + 1);
  v4_.assign(buckets, Bucket{});
  hops_.assign(buckets * kKeys, kNoNextHop);
  bucket_mask_ = buckets - 1;
  v6_.assign(std::bit_ceil((entries.size() - v4_count) * 2 + 1), Entry{});
  size_ = 0;
  for (const Entry& entry : entries) {
    if (entry.ip.is_v4())
      add_v4(entry);
    else
      add_v6(entry);
  }
}

void VtepTable::add_v4(const Entry& entry) {
  const uint32_t key = entry.ip.v4().raw();
  if (key == kFree) return;
  for (size_t bucket = bucket_of(key);; bucket = (bucket + 1) & bucket_mask_) {
    for (size_t i = 0; i < kKeys; ++i) {
      uint32_t& slot = v4_[bucket][i];
      if (slot != kFree && slot != key) continue;
      size_ += slot == kFree ? 1 : 0;
      slot = key;
      return keep_hop(hops_[bucket * kKeys + i], entry.hop);
    }
  }
}

void VtepTable::add_v6(const Entry& entry) {
  if (entry.ip.v6.is_unspecified()) return;
  size_t i = place_of(entry.ip);
  while (!v6_[i].ip.v6.is_unspecified() && v6_[i].ip != entry.ip) i = (i + 1) & (v6_.size() - 1);
  size_ += v6_[i].ip.v6.is_unspecified() ? 1 : 0;
  v6_[i].ip = entry.ip;
  keep_hop(v6_[i].hop, entry.hop);
}

size_t VtepTable::place_of(const IpAddress& ip) const noexcept {
  return static_cast<size_t>(hash_(ip.v6.word(0), ip.v6.word(8))) & (v6_.size() - 1);
}

std::optional<NextHopId> VtepTable::find_v6(const IpAddress& ip) const noexcept {
  if (ip.v6.is_unspecified()) return std::nullopt;
  for (size_t i = place_of(ip); !v6_[i].ip.v6.is_unspecified(); i = (i + 1) & (v6_.size() - 1))
    if (v6_[i].ip == ip) return v6_[i].hop;
  return std::nullopt;
}

}  // namespace podswitch
