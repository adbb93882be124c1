// SPDX-License-Identifier: Apache-2.0
// The forwarding database: (MAC, filtering id) -> port, for all networks. One writer, the housekeeping
// thread, in place; any number of readers without a lock. Workers write one thing, an entry's last-seen
// second. Two-choice buckets of one cache line (cuckoo hashing); at its capacity the table is half full,
// so that an insertion practically always finds a place.
#pragma once

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

  struct Hit {
    PortId port;
    bool is_static;
    std::atomic<uint32_t>* last_seen;  // nullptr: not found
    explicit operator bool() const { return last_seen != nullptr; }
  };
  struct Record {
    MacAddress mac;
    Fid fid;
    PortId port;
    bool is_static;
    uint32_t last_seen;  // second of the switch's clock
  };

  explicit Fdb(const Options& options);
  ~Fdb();

  // Readers: any thread.
  void prefetch(uint64_t key) const noexcept { rte_prefetch0(&buckets_[primary(hash(key))]); }
  Hit find(uint64_t key) const noexcept;
  void for_each(const std::function<void(const Record&)>& visit) const;
  size_t capacity() const { return options_.capacity; }
  size_t size() const { return size_.load(std::memory_order_relaxed); }
  uint64_t moves() const { return moves_.load(std::memory_order_relaxed); }

  // Writer: the housekeeping thread only.
  Outcome learn(uint64_t key, PortId port, uint32_t now);
  Outcome add_static(uint64_t key, PortId port);
  bool remove(uint64_t key);
  size_t remove_if(const std::function<bool(const Record&)>& doomed);
  // Ages `buckets` buckets from where the last call stopped; returns how many entries went.
  size_t age_slice(uint32_t now, size_t buckets);
  size_t bucket_count() const { return mask_ + 1; }

 private:
  static constexpr uint32_t kStaticBit = 0x10000;
  struct Entry {
    std::atomic<uint64_t> key{0};    // 0: free (no frame has MAC 0 and a valid fid 0: parse refuses it)
    std::atomic<uint32_t> value{0};  // port, kStaticBit
    std::atomic<uint32_t> last_seen{0};
  };
  struct alignas(64) Bucket {
    std::array<Entry, 4> entries;
  };
  static_assert(sizeof(Bucket) == 64);

  // A folded multiplication (wyhash) over a secret seed: an attacker who chooses MACs cannot choose buckets.
  uint64_t hash(uint64_t key) const noexcept {
    __extension__ using Wide = unsigned __int128;
    const Wide product = Wide{key ^ seed_} * 0x9e3779b97f4a7c15ULL;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }
  size_t primary(uint64_t hash) const noexcept { return hash & mask_; }
  size_t secondary(uint64_t hash) const noexcept { return (hash >> 32) & mask_; }
  static Entry* find_in(Bucket& bucket, uint64_t key) noexcept;
  Entry* find_entry(uint64_t key) const noexcept;
  Entry* free_entry(uint64_t key) noexcept;
  Entry* free_in(size_t bucket) const noexcept;
  Entry* make_room(size_t bucket, int depth) noexcept;
  void erase(Entry& entry);
  Outcome insert(uint64_t key, uint32_t value, uint32_t now);

  Options options_;
  uint64_t seed_;
  size_t mask_;
  Bucket* buckets_;
  size_t age_cursor_ = 0;
  std::atomic<size_t> size_{0};
  std::atomic<uint64_t> moves_{0};
  std::array<uint32_t, kMaxPorts> learned_per_port_{};
};

// All four are compared at once: where in its bucket a key lies cannot be predicted.
inline Fdb::Entry* Fdb::find_in(Bucket& bucket, uint64_t key) noexcept {
  unsigned hits = 0;
#pragma GCC unroll 4
  for (unsigned i = 0; i < bucket.entries.size(); ++i)
    hits |= unsigned{bucket.entries[i].key.load(std::memory_order_acquire) == key} << i;
  return hits == 0 ? nullptr : &bucket.entries[static_cast<unsigned>(std::countr_zero(hits))];
}

inline Fdb::Entry* Fdb::find_entry(uint64_t key) const noexcept {
  const uint64_t h = hash(key);
  if (Entry* entry = find_in(buckets_[primary(h)], key)) [[likely]]
    return entry;
  return find_in(buckets_[secondary(h)], key);
}

inline Fdb::Hit Fdb::find(uint64_t key) const noexcept {
  Entry* entry = find_entry(key);
  if (entry == nullptr) return {kNoPort, false, nullptr};
  const uint32_t value = entry->value.load(std::memory_order_acquire);
  // The writer clears the key before it gives the entry to another one: seen changed, the value may be
  // the other's.
  if (entry->key.load(std::memory_order_relaxed) != key) return {kNoPort, false, nullptr};
  return {static_cast<PortId>(value), (value & kStaticBit) != 0, &entry->last_seen};
}

}  // namespace podswitch
