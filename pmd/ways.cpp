// SPDX-License-Identifier: Apache-2.0
#include "pmd/ways.h"

#include "pmd/pod_mtu.h"

namespace podswitch {

std::string_view to_string(Way::Kind kind) {
  switch (kind) {
    case Way::Kind::Tunnel:
      return "tunnel";
    case Way::Kind::Direct:
      return "direct";
    case Way::Kind::None:
      break;
  }
  return "none";
}

const PrefixedAddress* Ways::own(bool is_v4) const {
  if (uplink_ != nullptr)
    for (const PrefixedAddress& address : uplink_->underlay)
      if (address.ip.is_v4() == is_v4) return &address;
  return nullptr;
}

const IpAddress* Ways::gateway(bool is_v4) const {
  if (uplink_ != nullptr)
    for (const IpAddress& ip : uplink_->underlay_gateways)
      if (ip.is_v4() == is_v4) return &ip;
  return nullptr;
}

bool Ways::is_on_link(const IpAddress& ip) const {
  const PrefixedAddress* mine = own(ip.is_v4());
  return mine != nullptr && mine->prefix().contains(ip);
}

IpAddress Ways::neighbour_of(const IpAddress& ip) const {
  const IpAddress* router = is_on_link(ip) ? nullptr : gateway(ip.is_v4());
  return router == nullptr ? ip : *router;
}

const IpAddress* Ways::tunnel_end(const NodeSpec& node) const {
  for (const IpAddress& ip : node.vteps)
    if (own(ip.is_v4()) != nullptr) return &ip;
  return nullptr;
}

// A node on the link is a next hop for either family, whatever family its address is of: all that counts is
// its MAC (as RFC 8950 has it for IPv4). A gateway routes what has a family of its own.
Way Ways::direct(const NodeSpec& node, bool is_v4) const {
  for (const bool has_family : {true, false})
    for (const IpAddress& ip : node.vteps)
      if ((ip.is_v4() == is_v4) == has_family && is_on_link(ip))
        return {Way::Kind::Direct, ip, ip, uplink_->mtu, {}};
  if (overlay_->mode != OverlayMode::Direct) return {};
  for (const IpAddress& ip : node.vteps)
    if (ip.is_v4() == is_v4 && own(is_v4) != nullptr && gateway(is_v4) != nullptr)
      return {Way::Kind::Direct, ip, *gateway(is_v4), uplink_->mtu, {}};
  return {};
}

Way Ways::to(const NodeSpec& node, bool is_v4) const {
  const auto none = [](std::string_view reason) { return Way{.vtep = {}, .via = {}, .reason = reason}; };
  if (uplink_ == nullptr) return none("there is no uplink");
  if (uplink_->underlay.empty()) return none("the uplink has no address");
  if (node.vteps.empty()) return none("the node has no VTEP");
  if (overlay_->mode != OverlayMode::Tunnel) {
    const Way way = direct(node, is_v4);
    if (way.kind == Way::Kind::Direct) return way;
  }
  if (overlay_->mode == OverlayMode::Direct)
    return none(
        is_v4 ? "no direct way for IPv4: the node is not on the uplink's link, and it or the uplink has no "
                "IPv4 address, or the uplink no IPv4 gateway"
              : "no direct way for IPv6: the node is not on the uplink's link, and it or the uplink has no "
                "IPv6 address, or the uplink no IPv6 gateway");
  if (const IpAddress* ip = tunnel_end(node)) {
    const uint16_t overhead = net::tunnel_overhead(overlay_->encapsulation, ip->is_v4());
    return {Way::Kind::Tunnel, *ip, neighbour_of(*ip), mtu_in_tunnel(uplink_->mtu, overhead), {}};
  }
  return none(own(true) == nullptr ? "the node has no IPv6 VTEP, and the uplink no IPv4 address"
                                   : "the node has no IPv4 VTEP, and the uplink no IPv6 address");
}

}  // namespace podswitch
