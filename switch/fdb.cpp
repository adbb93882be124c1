// SPDX-License-Identifier: Apache-2.0
#include "switch/fdb.h"

#include <sys/mman.h>

#include <bit>
#include <new>
#include <random>

namespace podswitch {

Fdb::Fdb(const Options& options) : options_(options) {
  if (options_.port_limit == 0) options_.port_limit = static_cast<uint32_t>(options_.capacity / 2);
  std::random_device random;
  seed_ = uint64_t{random()} << 32 | random();
  const size_t buckets = std::bit_ceil(std::max<size_t>(options_.capacity / 2, 4));
  mask_ = buckets - 1;
  const size_t bytes = buckets * sizeof(Bucket);
  constexpr size_t kHugePage = 2 << 20;
  buckets_ =
      static_cast<Bucket*>(::operator new (bytes, std::align_val_t{bytes >= kHugePage ? kHugePage : 64}));
  madvise(buckets_, bytes, MADV_HUGEPAGE);  // best effort: fewer TLB misses on a random look-up
  for (size_t i = 0; i < buckets; ++i) new (&buckets_[i]) Bucket;
}

Fdb::~Fdb() {
  const size_t bytes = bucket_count() * sizeof(Bucket);
  constexpr size_t kHugePage = 2 << 20;
  ::operator delete (buckets_, std::align_val_t{bytes >= kHugePage ? kHugePage : 64});
}

Fdb::Entry* Fdb::free_in(size_t bucket) const noexcept {
  for (Entry& entry : buckets_[bucket].entries)
    if (entry.key.load(std::memory_order_relaxed) == 0) return &entry;
  return nullptr;
}

// Moves some entry of `bucket` to its other bucket, where up to `depth` further moves may make a place for
// it. Copied before it is cleared: a reader finds it all the time, except one that is just between the two
// buckets and floods one packet.
Fdb::Entry* Fdb::make_room(size_t bucket, int depth) noexcept {
  for (Entry& entry : buckets_[bucket].entries) {
    const uint64_t key = entry.key.load(std::memory_order_relaxed);
    const uint64_t h = hash(key);
    const size_t other_bucket = primary(h) == bucket ? secondary(h) : primary(h);
    Entry* other = free_in(other_bucket);
    if (other == nullptr && depth > 0) other = make_room(other_bucket, depth - 1);
    if (Entry* freed = free_in(bucket)) return freed;  // a further move ended here
    if (other == nullptr) continue;
    other->value.store(entry.value.load(std::memory_order_relaxed), std::memory_order_release);
    other->last_seen.store(entry.last_seen.load(std::memory_order_relaxed), std::memory_order_relaxed);
    other->key.store(key, std::memory_order_release);
    entry.key.store(0, std::memory_order_release);
    return &entry;
  }
  return nullptr;
}

Fdb::Entry* Fdb::free_entry(uint64_t key) noexcept {
  const uint64_t h = hash(key);
  if (Entry* entry = free_in(primary(h))) return entry;
  if (Entry* entry = free_in(secondary(h))) return entry;
  constexpr int kFurtherMoves = 2;
  if (Entry* entry = make_room(primary(h), kFurtherMoves)) return entry;
  return make_room(secondary(h), kFurtherMoves);
}

Fdb::Outcome Fdb::insert(uint64_t key, uint32_t value, uint32_t now) {
  // What learning has filled must not keep a pod from the MAC that it was given; there is room for both.
  if ((value & kStaticBit) == 0 && size() >= options_.capacity) return Outcome::TableFull;
  Entry* entry = free_entry(key);
  if (entry == nullptr) return Outcome::TableFull;
  entry->value.store(value, std::memory_order_release);
  entry->last_seen.store(now, std::memory_order_relaxed);
  entry->key.store(key, std::memory_order_release);
  size_.store(size() + 1, std::memory_order_relaxed);
  return Outcome::Stored;
}

void Fdb::erase(Entry& entry) {
  const uint32_t value = entry.value.load(std::memory_order_relaxed);
  if ((value & kStaticBit) == 0) --learned_per_port_[static_cast<PortId>(value)];
  entry.key.store(0, std::memory_order_release);
  size_.store(size() - 1, std::memory_order_relaxed);
}

Fdb::Outcome Fdb::learn(uint64_t key, PortId port, uint32_t now) {
  if (Entry* entry = find_entry(key)) {
    const uint32_t value = entry->value.load(std::memory_order_relaxed);
    if ((value & kStaticBit) != 0) return Outcome::Static;
    const auto old_port = static_cast<PortId>(value);
    if (old_port != port && learned_per_port_[port] >= options_.port_limit) return Outcome::PortLimit;
    entry->last_seen.store(now, std::memory_order_relaxed);
    if (old_port == port) return Outcome::Unchanged;
    entry->value.store(port, std::memory_order_release);
    --learned_per_port_[old_port];
    ++learned_per_port_[port];
    moves_.store(moves() + 1, std::memory_order_relaxed);
    return Outcome::Stored;
  }
  if (learned_per_port_[port] >= options_.port_limit) return Outcome::PortLimit;
  const Outcome outcome = insert(key, port, now);
  if (outcome == Outcome::Stored) ++learned_per_port_[port];
  return outcome;
}

Fdb::Outcome Fdb::add_static(uint64_t key, PortId port) {
  if (Entry* entry = find_entry(key)) erase(*entry);
  return insert(key, port | kStaticBit, 0);
}

bool Fdb::remove(uint64_t key) {
  Entry* entry = find_entry(key);
  if (entry == nullptr) return false;
  erase(*entry);
  return true;
}

namespace {

template <typename Entry>
Fdb::Record record_of(const Entry& entry, uint64_t key) {
  const uint32_t value = entry.value.load(std::memory_order_acquire);
  return {mac_of_key(key), fid_of_key(key), static_cast<PortId>(value), (value >> 16) != 0,
          entry.last_seen.load(std::memory_order_relaxed)};
}

}  // namespace

void Fdb::for_each(const std::function<void(const Record&)>& visit) const {
  for (size_t i = 0; i < bucket_count(); ++i)
    for (const Entry& entry : buckets_[i].entries)
      if (const uint64_t key = entry.key.load(std::memory_order_acquire)) visit(record_of(entry, key));
}

size_t Fdb::remove_if(const std::function<bool(const Record&)>& doomed) {
  size_t removed = 0;
  for (size_t i = 0; i < bucket_count(); ++i)
    for (Entry& entry : buckets_[i].entries) {
      const uint64_t key = entry.key.load(std::memory_order_relaxed);
      if (key == 0 || !doomed(record_of(entry, key))) continue;
      erase(entry);
      ++removed;
    }
  return removed;
}

size_t Fdb::age_slice(uint32_t now, size_t buckets) {
  if (options_.aging_seconds == 0) return 0;
  size_t removed = 0;
  for (size_t n = 0; n < std::min(buckets, bucket_count()); ++n, age_cursor_ = (age_cursor_ + 1) & mask_)
    for (Entry& entry : buckets_[age_cursor_].entries) {
      const uint64_t key = entry.key.load(std::memory_order_relaxed);
      if (key == 0) continue;
      const Record record = record_of(entry, key);
      if (record.is_static || now - record.last_seen < options_.aging_seconds || now < record.last_seen)
        continue;
      erase(entry);
      ++removed;
    }
  return removed;
}

}  // namespace podswitch
