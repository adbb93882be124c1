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

}  // namespace podswitch
