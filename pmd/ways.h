// SPDX-License-Identifier: Apache-2.0
// How the pods of other nodes are reached: through a tunnel, or by the underlay as it is. Follows from the
// uplink's addresses and [overlay], node by node. Configuration thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "pmd/port_spec.h"
#include "switch/encap.h"
#include "switch/net/tunnel.h"
#include "switch/node.h"

namespace podswitch {

enum class OverlayMode : uint8_t {
  Tunnel,  // whatever lies between
  Direct,  // never encapsulated: the underlay's routers know the pod CIDRs
  Auto,    // direct to nodes on the uplink's own link, through a tunnel to those beyond
};

struct OverlayOptions {
  OverlayMode mode = OverlayMode::Tunnel;
  net::Encapsulation encapsulation = net::Encapsulation::Vxlan;
  uint16_t udp_port = 0;  // 0: IANA's
  uint16_t port() const {
    if (udp_port != 0) return udp_port;
    return encapsulation == net::Encapsulation::Vxlan ? net::kVxlanPort : net::kGenevePort;
  }
  uint32_t vni = 1;
  std::string network = "default";
  DontFragment dont_fragment = DontFragment::Set;
  std::optional<MacAddress> vtep_mac;  // derived from the VTEP's address when not given
};

struct Way {
  enum class Kind : uint8_t { None, Tunnel, Direct };
  Kind kind = Kind::None;
  IpAddress vtep;           // the node's address
  IpAddress via;            // the neighbour in the underlay: the node itself, or the gateway
  uint16_t mtu = 0;         // of layer 3, as far as the uplink says
  std::string_view reason;  // None: why
};
// "none", "tunnel", "direct".
std::string_view to_string(Way::Kind kind);

class Ways {
 public:
  // `uplink`: nullptr when there is none. Outlives this, as `overlay` does.
  Ways(const PortSpec* uplink, const OverlayOptions& overlay) : uplink_(uplink), overlay_(&overlay) {}

  // To those of its pods that have addresses of one family.
  Way to(const NodeSpec& node, bool is_v4) const;
  // Itself when it is on the uplink's link, else the gateway.
  IpAddress neighbour_of(const IpAddress& ip) const;
  // Where tunnels to the node end; nullptr: there is no way.
  const IpAddress* tunnel_end(const NodeSpec& node) const;
  // Our own address of this family; nullptr: the uplink has none.
  const PrefixedAddress* own(bool is_v4) const;
  bool is_on_link(const IpAddress& ip) const;

 private:
  const IpAddress* gateway(bool is_v4) const;
  Way direct(const NodeSpec& node, bool is_v4) const;

  const PortSpec* uplink_;
  const OverlayOptions* overlay_;
};

}  // namespace podswitch
