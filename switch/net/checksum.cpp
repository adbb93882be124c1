// SPDX-License-Identifier: Apache-2.0
#include "switch/net/checksum.h"

#include <nmmintrin.h>

#include <algorithm>
#include <cstring>

namespace podswitch::net {
namespace {

template <typename Word>
Word load(const uint8_t* bytes) noexcept {
  Word word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

Sum fold(uint64_t sum) noexcept {
  sum = (sum & 0xffff'ffff) + (sum >> 32);
  sum = (sum & 0xffff'ffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<Sum>(sum);
}

// Calls visit(bytes, size) for each contiguous piece of the range.
template <typename Visit>
void for_each_piece(const rte_mbuf& packet, uint32_t offset, uint32_t length, Visit&& visit) noexcept {
  for (const rte_mbuf* segment = &packet; segment != nullptr && length > 0; segment = segment->next) {
    if (offset >= segment->data_len) {
      offset -= segment->data_len;
      continue;
    }
    const uint32_t size = std::min<uint32_t>(length, segment->data_len - offset);
    visit(rte_pktmbuf_mtod_offset(segment, const uint8_t*, offset), size);
    length -= size;
    offset = 0;
  }
}

uint32_t crc32c(const uint8_t* bytes, size_t size, uint32_t crc) noexcept {
  uint64_t wide = crc;
  for (; size >= 8; bytes += 8, size -= 8) wide = _mm_crc32_u64(wide, load<uint64_t>(bytes));
  crc = static_cast<uint32_t>(wide);
  for (; size > 0; ++bytes, --size) crc = _mm_crc32_u8(crc, *bytes);
  return crc;
}

}  // namespace

Sum sum_bytes(const void* data, size_t length) noexcept {
  // 32-bit words into a 64-bit sum: no carry to mind below 2^32 words, and the compiler vectorizes it.
  const auto* bytes = static_cast<const uint8_t*>(data);
  uint64_t sum = 0;
  for (; length >= 4; bytes += 4, length -= 4) sum += load<uint32_t>(bytes);
  if (length >= 2) {
    sum += load<uint16_t>(bytes);
    bytes += 2;
  }
  if (length % 2 != 0) sum += *bytes;
  return fold(sum);
}

Sum sum_chain(const rte_mbuf& packet, uint32_t offset, uint32_t length) noexcept {
  Sum sum = 0;
  bool at_odd_byte = false;
  for_each_piece(packet, offset, length, [&](const uint8_t* bytes, uint32_t size) noexcept {
    const Sum piece = sum_bytes(bytes, size);
    sum = add_sums(sum, at_odd_byte ? __builtin_bswap16(piece) : piece);  // RFC 1071 section 2 (B)
    at_odd_byte ^= size % 2 != 0;
  });
  return sum;
}

Sum pseudo_header_sum(const Ipv4Address& source, const Ipv4Address& destination, uint8_t protocol,
                      uint32_t length) noexcept {
  return fold(uint64_t{source.raw()} + destination.raw() + be16_t(protocol).raw() + be32_t(length).raw());
}

Sum pseudo_header_sum(const Ipv6Address& source, const Ipv6Address& destination, uint8_t protocol,
                      uint32_t length) noexcept {
  const Sum addresses = add_sums(sum_bytes(source.bytes.data(), source.bytes.size()),
                                 sum_bytes(destination.bytes.data(), destination.bytes.size()));
  return fold(uint64_t{addresses} + be16_t(protocol).raw() + be32_t(length).raw());
}

uint32_t crc32c_chain(const rte_mbuf& packet, uint32_t offset, uint32_t length, uint32_t crc) noexcept {
  for_each_piece(packet, offset, length,
                 [&](const uint8_t* bytes, uint32_t size) noexcept { crc = crc32c(bytes, size, crc); });
  return crc;
}

}  // namespace podswitch::net
