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

bool has_v4(const PortSpec& uplink) {
  return std::any_of(uplink.underlay.begin(), uplink.underlay.end(),
                     [](const PrefixedAddress& address) { return address.ip.is_v4(); });
}

// Without other nodes, as the next one most likely will be.
uint16_t tunnel_mtu(const PortSpec& uplink, const TunnelEnds& ends, net::Encapsulation encapsulation) {
  const bool is_all_v4 = has_v4(uplink) && !ends.v6;
  return mtu_in_tunnel(uplink.mtu, net::tunnel_overhead(encapsulation, is_all_v4));
}

}  // namespace

PodMtus::PodMtus(const std::vector<RoutedPort>& ports, const TunnelEnds& ends, const OverlayOptions& overlay,
                 const Networks& stretched)
    : network_(overlay.network), stretched_(stretched) {
  const PortSpec* uplink = uplink_of(ports);
  if (uplink == nullptr) return;
  routed_ = uplink->mtu;
  if (uplink->underlay.empty()) return;
  bridged_ = tunnel_mtu(*uplink, ends, overlay.encapsulation);
  if (overlay.mode != OverlayMode::Direct) routed_ = bridged_;
}

std::optional<uint16_t> PodMtus::of(const PortSpec& port) const {
  if (port.role != PortRole::Pod) return std::nullopt;
  if (is_stretched(port)) return bridged_;
  return port.network == network_ ? routed_ : std::nullopt;
}

std::string mtu_hint(const PortSpec& port, const PodMtus& mtus) {
  const std::optional<uint16_t> mtu = mtus.of(port);
  if (!mtu || port.mtu <= *mtu) return "";
  const std::string mend = port.kind == PortKind::VhostUser
                               ? fmt::format("; the front end decides: qemu's host_mtu={}", *mtu)
                               : "";
  return fmt::format("its MTU {} is larger than the pod MTU {}: larger packets to other nodes are {} ICMP{}",
                     port.mtu, *mtu,
                     mtus.is_stretched(port) ? "dropped, or answered by" : "fragmented or answered by", mend);
}

uint16_t advertised_mtu(const PortSpec& port, const Gateway& gateway, const PodMtus& mtus) {
  const bool has_v6 =
      std::any_of(port.ips.begin(), port.ips.end(), [](const IpAddress& ip) { return !ip.is_v4(); });
  if (gateway.advertisements == Gateway::Advertisements::Off || !gateway.has_v6() || !has_v6 ||
      port.role != PortRole::Pod)
    return 0;
  return std::min(port.mtu, mtus.of(port).value_or(port.mtu));
}

}  // namespace podswitch
