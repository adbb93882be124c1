// SPDX-License-Identifier: Apache-2.0
// One direction of a flow as its packets carry it: addresses and ports as they lie on the wire, the protocol,
// and the network, since two networks may overlap. Plain values, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "switch/net/address.h"
#include "switch/net/byte_order.h"
#include "switch/net/checksum.h"

namespace podswitch {

// Protocol, family and network in one word; FlowRecord::kind has the same in its low half.
struct FlowScope {
  static constexpr uint32_t kV6 = 1u << 8;
  static constexpr uint32_t make(uint8_t protocol, bool is_v6, uint16_t network) noexcept {
    return protocol | (is_v6 ? kV6 : 0) | uint32_t{network} << 16;
  }
};

struct FlowKey {
  // IPv4: source in the low half of the first word, destination in its high half. IPv6: two words each.
  std::array<uint64_t, 4> addresses{};
  uint32_t ports = 0;  // source in the low half, destination in the high half; a ping has its id in both
  uint32_t scope = 0;  // FlowScope

  bool is_v6() const noexcept { return (scope & FlowScope::kV6) != 0; }
  uint8_t protocol() const noexcept { return static_cast<uint8_t>(scope); }
  uint16_t network() const noexcept { return static_cast<uint16_t>(scope >> 16); }
  IpAddress source() const noexcept { return address_at(0); }
  IpAddress destination() const noexcept { return address_at(1); }
  uint16_t source_port() const noexcept { return __builtin_bswap16(static_cast<uint16_t>(ports)); }
  uint16_t destination_port() const noexcept { return __builtin_bswap16(static_cast<uint16_t>(ports >> 16)); }

  static FlowKey of(const IpAddress& source, uint16_t source_port, const IpAddress& destination,
                    uint16_t destination_port, uint8_t protocol, uint16_t network) noexcept {
    FlowKey key;
    const bool is_v6 = !source.is_v4() || !destination.is_v4();
    key.scope = FlowScope::make(protocol, is_v6, network);
    key.set_address(0, source);
    key.set_address(1, destination);
    key.ports = __builtin_bswap16(source_port) | uint32_t{__builtin_bswap16(destination_port)} << 16;
    return key;
  }
  FlowKey reversed() const noexcept {
    FlowKey key = *this;
    if (is_v6())
      key.addresses = {addresses[2], addresses[3], addresses[0], addresses[1]};
    else
      key.addresses[0] = addresses[0] >> 32 | addresses[0] << 32;
    key.ports = ports >> 16 | ports << 16;
    return key;
  }
  void set_source_port(uint16_t port) noexcept { ports = (ports & 0xffff'0000) | __builtin_bswap16(port); }
  void set_destination_port(uint16_t port) noexcept {
    ports = (ports & 0xffff) | uint32_t{__builtin_bswap16(port)} << 16;
  }
  void set_source(const IpAddress& ip) noexcept { set_address(0, ip); }
  void set_destination(const IpAddress& ip) noexcept { set_address(1, ip); }

  // Folded sums of the 16-bit words, for incremental checksums.
  net::Sum address_sum() const noexcept { return net::sum_bytes(addresses.data(), is_v6() ? 32 : 8); }
  net::Sum port_sum() const noexcept { return net::sum_bytes(&ports, sizeof ports); }

  friend bool operator==(const FlowKey&, const FlowKey&) = default;

 private:
  IpAddress address_at(unsigned end) const noexcept {
    if (is_v6()) {
      Ipv6Address ip;
      std::memcpy(ip.bytes.data(), &addresses[end * 2], sizeof ip);
      return IpAddress(ip);
    }
    const auto raw = static_cast<uint32_t>(addresses[0] >> (end * 32));
    Ipv4Address ip;
    std::memcpy(ip.bytes.data(), &raw, sizeof ip);
    return IpAddress(ip);
  }
  void set_address(unsigned end, const IpAddress& ip) noexcept {
    if (is_v6()) {
      addresses[end * 2] = ip.v6.word(0);
      addresses[end * 2 + 1] = ip.v6.word(8);
      return;
    }
    const uint64_t raw = ip.v4().raw();
    addresses[0] =
        end == 0 ? (addresses[0] & ~uint64_t{0xffff'ffff}) | raw : (addresses[0] & 0xffff'ffff) | raw << 32;
  }
};

}  // namespace podswitch
