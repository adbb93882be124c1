// SPDX-License-Identifier: Apache-2.0
// MAC and IP addresses as values in wire order, with their text forms. Parsing accepts only the whole
// text (RFC 4291, RFC 5952 for output) and returns nullopt otherwise. Any thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace podswitch {

struct MacAddress {
  std::array<uint8_t, 6> bytes{};

  static std::optional<MacAddress> parse(std::string_view text);
  std::string to_string() const;

  bool is_zero() const { return as_u64() == 0; }
  bool is_multicast() const { return (bytes[0] & 1) != 0; }  // also true for broadcast
  // The six bytes in the low 48 bits, as a little-endian load gives them.
  uint64_t as_u64() const {
    // Two loads: six bytes copied into a word go through memory, and reading them back as one word stalls.
    uint32_t low;
    uint16_t high;
    std::memcpy(&low, bytes.data(), sizeof low);
    std::memcpy(&high, bytes.data() + sizeof low, sizeof high);
    return uint64_t{high} << 32 | low;
  }
  static MacAddress from_u64(uint64_t v) {
    MacAddress mac;
    std::memcpy(mac.bytes.data(), &v, mac.bytes.size());
    return mac;
  }
  // Compared as words: the arrays' own comparison calls memcmp.
  friend bool operator==(const MacAddress& a, const MacAddress& b) { return a.as_u64() == b.as_u64(); }
  friend auto operator<=>(const MacAddress&, const MacAddress&) = default;
};
static_assert(sizeof(MacAddress) == 6);

struct Ipv4Address {
  std::array<uint8_t, 4> bytes{};

  static std::optional<Ipv4Address> parse(std::string_view text);
  std::string to_string() const;
  uint32_t raw() const {  // as it lies on the wire
    uint32_t v;
    std::memcpy(&v, bytes.data(), sizeof v);
    return v;
  }
  bool is_unspecified() const { return raw() == 0; }
  friend bool operator==(const Ipv4Address& a, const Ipv4Address& b) { return a.raw() == b.raw(); }
  friend auto operator<=>(const Ipv4Address&, const Ipv4Address&) = default;
};
static_assert(sizeof(Ipv4Address) == 4);

struct Ipv6Address {
  std::array<uint8_t, 16> bytes{};

  static std::optional<Ipv6Address> parse(std::string_view text);
  std::string to_string() const;
  bool is_unspecified() const { return (word(0) | word(8)) == 0; }
  bool is_multicast() const { return bytes[0] == 0xff; }
  bool is_link_local() const { return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80; }
  // The link-local address that RFC 4291 appendix A makes of a MAC (EUI-64).
  static Ipv6Address link_local_of(const MacAddress& mac);
  // ff02::1:ffXX:XXXX, RFC 4291 section 2.7.1.
  static Ipv6Address solicited_node_of(const Ipv6Address& target);
  uint64_t word(size_t offset) const {  // of 8 bytes, as it lies on the wire
    uint64_t v;
    std::memcpy(&v, bytes.data() + offset, sizeof v);
    return v;
  }
  friend bool operator==(const Ipv6Address& a, const Ipv6Address& b) {
    return ((a.word(0) ^ b.word(0)) | (a.word(8) ^ b.word(8))) == 0;
  }
  friend auto operator<=>(const Ipv6Address&, const Ipv6Address&) = default;
};
static_assert(sizeof(Ipv6Address) == 16);

// Either family. IPv4 is held in the IPv4-mapped form, so that one key serves both.
struct IpAddress {
  Ipv6Address v6{};

  IpAddress() = default;
  explicit IpAddress(const Ipv4Address& v4) {
    // Two whole words: an address put together of bytes and then copied as a whole stalls.
    const std::array<uint64_t, 2> words{0, uint64_t{v4.raw()} << 32 | 0xffff'0000};
    std::memcpy(v6.bytes.data(), words.data(), sizeof words);
  }
  explicit IpAddress(const Ipv6Address& address) : v6(address) {}

  static std::optional<IpAddress> parse(std::string_view text);
  std::string to_string() const;
  bool is_v4() const;
  Ipv4Address v4() const;  // only when is_v4()
  friend bool operator==(const IpAddress&, const IpAddress&) = default;
  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;
};

}  // namespace podswitch
