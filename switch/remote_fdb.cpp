// SPDX-License-Identifier: Apache-2.0
#include "switch/remote_fdb.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <new>

namespace podswitch {

RemoteFdb::RemoteFdb(const Options& options) : options_(options), learned_per_hop_(kMaxNextHops) {
  if (options_.vtep_limit == 0) options_.vtep_limit = options_.capacity / 2;
  constexpr size_t kFilled = kEntries / 2;  // of a bucket when the table is at its capacity
  const size_t buckets = std::bit_ceil(std::max<size_t>(options_.capacity / kFilled, 2));
  mask_ = buckets - 1;
  // Zeros are free entries; a page comes with the first entry in it.
  void* memory =
      mmap(nullptr, buckets * sizeof(Bucket), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  buckets_ = static_cast<Bucket*>(memory);
}

RemoteFdb::~RemoteFdb() {
  munmap(buckets_, bucket_count() * sizeof(Bucket));
}

RemoteFdb::Record RemoteFdb::record_of(uint64_t key, uint64_t word) {
  return {mac_of_key(key), fid_of_key(key), static_cast<NextHopId>(word & kHopMask), (word & kStaticBit) != 0,
          static_cast<uint32_t>(word >> kLastSeenShift)};
}

RemoteFdb::Place RemoteFdb::find_place(uint64_t key) const noexcept {
  for (Bucket* bucket : buckets_of(key))
    for (size_t i = 0; i < kEntries; ++i)
      if (bucket->keys[i].load(std::memory_order_relaxed) == key) return {bucket, i};
  return {};
}

RemoteFdb::Place RemoteFdb::free_in(Bucket& bucket) const noexcept {
  for (size_t i = 0; i < kEntries; ++i)
    if (bucket.keys[i].load(std::memory_order_relaxed) == 0) return {&bucket, i};
  return {};
}

// Moves some entry to its other bucket, as Fdb::make_room() does.
RemoteFdb::Place RemoteFdb::make_room(Bucket& bucket, int depth) noexcept {
  for (size_t i = 0; i < kEntries; ++i) {
    const Place from{&bucket, i};
    const uint64_t key = from.key().load(std::memory_order_relaxed);
    const auto [first, second] = buckets_of(key);
    Bucket& other = first == &bucket ? *second : *first;
    if (&other == &bucket) continue;
    Place to = free_in(other);
    if (!to && depth > 0) to = make_room(other, depth - 1);
    if (const Place freed = free_in(bucket)) return freed;  // a further move ended here
    if (!to) continue;
    to.word().store(from.word().load(std::memory_order_relaxed), std::memory_order_release);
    to.key().store(key, std::memory_order_release);
    from.key().store(0, std::memory_order_release);
    return from;
  }
  return {};
}

RemoteFdb::Outcome RemoteFdb::insert(uint64_t key, uint64_t word) {
  if ((word & kStaticBit) == 0 && size() >= options_.capacity) return Outcome::TableFull;
  constexpr int kFurtherMoves = 2;
  const auto [first, second] = buckets_of(key);
  Place place = free_in(*first);
  if (!place) place = free_in(*second);
  if (!place) place = make_room(*first, kFurtherMoves);
  if (!place) place = make_room(*second, kFurtherMoves);
  if (!place) return Outcome::TableFull;
  // The word before the key: who reads the key finds its word, and who read the old key sees that it went.
  place.word().store(word, std::memory_order_release);
  place.key().store(key, std::memory_order_release);
  size_.store(size() + 1, std::memory_order_relaxed);
  return Outcome::Stored;
}

void RemoteFdb::erase(const Place& place) {
  const uint64_t word = place.word().load(std::memory_order_relaxed);
  if ((word & kStaticBit) == 0) --learned_per_hop_[word & kHopMask];
  place.key().store(0, std::memory_order_release);
  size_.store(size() - 1, std::memory_order_relaxed);
}

RemoteFdb::Outcome RemoteFdb::move(const Place& place, NextHopId hop, uint32_t now) {
  const uint64_t word = place.word().load(std::memory_order_relaxed);
  if ((word & kStaticBit) != 0) return Outcome::Static;
  const auto old_hop = static_cast<NextHopId>(word & kHopMask);
  if (old_hop != hop && is_full(hop)) return Outcome::VtepLimit;
  place.word().store(word_of(hop, 0, now), std::memory_order_release);
  if (old_hop == hop) return Outcome::Unchanged;
  --learned_per_hop_[old_hop];
  ++learned_per_hop_[hop];
  return Outcome::Stored;
}

RemoteFdb::Outcome RemoteFdb::learn(uint64_t key, NextHopId hop, uint32_t now) {
  if (const Place place = find_place(key)) return move(place, hop, now);
  if (is_full(hop)) return Outcome::VtepLimit;
  const Outcome outcome = insert(key, word_of(hop, 0, now));
  if (outcome == Outcome::Stored) ++learned_per_hop_[hop];
  return outcome;
}

RemoteFdb::Outcome RemoteFdb::add_static(uint64_t key, NextHopId hop) {
  const uint64_t word = word_of(hop, kStaticBit, 0);
  const Place place = find_place(key);
  if (!place) return insert(key, word);
  const uint64_t old = place.word().load(std::memory_order_relaxed);
  if ((old & kStaticBit) == 0) --learned_per_hop_[old & kHopMask];
  place.word().store(word, std::memory_order_release);
  return Outcome::Stored;
}

bool RemoteFdb::remove(uint64_t key) {
  const Place place = find_place(key);
  if (!place) return false;
  erase(place);
  return true;
}

void RemoteFdb::for_each(const std::function<void(const Record&)>& visit) const {
  if (size() == 0) return;
  for (size_t i = 0; i < bucket_count(); ++i)
    for (size_t n = 0; n < kEntries; ++n) {
      const uint64_t key = buckets_[i].keys[n].load(std::memory_order_acquire);
      if (key != 0) visit(record_of(key, buckets_[i].words[n].load(std::memory_order_acquire)));
    }
}

size_t RemoteFdb::remove_if(const std::function<bool(const Record&)>& doomed) {
  size_t removed = 0;
  if (size() == 0) return removed;
  for (size_t i = 0; i < bucket_count(); ++i)
    for (size_t n = 0; n < kEntries; ++n) {
      const Place place{&buckets_[i], n};
      const uint64_t key = place.key().load(std::memory_order_relaxed);
      if (key == 0 || !doomed(record_of(key, place.word().load(std::memory_order_relaxed)))) continue;
      erase(place);
      ++removed;
    }
  return removed;
}

size_t RemoteFdb::age_slice(uint32_t now, size_t buckets) {
  size_t removed = 0;
  if (size() == 0) return removed;
  for (size_t n = 0; n < std::min(buckets, bucket_count()); ++n, age_cursor_ = (age_cursor_ + 1) & mask_)
    for (size_t i = 0; i < kEntries; ++i) {
      const Place place{&buckets_[age_cursor_], i};
      if (place.key().load(std::memory_order_relaxed) == 0) continue;
      const uint64_t word = place.word().load(std::memory_order_relaxed);
      if ((word & kStaticBit) != 0) continue;
      if ((word & kSeenBit) != 0) {
        place.word().store(word_of(static_cast<NextHopId>(word & kHopMask), 0, now),
                           std::memory_order_release);
        continue;
      }
      const auto seen = static_cast<uint32_t>(word >> kLastSeenShift);
      if (options_.aging_seconds == 0 || now < seen || now - seen < options_.aging_seconds) continue;
      erase(place);
      ++removed;
    }
  return removed;
}

}  // namespace podswitch
