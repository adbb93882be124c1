// SPDX-License-Identifier: Apache-2.0
#include "pmd/pod_mtu.h"

#include <fmt/format.h>

namespace podswitch {
namespace {

const PortSpec* uplink_of(const std::vector<RoutedPort>& ports) {
  for (const RoutedPort& port : ports)
    if (port.spec->role == PortRole::Uplink) return port.spec;
  return nullptr;
}

bool has_family(const PortSpec& uplink, bool is_v4) {
  return std::any_of(uplink.underlay.begin(), uplink.underlay.end(),
                     [&](const PrefixedAddress& address) { return address.ip.is_v4() == is_v4; });
}

bool is_in_overlay(const PortSpec& port, const OverlayOptions& overlay) {
  return port.role == PortRole::Pod && port.network == overlay.network;
}

}  // namespace

std::optional<uint16_t> pod_mtu(const std::vector<RoutedPort>& ports, const Nodes& nodes,
                                const std::string& own_node, const OverlayOptions& overlay) {
  const PortSpec* uplink = uplink_of(ports);
  if (uplink == nullptr) return std::nullopt;
  if (uplink->underlay.empty() || overlay.mode == OverlayMode::Direct) return uplink->mtu;
  // As tunnels are planned: over the first address of a family that both nodes have. Without other nodes, as
  // the next one most likely will be.
  const bool has_v4 = has_family(*uplink, true), has_v6 = has_family(*uplink, false);
  uint16_t overhead = net::tunnel_overhead(overlay.encapsulation, has_v4);
  for (const auto& [name, node] : nodes) {
    if (name == own_node) continue;
    for (const IpAddress& vtep : node->vteps) {
      if (!(vtep.is_v4() ? has_v4 : has_v6)) continue;
      overhead = std::max(overhead, net::tunnel_overhead(overlay.encapsulation, vtep.is_v4()));
      break;
    }
  }
  return mtu_in_tunnel(uplink->mtu, overhead);
}

std::string mtu_hint(const PortSpec& port, const std::optional<uint16_t>& pod_mtu,
                     const OverlayOptions& overlay) {
  if (!pod_mtu || !is_in_overlay(port, overlay) || port.mtu <= *pod_mtu) return "";
  const std::string mend = port.kind == PortKind::VhostUser
                               ? fmt::format("; the front end decides: qemu's host_mtu={}", *pod_mtu)
                               : "";
  return fmt::format(
      "its MTU {} is larger than the pod MTU {}: larger packets to other nodes are fragmented or answered by "
      "ICMP{}",
      port.mtu, *pod_mtu, mend);
}

uint16_t advertised_mtu(const PortSpec& port, const Gateway& gateway, const std::optional<uint16_t>& pod_mtu,
                        const OverlayOptions& overlay) {
  const bool has_v6 =
      std::any_of(port.ips.begin(), port.ips.end(), [](const IpAddress& ip) { return !ip.is_v4(); });
  if (gateway.advertisements == Gateway::Advertisements::Off || !gateway.has_v6() || !has_v6 ||
      port.role != PortRole::Pod)
    return 0;
  return pod_mtu && is_in_overlay(port, overlay) ? std::min(port.mtu, *pod_mtu) : port.mtu;
}

}  // namespace podswitch
