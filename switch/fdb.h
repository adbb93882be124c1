// SPDX-License-Identifier: Apache-2.0
// The forwarding database: (MAC, filtering id) -> port, for all networks. One writer, the housekeeping
// thread, in place; any number of readers without a lock. Workers write one thing, an entry's seen bit.
// Two-choice buckets of eight entries and one cache line (cuckoo hashing, Pagh and Rodler 2001). An entry is
// one word: the mix of the key is reversible, so that the bucket stands for a part of it (quotienting, Knuth
// 6.4 exercise 13) and the other part, the tag, leaves room for the port. Small, because with many
// addresses the time goes into cache misses. At its capacity the table is at most half full; beyond it only
// static entries are taken, which have the other half.
#pragma once

#include <immintrin.h>
#include <rte_prefetch.h>

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "switch/ids.h"

namespace podswitch {

class Fdb {
 public:
  struct Options {
    size_t capacity = 131072;      // learned entries are refused beyond it
    uint32_t port_limit = 0;       // learned entries per port; 0: half the capacity
    uint32_t aging_seconds = 300;  // 0: never
  };
  enum class Outcome : uint8_t { Stored, Unchanged, Static, TableFull, PortLimit };

  class Hit {
   public:
    Hit() = default;
    Hit(std::atomic<uint64_t>& entry, uint64_t word) : entry_(&entry), word_(word) {}
    explicit operator bool() const { return entry_ != nullptr; }
    PortId port() const { return entry_ == nullptr ? kNoPort : static_cast<PortId>(word_ & kPortMask); }
    bool is_static() const { return (word_ & kStaticBit) != 0; }
    // Writes only when that changes something, which keeps the line shared between workers. An entry that
    // was replaced meanwhile is seen a moment too early, no more.
    void mark_seen() const noexcept {
      if ((word_ & kSeenBit) == 0) entry_->fetch_or(kSeenBit, std::memory_order_relaxed);
    }

   private:
    friend class Fdb;
    std::atomic<uint64_t>* entry_ = nullptr;
    uint64_t word_ = 0;
  };
  struct Record {
    MacAddress mac;
    Fid fid;
    PortId port;
    bool is_static;
    uint32_t last_seen;  // second of the switch's clock, as age_slice() noticed it
  };

  explicit Fdb(const Options& options);
  ~Fdb();

  // A key as the table sees it; worth keeping between prefetch() and find().
  enum class Place : uint64_t {};

  // Readers: any thread.
  Place place_of(uint64_t key) const noexcept { return Place{mix(key)}; }
  void prefetch(Place place) const noexcept { rte_prefetch0(&buckets_[bucket_of(place)]); }
  Hit find(Place place) const noexcept;
  Hit find(uint64_t key) const noexcept { return find(place_of(key)); }
  void for_each(const std::function<void(const Record&)>& visit) const;
  size_t capacity() const { return options_.capacity; }
  size_t size() const { return size_.load(std::memory_order_relaxed); }
  uint64_t moves() const { return moves_.load(std::memory_order_relaxed); }

  // Writer: the housekeeping thread only.
  Outcome learn(uint64_t key, PortId port, uint32_t now);
  // Replaces a learned entry. TableFull only when there are about as many static entries as the capacity, or
  // more.
  Outcome add_static(uint64_t key, PortId port);
  bool remove(uint64_t key);
  size_t remove_if(const std::function<bool(const Record&)>& doomed);
  // Looks at `buckets` buckets from where the last call stopped: notes who was seen since the last time, and
  // removes who was not for `aging_seconds`; returns how many went.
  size_t age_slice(uint32_t now, size_t buckets);
  size_t bucket_count() const { return mask_ + 1; }

 private:
  friend class FdbSearchTest;
  // An entry's word: the key's tag, then these. Free: kValidBit is not set.
  static constexpr uint64_t kPortMask = kMaxPorts - 1;
  static constexpr uint64_t kStaticBit = kMaxPorts;
  static constexpr uint64_t kSeenBit = kMaxPorts << 1;       // by a worker, since age_slice() looked
  static constexpr uint64_t kSecondaryBit = kMaxPorts << 2;  // in the second of its two buckets
  static constexpr uint64_t kValidBit = kMaxPorts << 3;
  static constexpr uint64_t kLowMask = (kMaxPorts << 4) - 1;  // what the bucket's number stands for
  static constexpr uint64_t kKeyMask = ~kLowMask | kSecondaryBit | kValidBit;
  static constexpr size_t kMinBuckets = kLowMask + 1;
  static_assert(std::has_single_bit(kMaxPorts));

  using Entry = std::atomic<uint64_t>;
  struct alignas(64) Bucket {
    std::array<Entry, 8> entries;
  };
  static_assert(sizeof(Bucket) == 64);

  // Reversible; over secret numbers: who chooses MACs cannot choose buckets.
  uint64_t mix(uint64_t key) const noexcept {
    uint64_t mixed = (key ^ seed_) * factor_;
    mixed = (mixed ^ mixed >> 32) * factor_;
    return mixed ^ mixed >> 32;
  }
  uint64_t unmix(uint64_t mixed) const noexcept;
  size_t bucket_of(Place place) const noexcept { return static_cast<uint64_t>(place) & mask_; }
  static uint64_t word_of(Place place) noexcept {
    return (static_cast<uint64_t>(place) & ~kLowMask) | kValidBit;
  }
  // Of the tag alone, so that either bucket's number and the tag give the other.
  size_t other_bucket(size_t bucket, uint64_t tag) const noexcept {
    constexpr unsigned kTagShift = 40;
    return (bucket ^ (tag >> kTagShift | 1)) & mask_;
  }
  uint64_t key_at(size_t bucket, uint64_t word) const noexcept;
  static Hit find_in(Bucket& bucket, uint64_t wanted) noexcept;
  static Hit search(Bucket& bucket, uint64_t wanted) noexcept;
  Entry* find_entry(uint64_t key) const noexcept;
  Entry* free_in(size_t bucket) const noexcept;
  Entry* make_room(size_t bucket, int depth) noexcept;
  std::atomic<uint32_t>& last_seen_of(const Entry& entry) const noexcept;
  Record record_of(size_t bucket, const Entry& entry, uint64_t word) const;
  void erase(Entry& entry);
  Outcome insert(uint64_t key, uint64_t value, uint32_t now);

  Options options_;
  uint64_t seed_;
  uint64_t factor_, inverse_;  // modulo 2^64
  size_t mask_;
  Bucket* buckets_;
  std::unique_ptr<std::atomic<uint32_t>[]> last_seen_;  // of each entry; workers do not touch it
  size_t age_cursor_ = 0;
  std::atomic<size_t> size_{0};
  std::atomic<uint64_t> moves_{0};
  std::array<uint32_t, kMaxPorts> learned_per_port_{};
};

// Which of the eight it is cannot be predicted: the upper halves are all compared at once. That only says
// where to look; what counts is the word, read and compared as one.
inline Fdb::Hit Fdb::find_in(Bucket& bucket, uint64_t wanted) noexcept {
#ifdef __SANITIZE_THREAD__  // would take the vector loads for a race
  return search(bucket, wanted);
#else
  const auto* pairs = reinterpret_cast<const __m128*>(&bucket);
  const __m128i want = _mm_set1_epi32(static_cast<int32_t>(wanted >> 32));
  constexpr int kUpperHalves = 0b11'01'11'01;
  const auto upper_halves = [&](unsigned i) {
    return _mm_castps_si128(_mm_shuffle_ps(pairs[i], pairs[i + 1], kUpperHalves));
  };
  const __m128i equal =
      _mm_packs_epi32(_mm_cmpeq_epi32(upper_halves(0), want), _mm_cmpeq_epi32(upper_halves(2), want));
  const auto hits = static_cast<unsigned>(_mm_movemask_epi8(equal));  // two bits each
  if (hits == 0) return {};
  Entry& entry = bucket.entries[static_cast<unsigned>(std::countr_zero(hits)) / 2];
  const uint64_t word = entry.load(std::memory_order_relaxed);
  if ((word & kKeyMask) == wanted) [[likely]]
    return {entry, word};
  return search(bucket, wanted);
#endif
}

inline Fdb::Hit Fdb::find(Place place) const noexcept {
  const size_t bucket = bucket_of(place);
  const uint64_t word = word_of(place);
  if (const Hit hit = find_in(buckets_[bucket], word)) [[likely]]
    return hit;
  return find_in(buckets_[other_bucket(bucket, word)], word | kSecondaryBit);
}

}  // namespace podswitch
