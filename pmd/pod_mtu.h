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

// What fits between pods of different nodes in one packet, by the network that their ports are in. A plain
// value.
class PodMtus {
 public:
  PodMtus() = default;  // there is no uplink
  // `ends`: of tunnels to the other nodes; `stretched`: networks that are bridged over nodes.
  PodMtus(const std::vector<RoutedPort>& ports, const TunnelEnds& ends, const OverlayOptions& overlay,
          const Networks& stretched);

  // Of the network that is routed to other nodes; nullopt: pods have their ports' MTU.
  const std::optional<uint16_t>& routed() const { return routed_; }
  // nullopt: what the port sends stays on this node, or is no pod's.
  std::optional<uint16_t> of(const PortSpec& port) const;
  bool is_stretched(const PortSpec& port) const { return stretched_.contains(port.network); }
  bool operator==(const PodMtus&) const = default;

 private:
  std::optional<uint16_t> routed_, bridged_;
  std::string network_;  // that is routed
  Networks stretched_;
};

// In words, when the port's pod may send what does not fit; else empty.
std::string mtu_hint(const PortSpec& port, const PodMtus& mtus);

// What the gateway advertises to the port's pod; 0: nothing, because it has no IPv6 address or the gateway
// has none, or advertisements are off.
uint16_t advertised_mtu(const PortSpec& port, const Gateway& gateway, const PodMtus& mtus);

}  // namespace podswitch
