// SPDX-License-Identifier: Apache-2.0
// TTL and hop limit of a forwarded packet, with IPv4's checksum kept up to date. Called by the worker that
// owns the packet, whose data is not shared.
#pragma once

#include <cstdint>

#include "switch/net/headers.h"

namespace podswitch::net {

namespace detail {
// RFC 1624 equation 3 for a checksum that goes up by `step`. 0xffff becomes 0, as RFC 1141's form would not
// have it: summing up a header from scratch never gives 0xffff.
inline be16_t raised_checksum(be16_t checksum, be16_t step) noexcept {
  const uint32_t sum = uint32_t{checksum.raw()} + step.raw();
  return be16_t::from_raw(static_cast<uint16_t>(sum + (sum >= 0xffff ? 1 : 0)));
}
}  // namespace detail

// False: it must not go on, because it has used up its hops (RFC 1812 section 5.3.1); the header is as it
// was.
[[nodiscard]] inline bool decrement_ttl(Ipv4Header& ip) noexcept {
  if (ip.ttl <= 1) [[unlikely]]
    return false;
  --ip.ttl;
  ip.checksum = detail::raised_checksum(ip.checksum, be16_t(0x0100));
  return true;
}
[[nodiscard]] inline bool decrement_ttl(Ipv6Header& ip) noexcept {
  if (ip.hop_limit <= 1) [[unlikely]]
    return false;
  --ip.hop_limit;
  return true;
}

// Takes a decrement back: an error quotes a packet as it was received.
inline void restore_ttl(Ipv4Header& ip) noexcept {
  ++ip.ttl;
  ip.checksum = detail::raised_checksum(ip.checksum, be16_t(0xfeff));
}
inline void restore_ttl(Ipv6Header& ip) noexcept {
  ++ip.hop_limit;
}

}  // namespace podswitch::net
