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
  const auto random_word = [&] { return uint64_t{random()} << 32 | random(); };
  seed_ = random_word();
  factor_ = random_word() | 1;
  inverse_ = factor_;  // right in its low 3 bits; Newton's method doubles them
  for (int i = 0; i < 5; ++i) inverse_ *= 2 - factor_ * inverse_;
  constexpr size_t kFilled = 4;  // entries of a bucket when the table is at its capacity, or fewer
  const size_t buckets = std::bit_ceil(std::max((options_.capacity + kFilled - 1) / kFilled, kMinBuckets));
  mask_ = buckets - 1;
  last_seen_ = std::make_unique<std::atomic<uint32_t>[]>(buckets * Bucket{}.entries.size());
  const size_t bytes = buckets * sizeof(Bucket);
  constexpr size_t kHugePage = 2 << 20;
  buckets_ =
      static_cast<Bucket*>(::operator new (bytes, std::align_val_t{bytes >= kHugePage ? kHugePage : 64}));
  madvise(buckets_, bytes, MADV_HUGEPAGE);  // best effort: fewer TLB misses on a random look-up
  for (size_t i = 0; i < buckets; ++i) new (&buckets_[i]) Bucket{};
}

Fdb::~Fdb() {
  const size_t bytes = bucket_count() * sizeof(Bucket);
  constexpr size_t kHugePage = 2 << 20;
  ::operator delete (buckets_, std::align_val_t{bytes >= kHugePage ? kHugePage : 64});
}

uint64_t Fdb::unmix(uint64_t mixed) const noexcept {
  mixed = (mixed ^ mixed >> 32) * inverse_;
  mixed = (mixed ^ mixed >> 32) * inverse_;
  return mixed ^ seed_;
}

uint64_t Fdb::key_at(size_t bucket, uint64_t word) const noexcept {
  const size_t primary = (word & kSecondaryBit) != 0 ? other_bucket(bucket, word) : bucket;
  return unmix((word & ~kLowMask) | (primary & kLowMask));
}

std::atomic<uint32_t>& Fdb::last_seen_of(const Entry& entry) const noexcept {
  return last_seen_[static_cast<size_t>(&entry - buckets_[0].entries.data())];
}

Fdb::Hit Fdb::search(Bucket& bucket, uint64_t wanted) noexcept {
  for (Entry& entry : bucket.entries)
    if (const uint64_t word = entry.load(std::memory_order_relaxed); (word & kKeyMask) == wanted)
      return {entry, word};
  return {};
}

Fdb::Entry* Fdb::find_entry(uint64_t key) const noexcept {
  const Hit hit = find(key);
  return hit.entry_;
}

Fdb::Entry* Fdb::free_in(size_t bucket) const noexcept {
  for (Entry& entry : buckets_[bucket].entries)
    if ((entry.load(std::memory_order_relaxed) & kValidBit) == 0) return &entry;
  return nullptr;
}

// Moves some entry of `bucket` to its other bucket, where up to `depth` further moves may make a place for
// it. Copied before it is cleared: a reader finds it all the time, except one that is just between the two
// buckets and floods one packet.
Fdb::Entry* Fdb::make_room(size_t bucket, int depth) noexcept {
  for (Entry& entry : buckets_[bucket].entries) {
    const size_t other = other_bucket(bucket, entry.load(std::memory_order_relaxed));
    Entry* place = free_in(other);
    if (place == nullptr && depth > 0) place = make_room(other, depth - 1);
    if (Entry* freed = free_in(bucket)) return freed;  // a further move ended here
    if (place == nullptr) continue;
    last_seen_of(*place).store(last_seen_of(entry).load(std::memory_order_relaxed),
                               std::memory_order_relaxed);
    place->store(entry.load(std::memory_order_relaxed) ^ kSecondaryBit, std::memory_order_release);
    entry.store(0, std::memory_order_release);
    return &entry;
  }
  return nullptr;
}

// `value`: a port, perhaps with kStaticBit.
Fdb::Outcome Fdb::insert(uint64_t key, uint64_t value, uint32_t now) {
  // What learning has filled must not keep a pod from the MAC that it was given: that has the other half.
  if ((value & kStaticBit) == 0 && size() >= options_.capacity) return Outcome::TableFull;
  const Place place = place_of(key);
  const size_t primary = bucket_of(place);
  const size_t secondary = other_bucket(primary, word_of(place));
  constexpr int kFurtherMoves = 2;
  uint64_t word = word_of(place) | value;
  Entry* entry = free_in(primary);
  if (entry == nullptr && (entry = free_in(secondary)) != nullptr) word |= kSecondaryBit;
  if (entry == nullptr) entry = make_room(primary, kFurtherMoves);
  if (entry == nullptr && (entry = make_room(secondary, kFurtherMoves)) != nullptr) word |= kSecondaryBit;
  if (entry == nullptr) return Outcome::TableFull;
  last_seen_of(*entry).store(now, std::memory_order_relaxed);
  entry->store(word, std::memory_order_release);
  size_.store(size() + 1, std::memory_order_relaxed);
  return Outcome::Stored;
}

void Fdb::erase(Entry& entry) {
  const uint64_t word = entry.load(std::memory_order_relaxed);
  if ((word & kStaticBit) == 0) --learned_per_port_[word & kPortMask];
  entry.store(0, std::memory_order_release);
  size_.store(size() - 1, std::memory_order_relaxed);
}

Fdb::Outcome Fdb::learn(uint64_t key, PortId port, uint32_t now) {
  if (Entry* entry = find_entry(key)) {
    const uint64_t word = entry->load(std::memory_order_relaxed);
    if ((word & kStaticBit) != 0) return Outcome::Static;
    const auto old_port = static_cast<PortId>(word & kPortMask);
    if (old_port != port && learned_per_port_[port] >= options_.port_limit) return Outcome::PortLimit;
    last_seen_of(*entry).store(now, std::memory_order_relaxed);
    if (old_port == port) return Outcome::Unchanged;
    entry->store((word & kKeyMask) | port, std::memory_order_release);
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
  Entry* entry = find_entry(key);
  if (entry == nullptr) return insert(key, port | kStaticBit, 0);
  // In its place: readers find the one or the other, and there is always room.
  const uint64_t word = entry->load(std::memory_order_relaxed);
  if ((word & kStaticBit) == 0) --learned_per_port_[word & kPortMask];
  last_seen_of(*entry).store(0, std::memory_order_relaxed);
  entry->store((word & kKeyMask) | port | kStaticBit, std::memory_order_release);
  return Outcome::Stored;
}

bool Fdb::remove(uint64_t key) {
  Entry* entry = find_entry(key);
  if (entry == nullptr) return false;
  erase(*entry);
  return true;
}

Fdb::Record Fdb::record_of(size_t bucket, const Entry& entry, uint64_t word) const {
  const uint64_t key = key_at(bucket, word);
  return {mac_of_key(key), fid_of_key(key), static_cast<PortId>(word & kPortMask), (word & kStaticBit) != 0,
          last_seen_of(entry).load(std::memory_order_relaxed)};
}

void Fdb::for_each(const std::function<void(const Record&)>& visit) const {
  for (size_t i = 0; i < bucket_count(); ++i)
    for (const Entry& entry : buckets_[i].entries)
      if (const uint64_t word = entry.load(std::memory_order_acquire); (word & kValidBit) != 0)
        visit(record_of(i, entry, word));
}

size_t Fdb::remove_if(const std::function<bool(const Record&)>& doomed) {
  size_t removed = 0;
  for (size_t i = 0; i < bucket_count(); ++i)
    for (Entry& entry : buckets_[i].entries) {
      const uint64_t word = entry.load(std::memory_order_relaxed);
      if ((word & kValidBit) == 0 || !doomed(record_of(i, entry, word))) continue;
      erase(entry);
      ++removed;
    }
  return removed;
}

size_t Fdb::age_slice(uint32_t now, size_t buckets) {
  size_t removed = 0;
  for (size_t n = 0; n < std::min(buckets, bucket_count()); ++n, age_cursor_ = (age_cursor_ + 1) & mask_)
    for (Entry& entry : buckets_[age_cursor_].entries) {
      const uint64_t word = entry.load(std::memory_order_relaxed);
      if ((word & kValidBit) == 0 || (word & kStaticBit) != 0) continue;
      std::atomic<uint32_t>& last_seen = last_seen_of(entry);
      if ((word & kSeenBit) != 0) {
        entry.fetch_and(~kSeenBit, std::memory_order_relaxed);
        last_seen.store(now, std::memory_order_relaxed);
        continue;
      }
      const uint32_t seen = last_seen.load(std::memory_order_relaxed);
      if (options_.aging_seconds == 0 || now < seen || now - seen < options_.aging_seconds) continue;
      erase(entry);
      ++removed;
    }
  return removed;
}

}  // namespace podswitch
