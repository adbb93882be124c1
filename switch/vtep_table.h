// SPDX-License-Identifier: Apache-2.0
// Tunnel ends by their address, immutable once built. Any thread may read. IPv4 addresses lie in buckets of 8
// that are compared at once: packets that come from many nodes in turn cost no mispredicted branch, and
// 5,000 nodes take 64 KiB for their addresses.
#pragma once

#include <smmintrin.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "switch/net/address.h"
#include "switch/net/keyed_hash.h"
#include "switch/next_hop.h"

namespace podswitch {

class VtepTable {
 public:
  struct Entry {
    IpAddress ip;
    NextHopId hop = kNoNextHop;  // takes bridged frames there
  };

  // An address that comes twice keeps the hop that is one. Unspecified addresses are left out.
  void build(std::span<const Entry> entries);

  // The bridged frames' next hop, kNoNextHop if it has none; nullopt: no tunnel ends there.
  std::optional<NextHopId> find(const IpAddress& ip) const noexcept {
    return ip.is_v4() ? find(ip.v4()) : find_v6(ip);
  }
  std::optional<NextHopId> find(const Ipv4Address& ip) const noexcept { return find(ip.raw()); }
  // `key`: an IPv4 address as it lies on the wire.
  std::optional<NextHopId> find(uint32_t key) const noexcept {
    for (size_t bucket = bucket_of(key);; bucket = (bucket + 1) & bucket_mask_) {
      const Bucket& keys = v4_[bucket];
      if (const uint32_t hits = equal_to(keys, key); hits != 0) [[likely]]
        return key == kFree ? std::nullopt : std::optional(hop_at(bucket, hits));
      if (keys.back() == kFree) return std::nullopt;  // buckets are filled from their front
    }
  }
  size_t size() const noexcept { return size_; }

 private:
  static constexpr uint32_t kFree = 0;
  static constexpr size_t kKeys = 8;
  struct alignas(32) Bucket : std::array<uint32_t, kKeys> {};

  size_t bucket_of(uint32_t key) const noexcept {
    return static_cast<size_t>(key * 0x9e3779b97f4a7c15ULL >> 32) & bucket_mask_;
  }
  // A bit for each key that is equal.
  static uint32_t equal_to(const Bucket& keys, uint32_t key) noexcept {
    const __m128i wanted = _mm_set1_epi32(static_cast<int>(key));
    const auto* words = reinterpret_cast<const __m128i*>(keys.data());
    const __m128i low = _mm_cmpeq_epi32(_mm_load_si128(words), wanted);
    const __m128i high = _mm_cmpeq_epi32(_mm_load_si128(words + 1), wanted);
    return static_cast<uint32_t>(_mm_movemask_ps(_mm_castsi128_ps(low)) |
                                 _mm_movemask_ps(_mm_castsi128_ps(high)) << 4);
  }
  NextHopId hop_at(size_t bucket, uint32_t hits) const noexcept {
    return hops_[bucket * kKeys + static_cast<size_t>(std::countr_zero(hits))];
  }
  std::optional<NextHopId> find_v6(const IpAddress& ip) const noexcept;
  size_t place_of(const IpAddress& ip) const noexcept;  // in v6_
  void add_v4(const Entry& entry);
  void add_v6(const Entry& entry);

  std::vector<Bucket> v4_ = std::vector<Bucket>(1);
  std::vector<NextHopId> hops_ = std::vector<NextHopId>(kKeys, kNoNextHop);  // of v4_, in its order
  size_t bucket_mask_ = 0;
  std::vector<Entry> v6_ = std::vector<Entry>(1);  // a power of two, at most half full; :: is free
  KeyedHash hash_ = KeyedHash::random();
  size_t size_ = 0;
};

}  // namespace podswitch
