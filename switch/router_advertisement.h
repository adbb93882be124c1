// SPDX-License-Identifier: Apache-2.0
// What the gateway tells pods about itself and the MTU that fits (RFC 4861 section 4.2). No prefix is in it:
// pods are given their addresses. Any thread.
#pragma once

#include <cstdint>

#include "switch/net/address.h"
#include "switch/net/headers.h"

namespace podswitch {

inline constexpr Ipv6Address kAllNodes{{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
inline constexpr MacAddress kAllNodesMac{{0x33, 0x33, 0, 0, 0, 1}};

struct RouterAdvertisement {
  net::Ipv6Header ip;
  net::NdRouterAdvertisement router;
  net::NdLinkLayerOption source;
  net::NdMtuOption mtu;
};
static_assert(sizeof(RouterAdvertisement) == 72);

// From the link-local address of `mac`. `lifetime_seconds`: as a default router; 0: it is none.
RouterAdvertisement make_router_advertisement(const MacAddress& mac, uint16_t lifetime_seconds, uint16_t mtu,
                                              const Ipv6Address& destination) noexcept;

}  // namespace podswitch
