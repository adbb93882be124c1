// SPDX-License-Identifier: Apache-2.0
// An IP prefix (CIDR notation, RFC 4632 and RFC 4291 section 2.3) as a value. Any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "switch/net/address.h"

namespace podswitch {

struct Prefix {
  IpAddress address{};  // bits behind `length` are 0
  uint8_t length = 0;   // in the address's own family: 0..32 for IPv4, 0..128 for IPv6

  // The whole text "ADDRESS/LENGTH"; nullopt also when a bit behind the length is set.
  static std::optional<Prefix> parse(std::string_view text);
  // The prefix that holds one address.
  static Prefix of(const IpAddress& address);
  std::string to_string() const;

  bool is_v4() const { return address.is_v4(); }
  bool contains(const IpAddress& ip) const;
  bool contains(const Prefix& other) const;  // also itself
  bool overlaps(const Prefix& other) const { return contains(other) || other.contains(*this); }
  friend bool operator==(const Prefix&, const Prefix&) = default;
  friend auto operator<=>(const Prefix&, const Prefix&) = default;
};

// An address and the prefix that it lives in, as an interface has them ("192.0.2.7/24").
struct PrefixedAddress {
  IpAddress ip{};
  uint8_t length = 0;  // as Prefix::length

  // The whole text "ADDRESS/LENGTH"; the address is a unicast one.
  static std::optional<PrefixedAddress> parse(std::string_view text);
  std::string to_string() const;
  Prefix prefix() const;
  friend bool operator==(const PrefixedAddress&, const PrefixedAddress&) = default;
  friend auto operator<=>(const PrefixedAddress&, const PrefixedAddress&) = default;
};

}  // namespace podswitch
