// SPDX-License-Identifier: Apache-2.0
// The largest packet of a pod that fits every way to other nodes: the uplink's MTU without what encapsulation
// takes. Plain values, any thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pmd/routing.h"

namespace podswitch {

// What is left of an uplink's MTU inside a tunnel.
inline uint16_t mtu_in_tunnel(uint16_t uplink_mtu, uint16_t overhead) {
  return static_cast<uint16_t>(uplink_mtu - std::min(uplink_mtu, overhead));
}

// nullopt: there is no uplink, and pods have their ports' MTU. `own_node`: this node's name in `nodes`.
std::optional<uint16_t> pod_mtu(const std::vector<RoutedPort>& ports, const Nodes& nodes,
                                const std::string& own_node, const OverlayOptions& overlay);

// In words, when the port's pod may send what does not fit; else empty.
std::string mtu_hint(const PortSpec& port, const std::optional<uint16_t>& pod_mtu,
                     const OverlayOptions& overlay);

// What the gateway advertises to the port's pod; 0: nothing, because it has no IPv6 address or the gateway
// has none, or advertisements are off.
uint16_t advertised_mtu(const PortSpec& port, const Gateway& gateway, const std::optional<uint16_t>& pod_mtu,
                        const OverlayOptions& overlay);

}  // namespace podswitch
