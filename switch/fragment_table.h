// SPDX-License-Identifier: Apache-2.0
// The ports of IP datagrams whose fragments are passing: noted with the first fragment, so that the later
// ones, which have none, can be treated like it. Of fixed size, shared by all workers, which write it in the
// packet path. An entry is made of atomic words under its bucket's sequence number; nobody waits for a thread
// that is not running: after a few tries a look-up finds nothing and an insertion is given up.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "switch/net/address.h"
#include "switch/net/keyed_hash.h"
#include "switch/net/l3.h"

namespace podswitch {

// What all fragments of a datagram have in common.
struct FragmentKey {
  IpAddress source;
  IpAddress destination;
  uint32_t id = 0;
  uint16_t network = 0;
  uint8_t protocol = 0;  // IPv4's; 0 in IPv6, where only the first fragment says it (RFC 8200 section 4.5)
  friend bool operator==(const FragmentKey&, const FragmentKey&) = default;
};

struct FragmentPorts {
  uint16_t source = 0;
  uint16_t destination = 0;
  uint8_t protocol = 0;  // layer 4's
  friend bool operator==(const FragmentPorts&, const FragmentPorts&) = default;
};

// Of a fragment, which `l3` was found to be at `l3_offset`.
FragmentKey fragment_key(const rte_mbuf& packet, const net::L3& l3, uint16_t l3_offset,
                         uint16_t network) noexcept;
// Of a packet that holds the start of layer 4. nullopt: the protocol has no ports, or the first segment does
// not hold them all.
std::optional<FragmentPorts> ports_of(const rte_mbuf& packet, const net::L3& l3) noexcept;

class FragmentTable {
 public:
  struct Options {
    size_t capacity = 5120;          // datagrams; rounded up
    uint32_t lifetime_seconds = 30;  // Linux gives up reassembly then (ipfrag_time)
  };
  enum class Outcome : uint8_t {
    Stored,
    Evicted,  // stored in the place of a datagram that had not expired
    Busy,     // not stored
  };

  explicit FragmentTable(const Options& options);

  // Any worker. `now`: second of the switch's clock, from 1 on. A key that is there is written anew.
  Outcome insert(const FragmentKey& key, const FragmentPorts& ports, uint32_t now) noexcept;
  std::optional<FragmentPorts> find(const FragmentKey& key, uint32_t now) const noexcept;

  // Any thread: entries that have not expired; each counted when its bucket is passed.
  size_t count(uint32_t now) const noexcept;
  size_t capacity() const { return (mask_ + 1) * kEntries; }

 private:
  static constexpr size_t kEntries = 5;  // of a bucket
  static constexpr size_t kKeyWords = 5;
  using Words = std::array<uint64_t, kKeyWords>;

  struct Entry {
    std::array<std::atomic<uint64_t>, kKeyWords> key;  // the last one with layer 4's protocol in its low byte
    std::atomic<uint64_t> value;  // ports, and the second of expiry in the low half: 0 in a free entry
  };
  struct alignas(64) Bucket {
    std::atomic<uint32_t> sequence;  // odd while a worker writes
    std::array<Entry, kEntries> entries;

    bool try_lock() noexcept;
    void unlock() noexcept;
  };
  static_assert(sizeof(Bucket) == 256);

  static Words words_of(const FragmentKey& key) noexcept;
  static bool has_key(const Entry& entry, const Words& words) noexcept;
  static std::optional<FragmentPorts> search(const Bucket& bucket, const Words& words, uint32_t now) noexcept;
  static Entry& place_for(Bucket& bucket, const Words& words) noexcept;
  Bucket& bucket_of(const Words& words) const noexcept;

  uint32_t lifetime_seconds_;
  KeyedHash hash_ = KeyedHash::random();
  size_t mask_;
  std::unique_ptr<Bucket[]> buckets_;
};

}  // namespace podswitch
