// SPDX-License-Identifier: Apache-2.0
#include "switch/net/address.h"

#include <arpa/inet.h>

#include <cstdio>

namespace podswitch {
namespace {

constexpr std::array<uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::optional<uint8_t> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

// inet_pton stops at a NUL, so a text that holds one must not reach it.
template <typename Address>
std::optional<Address> parse_with_inet_pton(int family, std::string_view text) {
  if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return std::nullopt;
  Address address;
  if (inet_pton(family, std::string(text).c_str(), address.bytes.data()) != 1) return std::nullopt;
  return address;
}

template <typename Address>
std::string format_with_inet_ntop(int family, const Address& address) {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(family, address.bytes.data(), text, sizeof text);
  return text;
}

}  // namespace

std::optional<MacAddress> MacAddress::parse(std::string_view text) {
  if (text.size() != 17) return std::nullopt;
  MacAddress mac;
  for (size_t i = 0; i < 6; ++i) {
    const auto high = hex_digit(text[3 * i]);
    const auto low = hex_digit(text[3 * i + 1]);
    if (!high || !low || (i < 5 && text[3 * i + 2] != ':')) return std::nullopt;
    mac.bytes[i] = static_cast<uint8_t>(*high << 4 | *low);
  }
  return mac;
}

std::string MacAddress::to_string() const {
  char text[18];
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2], bytes[3],
                bytes[4], bytes[5]);
  return text;
}

std::optional<Ipv4Address> Ipv4Address::parse(std::string_view text) {
  return parse_with_inet_pton<Ipv4Address>(AF_INET, text);
}

std::string Ipv4Address::to_string() const {
  return format_with_inet_ntop(AF_INET, *this);
}

std::optional<Ipv6Address> Ipv6Address::parse(std::string_view text) {
  return parse_with_inet_pton<Ipv6Address>(AF_INET6, text);
}

std::string Ipv6Address::to_string() const {
  return format_with_inet_ntop(AF_INET6, *this);
}

Ipv6Address Ipv6Address::link_local_of(const MacAddress& mac) {
  const auto& m = mac.bytes;
  Ipv6Address address;
  address.bytes = {0xfe, 0x80, 0,    0,    0,    0,    0,   0, static_cast<uint8_t>(m[0] ^ 2),
                   m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]};
  return address;
}

Ipv6Address Ipv6Address::solicited_node_of(const Ipv6Address& target) {
  Ipv6Address address;
  address.bytes = {
      0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, target.bytes[13], target.bytes[14], target.bytes[15]};
  return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (const auto v4 = Ipv4Address::parse(text)) return IpAddress(*v4);
  if (const auto v6 = Ipv6Address::parse(text)) return IpAddress(*v6);
  return std::nullopt;
}

std::string IpAddress::to_string() const {
  return is_v4() ? v4().to_string() : v6.to_string();
}

bool IpAddress::is_v4() const {
  return std::memcmp(v6.bytes.data(), kMappedPrefix.data(), kMappedPrefix.size()) == 0;
}

Ipv4Address IpAddress::v4() const {
  Ipv4Address address;
  std::memcpy(address.bytes.data(), v6.bytes.data() + kMappedPrefix.size(), address.bytes.size());
  return address;
}

}  // namespace podswitch
