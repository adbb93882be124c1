// SPDX-License-Identifier: Apache-2.0
// Who is who on a link: (filtering id, IP address) -> MAC, learned from ARP (RFC 826) and neighbour discovery
// (RFC 4861), for all networks. Of fixed size. One writer, the housekeeping thread, in place; any number of
// readers without a lock, which write one thing, that an entry was used. An entry is made of atomic words
// under its bucket's sequence number; nobody waits for a writer that is not running: after a few tries a
// look-up finds nothing. Two-choice buckets; beyond the capacity new addresses are refused, so that who
// invents some pushes nobody out.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "switch/ids.h"
#include "switch/net/address.h"
#include "switch/net/keyed_hash.h"

namespace podswitch {

class NeighbourTable {
 public:
  struct Options {
    size_t capacity = 65536;
  };
  enum class Outcome : uint8_t {
    Stored,
    Changed,    // another MAC than before
    Unchanged,  // heard again
    TableFull,  // not stored
  };
  struct Record {
    Fid fid = kNoFid;
    IpAddress ip;
    MacAddress mac;
    uint32_t heard = 0;  // second of the switch's clock of the last set()
    uint32_t used = 0;  // when age_slice() last noticed that a reader had found it; at first, when it was set
  };

  explicit NeighbourTable(const Options& options);

  // Readers: any thread. find() marks the entry as used, peek() does not.
  std::optional<MacAddress> find(Fid fid, const IpAddress& ip) const noexcept;
  std::optional<MacAddress> peek(Fid fid, const IpAddress& ip) const noexcept;
  size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
  size_t capacity() const noexcept { return capacity_; }

  // The rest is for the writer. `fid`: never 0, as FidMap gives them out; `now`: second of the switch's
  // clock.
  Outcome set(Fid fid, const IpAddress& ip, const MacAddress& mac, uint32_t now);
  bool remove(Fid fid, const IpAddress& ip);
  void for_each(const std::function<void(const Record&)>& visit) const;
  // Looks at `buckets` buckets from where the last call stopped: notes who was used since the last time, and
  // removes those that `keep` says no to; returns how many went. `keep` does not call the table.
  size_t age_slice(uint32_t now, size_t buckets, const std::function<bool(const Record&)>& keep);
  size_t remove_if(const std::function<bool(const Record&)>& doomed);
  size_t bucket_count() const { return mask_ + 1; }

 private:
  static constexpr size_t kEntries = 5;  // of a bucket

  struct Key {
    std::array<uint64_t, 2> ip;
    Fid fid;
  };
  struct Entry {
    std::array<std::atomic<uint64_t>, 2> ip;
    std::atomic<uint64_t> value;  // as an FDB key: the MAC, and the filtering id above; 0: free
  };
  struct alignas(64) Bucket {
    std::atomic<uint32_t> sequence;      // odd while the writer writes
    mutable std::atomic<uint32_t> used;  // a bit for each entry, set by readers
    std::array<Entry, kEntries> entries;
  };
  static_assert(sizeof(Bucket) == 128);
  struct Times {  // the writer's own
    uint32_t heard = 0, used = 0;
  };
  struct Place {
    Bucket* bucket;
    size_t index;
  };

  static Key key_of(Fid fid, const IpAddress& ip) noexcept;
  static IpAddress ip_of(const Entry& entry) noexcept;
  static bool has_key(const Entry& entry, const Key& key) noexcept;
  static std::optional<MacAddress> search(const Bucket& bucket, const Key& key, bool is_use) noexcept;
  static std::optional<MacAddress> read(const Bucket& bucket, const Key& key, bool is_use) noexcept;
  static size_t count(const Bucket& bucket) noexcept;
  static void write(Place place, const Key& key, uint64_t value) noexcept;
  std::array<Bucket*, 2> buckets_of(const Key& key) const noexcept;
  std::optional<MacAddress> look_up(Fid fid, const IpAddress& ip, bool is_use) const noexcept;
  std::optional<Place> place_of(const Key& key) const noexcept;
  std::optional<Place> room_for(const Key& key) const noexcept;
  Times& times_of(Place place) const noexcept;
  Record record_of(Place place) const noexcept;
  void erase(Place place) noexcept;

  size_t capacity_;
  KeyedHash hash_ = KeyedHash::random();
  size_t mask_;
  std::unique_ptr<Bucket[]> buckets_;
  std::unique_ptr<Times[]> times_;
  std::atomic<size_t> size_{0};
  size_t cursor_ = 0;  // age_slice()'s
};

}  // namespace podswitch
