// SPDX-License-Identifier: Apache-2.0
// Maglev hashing (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016,
// section 3.4): which backend a flow gets. A table is a pure function of the backends' addresses, so that
// every node has the same. Built by the configuration thread, then immutable; workers read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "switch/net/address.h"

namespace podswitch {

// The primes on which table sizes step. With few backends a table is small; each backend has at least 64
// entries where the ladder allows (up to 1023 backends), so that max/avg is at most 1.02.
inline constexpr uint32_t kMaglevSizes[] = {1021, 4093, 16381, 65521};
inline constexpr size_t kMaxBackends = 65521;  // of one service port: an entry has 16 bits
uint32_t maglev_size(size_t backends) noexcept;

class Maglev {
 public:
  // `backends`: sorted, at least one; the same address may come several times (with other ports). An entry is
  // an index into them.
  explicit Maglev(std::span<const IpAddress> backends);

  // `hash`: all 32 bits matter. Any thread.
  uint16_t choose(uint32_t hash) const noexcept {
    return entries_[static_cast<uint64_t>(hash) * size_ >> 32];
  }
  const uint16_t* place_of(uint32_t hash) const noexcept {  // where it looks
    return &entries_[static_cast<uint64_t>(hash) * size_ >> 32];
  }
  uint32_t size() const { return size_; }
  std::span<const uint16_t> entries() const { return {entries_.get(), size_}; }
  size_t memory_bytes() const { return sizeof *this + size_ * sizeof(uint16_t); }

 private:
  uint32_t size_;
  std::unique_ptr<uint16_t[]> entries_;
};

}  // namespace podswitch
