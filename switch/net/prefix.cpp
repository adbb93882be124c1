// SPDX-License-Identifier: Apache-2.0
#include "switch/net/prefix.h"

#include <algorithm>
#include <charconv>

namespace podswitch {
namespace {

constexpr unsigned kMappedBits = 96;  // IPv4 is held in its mapped form

unsigned bits_of(const Prefix& prefix) {
  return prefix.is_v4() ? kMappedBits + prefix.length : prefix.length;
}

// `address` with all bits behind the first `bits` cleared.
IpAddress masked(const IpAddress& address, unsigned bits) {
  IpAddress result = address;
  for (unsigned i = 0; i < result.v6.bytes.size(); ++i) {
    const unsigned kept = bits <= i * 8 ? 0 : std::min(bits - i * 8, 8U);
    result.v6.bytes[i] &= static_cast<uint8_t>(0xff00U >> kept);
  }
  return result;
}

// "ADDRESS/LENGTH", with any bits set.
std::optional<Prefix> parse_pair(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = IpAddress::parse(text.substr(0, slash));
  const std::string_view digits = text.substr(slash + 1);
  if (!address || digits.empty() || digits.size() > 3 || (digits.size() > 1 && digits[0] == '0'))
    return std::nullopt;
  unsigned length = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), length);
  if (error != std::errc() || end != digits.end() || length > (address->is_v4() ? 32U : 128U))
    return std::nullopt;
  return Prefix{*address, static_cast<uint8_t>(length)};
}

bool is_unicast(const IpAddress& ip) {
  if (ip.is_v4()) return ip.v4().bytes[0] != 0 && ip.v4().bytes[0] < 224;
  return !ip.v6.is_unspecified() && !ip.v6.is_multicast();
}

}  // namespace

std::optional<Prefix> Prefix::parse(std::string_view text) {
  const auto prefix = parse_pair(text);
  if (!prefix || masked(prefix->address, bits_of(*prefix)) != prefix->address) return std::nullopt;
  return prefix;
}

std::optional<PrefixedAddress> PrefixedAddress::parse(std::string_view text) {
  const auto pair = parse_pair(text);
  if (!pair || !is_unicast(pair->address)) return std::nullopt;
  return PrefixedAddress{pair->address, pair->length};
}

std::string PrefixedAddress::to_string() const {
  return ip.to_string() + "/" + std::to_string(length);
}

Prefix PrefixedAddress::prefix() const {
  Prefix prefix{ip, length};
  prefix.address = masked(ip, bits_of(prefix));
  return prefix;
}

Prefix Prefix::of(const IpAddress& address) {
  return {address, static_cast<uint8_t>(address.is_v4() ? 32 : 128)};
}

std::string Prefix::to_string() const {
  return address.to_string() + "/" + std::to_string(length);
}

// A mapped IPv4 address is no member of ::/0: the families are apart.
bool Prefix::contains(const IpAddress& ip) const {
  return ip.is_v4() == is_v4() && masked(ip, bits_of(*this)) == address;
}

bool Prefix::contains(const Prefix& other) const {
  return other.length >= length && contains(other.address);
}

}  // namespace podswitch
