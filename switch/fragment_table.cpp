// SPDX-License-Identifier: Apache-2.0
// The sequence lock without fences: every word is stored with release and loaded with acquire order, so that
// who has read a new word sees that the sequence has moved. On x86 both are plain moves.
#include "switch/fragment_table.h"

#include <rte_pause.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "switch/net/headers.h"
#include "switch/net/mbuf_view.h"

namespace podswitch {
namespace {

constexpr int kTries = 16;
constexpr uint64_t kProtocolMask = 0xff;

uint32_t expiry_of(uint64_t value) noexcept {
  return static_cast<uint32_t>(value);
}

}  // namespace

FragmentKey fragment_key(const rte_mbuf& packet, const net::L3& l3, uint16_t l3_offset,
                         uint16_t network) noexcept {
  FragmentKey key{.source = {}, .destination = {}, .id = l3.fragment_id, .network = network, .protocol = 0};
  const auto& ip4 = *rte_pktmbuf_mtod_offset(&packet, const net::Ipv4Header*, l3_offset);
  if (ip4.version_ihl >> 4 == 4) {
    key.source = IpAddress(ip4.source);
    key.destination = IpAddress(ip4.destination);
    key.protocol = ip4.protocol;
  } else {
    const auto& ip6 = *rte_pktmbuf_mtod_offset(&packet, const net::Ipv6Header*, l3_offset);
    key.source = IpAddress(ip6.source);
    key.destination = IpAddress(ip6.destination);
  }
  return key;
}

std::optional<FragmentPorts> ports_of(const rte_mbuf& packet, const net::L3& l3) noexcept {
  if (l3.protocol != net::kProtoTcp && l3.protocol != net::kProtoUdp && l3.protocol != net::kProtoSctp)
    return std::nullopt;
  struct Ports {
    be16_t source;
    be16_t destination;
  };
  const auto* ports = net::header_at<Ports>(packet, l3.l4_offset);
  if (!l3.is_first || ports == nullptr || l3.l4_length() < sizeof *ports) return std::nullopt;
  return FragmentPorts{ports->source.host(), ports->destination.host(), l3.protocol};
}

bool FragmentTable::Bucket::try_lock() noexcept {
  for (int i = 0; i < kTries; ++i) {
    uint32_t seen = sequence.load(std::memory_order_relaxed);
    if (seen % 2 == 0 &&
        sequence.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire, std::memory_order_relaxed))
      return true;
    rte_pause();
  }
  return false;
}

void FragmentTable::Bucket::unlock() noexcept {
  sequence.store(sequence.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

FragmentTable::FragmentTable(const Options& options)
    : lifetime_seconds_(options.lifetime_seconds),
      mask_(std::bit_ceil(std::max<size_t>((options.capacity + kEntries - 1) / kEntries, 1)) - 1),
      buckets_(std::make_unique<Bucket[]>(mask_ + 1)) {}

FragmentTable::Words FragmentTable::words_of(const FragmentKey& key) noexcept {
  Words words;
  static_assert(sizeof key.source == 16);
  std::memcpy(&words[0], &key.source, sizeof key.source);
  std::memcpy(&words[2], &key.destination, sizeof key.destination);
  words[4] = uint64_t{key.id} << 32 | uint64_t{key.network} << 16 | uint64_t{key.protocol} << 8;
  return words;
}

FragmentTable::Bucket& FragmentTable::bucket_of(const Words& words) const noexcept {
  return buckets_[hash_(words[0], words[1], words[2], words[3], words[4]) & mask_];
}

bool FragmentTable::has_key(const Entry& entry, const Words& words) noexcept {
  const auto word = [&](size_t i) { return entry.key[i].load(std::memory_order_acquire); };
  return word(0) == words[0] && word(1) == words[1] && word(2) == words[2] && word(3) == words[3] &&
         (word(4) & ~kProtocolMask) == words[4];
}

// The key's own entry, or else the one that expires first: a free or expired one if there is any.
FragmentTable::Entry& FragmentTable::place_for(Bucket& bucket, const Words& words) noexcept {
  Entry* oldest = &bucket.entries[0];
  for (Entry& entry : bucket.entries) {
    if (has_key(entry, words)) return entry;
    if (expiry_of(entry.value.load(std::memory_order_relaxed)) <
        expiry_of(oldest->value.load(std::memory_order_relaxed)))
      oldest = &entry;
  }
  return *oldest;
}

FragmentTable::Outcome FragmentTable::insert(const FragmentKey& key, const FragmentPorts& ports,
                                             uint32_t now) noexcept {
  const Words words = words_of(key);
  Bucket& bucket = bucket_of(words);
  if (!bucket.try_lock()) return Outcome::Busy;
  Entry& entry = place_for(bucket, words);
  const bool is_live = expiry_of(entry.value.load(std::memory_order_relaxed)) > now;
  const Outcome outcome = is_live && !has_key(entry, words) ? Outcome::Evicted : Outcome::Stored;
  for (size_t i = 0; i + 1 < kKeyWords; ++i) entry.key[i].store(words[i], std::memory_order_release);
  entry.key[kKeyWords - 1].store(words[kKeyWords - 1] | ports.protocol, std::memory_order_release);
  entry.value.store(uint64_t{ports.source} << 48 | uint64_t{ports.destination} << 32 |
                        static_cast<uint32_t>(now + lifetime_seconds_),
                    std::memory_order_release);
  bucket.unlock();
  return outcome;
}

std::optional<FragmentPorts> FragmentTable::search(const Bucket& bucket, const Words& words,
                                                   uint32_t now) noexcept {
  for (const Entry& entry : bucket.entries) {
    if (!has_key(entry, words)) continue;
    const uint64_t value = entry.value.load(std::memory_order_acquire);
    if (expiry_of(value) <= now) return std::nullopt;
    const uint64_t last = entry.key[kKeyWords - 1].load(std::memory_order_acquire);
    return FragmentPorts{static_cast<uint16_t>(value >> 48), static_cast<uint16_t>(value >> 32),
                         static_cast<uint8_t>(last & kProtocolMask)};
  }
  return std::nullopt;
}

std::optional<FragmentPorts> FragmentTable::find(const FragmentKey& key, uint32_t now) const noexcept {
  const Words words = words_of(key);
  const Bucket& bucket = bucket_of(words);
  for (int i = 0; i < kTries; ++i) {
    const uint32_t before = bucket.sequence.load(std::memory_order_acquire);
    if (before % 2 == 0) {
      const auto ports = search(bucket, words, now);
      if (bucket.sequence.load(std::memory_order_relaxed) == before) return ports;
    }
    rte_pause();
  }
  return std::nullopt;
}

size_t FragmentTable::count(uint32_t now) const noexcept {
  size_t live = 0;
  for (size_t i = 0; i <= mask_; ++i)
    for (const Entry& entry : buckets_[i].entries)
      live += expiry_of(entry.value.load(std::memory_order_relaxed)) > now;
  return live;
}

}  // namespace podswitch
