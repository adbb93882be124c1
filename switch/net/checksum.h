// SPDX-License-Identifier: Apache-2.0
// The internet checksum (RFC 1071) over bytes and mbuf chains, its pseudo headers, and its incremental update
// (RFC 1624); CRC32c for SCTP (RFC 9260 appendix A). A sum here is the folded one's complement sum of 16-bit
// words in wire order, as be16_t::raw() has it; a checksum field holds its complement. Any thread.
#pragma once

#include <rte_mbuf.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "switch/net/address.h"
#include "switch/net/byte_order.h"

namespace podswitch::net {

using Sum = uint16_t;

constexpr Sum add_sums(Sum a, Sum b) noexcept {
  const uint32_t total = uint32_t{a} + b;
  return static_cast<Sum>((total & 0xffff) + (total >> 16));
}
constexpr Sum complement(Sum sum) noexcept {
  return static_cast<Sum>(~sum);
}

Sum sum_bytes(const void* data, size_t length) noexcept;

// Of an IPv4 header of this length, which mostly is 20 bytes.
inline Sum sum_ipv4_header(const void* header, size_t length) noexcept {
  if (length != 20) [[unlikely]]
    return sum_bytes(header, length);
  uint64_t first, second;
  uint32_t last;
  std::memcpy(&first, header, sizeof first);
  std::memcpy(&second, static_cast<const uint8_t*>(header) + 8, sizeof second);
  std::memcpy(&last, static_cast<const uint8_t*>(header) + 16, sizeof last);
  constexpr uint64_t kLow = 0xffff'ffff;
  uint64_t sum = (first & kLow) + (first >> 32) + (second & kLow) + (second >> 32) + last;
  sum = (sum & kLow) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<Sum>((sum & 0xffff) + (sum >> 16));
}

// Over `length` bytes from `offset` on, as far as the chain reaches; segments of odd length included.
Sum sum_chain(const rte_mbuf& packet, uint32_t offset, uint32_t length) noexcept;

// `length` is that of the layer 4 header and its payload.
Sum pseudo_header_sum(const Ipv4Address& source, const Ipv4Address& destination, uint8_t protocol,
                      uint32_t length) noexcept;
Sum pseudo_header_sum(const Ipv6Address& source, const Ipv6Address& destination, uint8_t protocol,
                      uint32_t length) noexcept;

// The checksum after one word under it changed from `before` to `after` (RFC 1624 equation 3).
constexpr be16_t updated_checksum(be16_t checksum, be16_t before, be16_t after) noexcept {
  const Sum sum = add_sums(add_sums(complement(checksum.raw()), complement(before.raw())), after.raw());
  return be16_t::from_raw(complement(sum));
}

// Continues `crc` (start with ~0) over `length` bytes from `offset` on. The field is the complement of the
// result, its lowest byte first.
uint32_t crc32c_chain(const rte_mbuf& packet, uint32_t offset, uint32_t length, uint32_t crc) noexcept;

}  // namespace podswitch::net
