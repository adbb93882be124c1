// SPDX-License-Identifier: Apache-2.0
// The sequence lock is that of switch/fragment_table.cpp: no fences, every word stored with release and
// loaded with acquire order.
#include "switch/neighbour_table.h"

#include <rte_pause.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace podswitch {
namespace {

constexpr int kTries = 16;

}  // namespace

NeighbourTable::NeighbourTable(const Options& options)
    : capacity_(std::max<size_t>(options.capacity, 1)),
      // At its capacity at most half full: that one of an address's two buckets has room is next to certain.
      mask_(std::bit_ceil(std::max<size_t>(capacity_ * 2 / kEntries, 2)) - 1),
      buckets_(std::make_unique<Bucket[]>(mask_ + 1)),
      times_(std::make_unique<Times[]>((mask_ + 1) * kEntries)) {}

NeighbourTable::Key NeighbourTable::key_of(Fid fid, const IpAddress& ip) noexcept {
  Key key{.ip = {}, .fid = fid};
  static_assert(sizeof key.ip == sizeof ip);
  std::memcpy(key.ip.data(), &ip, sizeof ip);
  return key;
}

std::array<NeighbourTable::Bucket*, 2> NeighbourTable::buckets_of(const Key& key) const noexcept {
  const uint64_t hash = hash_(key.ip[0], key.ip[1], key.fid);
  const size_t first = hash & mask_;
  const size_t other = (first ^ (hash >> 32 | 1)) & mask_;
  return {&buckets_[first], &buckets_[other]};
}

bool NeighbourTable::has_key(const Entry& entry, const Key& key) noexcept {
  const uint64_t value = entry.value.load(std::memory_order_acquire);
  return value != 0 && fid_of_key(value) == key.fid &&
         entry.ip[0].load(std::memory_order_acquire) == key.ip[0] &&
         entry.ip[1].load(std::memory_order_acquire) == key.ip[1];
}

std::optional<MacAddress> NeighbourTable::search(const Bucket& bucket, const Key& key, bool is_use) noexcept {
  for (size_t i = 0; i < kEntries; ++i) {
    if (!has_key(bucket.entries[i], key)) continue;
    const uint64_t value = bucket.entries[i].value.load(std::memory_order_acquire);
    const uint32_t bit = uint32_t{1} << i;
    // Writes only when that changes something, which keeps the line shared. A mark on an entry that is
    // replaced meanwhile lets its successor look used, no more.
    if (is_use && (bucket.used.load(std::memory_order_relaxed) & bit) == 0)
      bucket.used.fetch_or(bit, std::memory_order_relaxed);
    return mac_of_key(value);
  }
  return std::nullopt;
}

std::optional<MacAddress> NeighbourTable::read(const Bucket& bucket, const Key& key, bool is_use) noexcept {
  for (int i = 0; i < kTries; ++i) {
    const uint32_t before = bucket.sequence.load(std::memory_order_acquire);
    if (before % 2 == 0) {
      const auto mac = search(bucket, key, is_use);
      if (bucket.sequence.load(std::memory_order_relaxed) == before) return mac;
    }
    rte_pause();
  }
  return std::nullopt;
}

std::optional<MacAddress> NeighbourTable::look_up(Fid fid, const IpAddress& ip, bool is_use) const noexcept {
  const Key key = key_of(fid, ip);
  const auto [first, other] = buckets_of(key);
  if (const auto mac = read(*first, key, is_use)) return mac;
  return read(*other, key, is_use);
}

std::optional<MacAddress> NeighbourTable::find(Fid fid, const IpAddress& ip) const noexcept {
  return look_up(fid, ip, true);
}

std::optional<MacAddress> NeighbourTable::peek(Fid fid, const IpAddress& ip) const noexcept {
  return look_up(fid, ip, false);
}

std::optional<NeighbourTable::Place> NeighbourTable::place_of(const Key& key) const noexcept {
  for (Bucket* bucket : buckets_of(key))
    for (size_t i = 0; i < kEntries; ++i)
      if (has_key(bucket->entries[i], key)) return Place{bucket, i};
  return std::nullopt;
}

size_t NeighbourTable::count(const Bucket& bucket) noexcept {
  return static_cast<size_t>(
      std::count_if(bucket.entries.begin(), bucket.entries.end(),
                    [](const Entry& entry) { return entry.value.load(std::memory_order_relaxed) != 0; }));
}

std::optional<NeighbourTable::Place> NeighbourTable::room_for(const Key& key) const noexcept {
  if (size() >= capacity_) return std::nullopt;
  const auto [first, other] = buckets_of(key);
  Bucket* emptier = count(*other) < count(*first) ? other : first;
  for (size_t i = 0; i < kEntries; ++i)
    if (emptier->entries[i].value.load(std::memory_order_relaxed) == 0) return Place{emptier, i};
  return std::nullopt;
}

void NeighbourTable::write(Place place, const Key& key, uint64_t value) noexcept {
  Bucket& bucket = *place.bucket;
  Entry& entry = bucket.entries[place.index];
  const uint32_t sequence = bucket.sequence.load(std::memory_order_relaxed);
  bucket.sequence.store(sequence + 1, std::memory_order_relaxed);
  entry.ip[0].store(key.ip[0], std::memory_order_release);
  entry.ip[1].store(key.ip[1], std::memory_order_release);
  entry.value.store(value, std::memory_order_release);
  bucket.sequence.store(sequence + 2, std::memory_order_release);
}

NeighbourTable::Outcome NeighbourTable::set(Fid fid, const IpAddress& ip, const MacAddress& mac,
                                            uint32_t now) {
  const Key key = key_of(fid, ip);
  const uint64_t value = fdb_key(mac.as_u64(), fid);
  if (const auto known = place_of(key)) {
    times_of(*known).heard = now;
    auto& word = known->bucket->entries[known->index].value;
    return word.exchange(value, std::memory_order_release) == value ? Outcome::Unchanged : Outcome::Changed;
  }
  const auto room = room_for(key);
  if (!room) return Outcome::TableFull;
  room->bucket->used.fetch_and(~(uint32_t{1} << room->index), std::memory_order_relaxed);
  times_of(*room) = {.heard = now, .used = now};
  write(*room, key, value);
  size_.store(size() + 1, std::memory_order_relaxed);
  return Outcome::Stored;
}

bool NeighbourTable::remove(Fid fid, const IpAddress& ip) {
  const auto known = place_of(key_of(fid, ip));
  if (known) erase(*known);
  return known.has_value();
}

void NeighbourTable::erase(Place place) noexcept {
  write(place, Key{.ip = {}, .fid = 0}, 0);
  size_.store(size() - 1, std::memory_order_relaxed);
}

NeighbourTable::Times& NeighbourTable::times_of(Place place) const noexcept {
  return times_[static_cast<size_t>(place.bucket - buckets_.get()) * kEntries + place.index];
}

IpAddress NeighbourTable::ip_of(const Entry& entry) noexcept {
  const std::array<uint64_t, 2> words{entry.ip[0].load(std::memory_order_relaxed),
                                      entry.ip[1].load(std::memory_order_relaxed)};
  Ipv6Address ip;
  std::memcpy(ip.bytes.data(), words.data(), sizeof words);
  return IpAddress(ip);
}

NeighbourTable::Record NeighbourTable::record_of(Place place) const noexcept {
  const Entry& entry = place.bucket->entries[place.index];
  const uint64_t value = entry.value.load(std::memory_order_relaxed);
  const Times& times = times_of(place);
  return {fid_of_key(value), ip_of(entry), mac_of_key(value), times.heard, times.used};
}

void NeighbourTable::for_each(const std::function<void(const Record&)>& visit) const {
  for (size_t b = 0; b <= mask_; ++b)
    for (size_t i = 0; i < kEntries; ++i)
      if (buckets_[b].entries[i].value.load(std::memory_order_relaxed) != 0)
        visit(record_of({&buckets_[b], i}));
}

size_t NeighbourTable::age_slice(uint32_t now, size_t buckets,
                                 const std::function<bool(const Record&)>& keep) {
  size_t gone = 0;
  for (; buckets > 0; --buckets, cursor_ = (cursor_ + 1) & mask_) {
    Bucket& bucket = buckets_[cursor_];
    if (count(bucket) == 0) continue;
    const uint32_t used = bucket.used.exchange(0, std::memory_order_relaxed);
    for (size_t i = 0; i < kEntries; ++i) {
      const Place place{&bucket, i};
      if (bucket.entries[i].value.load(std::memory_order_relaxed) == 0) continue;
      if ((used >> i & 1) != 0) times_of(place).used = now;
      if (keep(record_of(place))) continue;
      erase(place);
      ++gone;
    }
  }
  return gone;
}

size_t NeighbourTable::remove_if(const std::function<bool(const Record&)>& doomed) {
  size_t gone = 0;
  for (size_t b = 0; b <= mask_; ++b)
    for (size_t i = 0; i < kEntries; ++i) {
      const Place place{&buckets_[b], i};
      if (place.bucket->entries[i].value.load(std::memory_order_relaxed) == 0 || !doomed(record_of(place)))
        continue;
      erase(place);
      ++gone;
    }
  return gone;
}

}  // namespace podswitch
