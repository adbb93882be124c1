// SPDX-License-Identifier: Apache-2.0
// Who is behind a tunnel: (MAC, filtering id) -> the next hop of the VTEP, for networks that are stretched
// over nodes. Asked only where the FDB knows no port. One writer, the housekeeping thread, in place; any
// number of readers without a lock. Workers write one thing, an entry's seen bit. Two-choice buckets of four
// entries and one cache line; at its capacity the table is at most half full, and only static entries go
// beyond. Its memory is touched by what it holds, so that a switch without such networks does not pay for it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "switch/ids.h"
#include "switch/net/keyed_hash.h"
#include "switch/next_hop.h"

namespace podswitch {

class RemoteFdb {
 public:
  struct Options {
    size_t capacity = 131072;      // learned entries are refused beyond it
    size_t vtep_limit = 0;         // learned entries behind one VTEP; 0: half the capacity
    uint32_t aging_seconds = 300;  // 0: never
  };
  enum class Outcome : uint8_t { Stored, Unchanged, Static, TableFull, VtepLimit };

  class Hit {
   public:
    Hit() = default;
    Hit(std::atomic<uint64_t>& entry, uint64_t word) : entry_(&entry), word_(word) {}
    explicit operator bool() const { return entry_ != nullptr; }
    NextHopId hop() const { return static_cast<NextHopId>(word_ & kHopMask); }
    bool is_static() const { return (word_ & kStaticBit) != 0; }
    // Writes only when that changes something. An entry that was replaced meanwhile is seen a moment too
    // early.
    void mark_seen() const noexcept {
      if ((word_ & kSeenBit) == 0) entry_->fetch_or(kSeenBit, std::memory_order_relaxed);
    }

   private:
    std::atomic<uint64_t>* entry_ = nullptr;
    uint64_t word_ = 0;
  };
  struct Record {
    MacAddress mac;
    Fid fid;
    NextHopId hop;
    bool is_static;
    uint32_t last_seen;  // second of the switch's clock, as age_slice() noticed it
  };

  explicit RemoteFdb(const Options& options);
  ~RemoteFdb();
  RemoteFdb(const RemoteFdb&) = delete;
  RemoteFdb& operator=(const RemoteFdb&) = delete;

  // Readers: any thread. `key` is fdb_key()'s.
  Hit find(uint64_t key) const noexcept;
  void for_each(const std::function<void(const Record&)>& visit) const;
  size_t capacity() const { return options_.capacity; }
  size_t size() const { return size_.load(std::memory_order_relaxed); }

  // Writer: the housekeeping thread only.
  Outcome learn(uint64_t key, NextHopId hop, uint32_t now);
  Outcome add_static(uint64_t key, NextHopId hop);  // replaces a learned entry
  bool remove(uint64_t key);
  size_t remove_if(const std::function<bool(const Record&)>& doomed);
  // As Fdb::age_slice().
  size_t age_slice(uint32_t now, size_t buckets);
  size_t bucket_count() const { return mask_ + 1; }

 private:
  // An entry's word: the next hop, these bits, and above them the second when it was last seen.
  static constexpr uint64_t kHopMask = kMaxNextHops - 1;
  static constexpr uint64_t kStaticBit = kMaxNextHops;
  static constexpr uint64_t kSeenBit = uint64_t{kMaxNextHops} << 1;
  static constexpr unsigned kLastSeenShift = 32;

  static constexpr size_t kEntries = 4;
  struct alignas(64) Bucket {
    std::array<std::atomic<uint64_t>, kEntries> keys;  // 0: free
    std::array<std::atomic<uint64_t>, kEntries> words;
  };
  static_assert(sizeof(Bucket) == 64);
  struct Place {
    Bucket* bucket = nullptr;
    size_t index = 0;
    explicit operator bool() const { return bucket != nullptr; }
    std::atomic<uint64_t>& key() const { return bucket->keys[index]; }
    std::atomic<uint64_t>& word() const { return bucket->words[index]; }
  };

  std::array<Bucket*, 2> buckets_of(uint64_t key) const noexcept {
    const uint64_t hash = hash_(key);
    return {&buckets_[hash & mask_], &buckets_[hash >> 32 & mask_]};
  }
  static uint64_t word_of(NextHopId hop, uint64_t flags, uint32_t now) noexcept {
    return hop | flags | uint64_t{now} << kLastSeenShift;
  }
  static Record record_of(uint64_t key, uint64_t word);
  Place find_place(uint64_t key) const noexcept;
  Place free_in(Bucket& bucket) const noexcept;
  Place make_room(Bucket& bucket, int depth) noexcept;
  Outcome insert(uint64_t key, uint64_t word);
  Outcome move(const Place& place, NextHopId hop, uint32_t now);
  bool is_full(NextHopId hop) const { return learned_per_hop_[hop] >= options_.vtep_limit; }
  void erase(const Place& place);

  Options options_;
  KeyedHash hash_ = KeyedHash::random();
  size_t mask_;
  Bucket* buckets_;
  size_t age_cursor_ = 0;
  std::atomic<size_t> size_{0};
  std::vector<uint32_t> learned_per_hop_;
};

inline RemoteFdb::Hit RemoteFdb::find(uint64_t key) const noexcept {
  if (size_.load(std::memory_order_relaxed) == 0) return {};
  for (Bucket* bucket : buckets_of(key))
    for (size_t i = 0; i < kEntries; ++i) {
      if (bucket->keys[i].load(std::memory_order_acquire) != key) continue;
      const uint64_t word = bucket->words[i].load(std::memory_order_acquire);
      // The place may have been given to another one between the two.
      if (bucket->keys[i].load(std::memory_order_relaxed) == key) return {bucket->words[i], word};
    }
  return {};
}

}  // namespace podswitch
