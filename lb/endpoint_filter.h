// SPDX-License-Identifier: Apache-2.0
// Which (address, protocol, port) are endpoints, and which addresses are virtual: two bits for each of them
// in one word. Answers may be wrong one way: such flows are tracked without need, no more. Bits are only ever
// set, by the configuration thread while workers read; a filter that has forgotten too much is replaced.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "lb/protocol.h"
#include "switch/net/address.h"

namespace podswitch {

class EndpointFilter {
 public:
  explicit EndpointFilter(size_t endpoints);  // that it is to hold

  // Whether it did not say so before.
  bool add(const IpAddress& ip, Protocol protocol, uint16_t port) noexcept {
    return add(hash_of(ip, key_of(static_cast<uint8_t>(protocol), port)));
  }
  bool may_contain(const IpAddress& ip, uint8_t protocol, uint16_t port) const noexcept {
    return has(hash_of(ip, key_of(protocol, port)));
  }
  // The address alone: virtual ones, and those of endpoints beside their ports.
  bool add(const IpAddress& ip) noexcept { return add(hash_of(ip, 0)); }
  bool may_contain(const IpAddress& ip) const noexcept { return has(hash_of(ip, 0)); }

  size_t capacity() const { return capacity_; }
  size_t memory_bytes() const { return (mask_ + 1) * sizeof(uint64_t); }

 private:
  static uint64_t key_of(uint8_t protocol, uint16_t port) noexcept { return uint64_t{protocol} << 16 | port; }
  // Both halves of the product, as in KeyedHash.
  static uint64_t hash_of(const IpAddress& ip, uint64_t key) noexcept {
    const auto fold = [](uint64_t value) {
      const auto product = static_cast<unsigned __int128>(value) * 0x9e37'79b9'7f4a'7c15;
      return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
    };
    return fold(fold(ip.v6.word(0) ^ key << 8 ^ 0xd1b5'4a32'd192'ed03) ^ ip.v6.word(8));
  }
  static uint64_t bits_of(uint64_t hash) noexcept {
    return uint64_t{1} << (hash >> 58) | uint64_t{1} << (hash >> 52 & 63);
  }
  bool add(uint64_t hash) noexcept;
  bool has(uint64_t hash) const noexcept {
    const uint64_t bits = bits_of(hash);
    return (bits_[hash & mask_].load(std::memory_order_relaxed) & bits) == bits;
  }

  size_t capacity_;
  size_t mask_;  // a power of two less one
  std::unique_ptr<std::atomic<uint64_t>[]> bits_;
};

}  // namespace podswitch
