// SPDX-License-Identifier: Apache-2.0
// The one list of reasons: why a packet was dropped, or why it was forwarded but something about it was
// refused (Disposition::Forwarded). A row here makes the enum, the counter, the metric label, the CLI
// text and the README's table. Plain data, any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace podswitch {

enum class Disposition : uint8_t { Dropped, Forwarded };

// clang-format off
#define PODSWITCH_REASONS(X)                                                                                     \
  X(Malformed,        malformed,          Dropped,   "frame is shorter than its headers say, or a length in it is wrong") \
  X(SourceMacInvalid, source_mac_invalid, Dropped,   "source MAC is a group address or all zeros")                \
  X(VlanTagged,       vlan_tagged,        Dropped,   "tagged frame on an untagged or access port")               \
  X(VlanUntagged,     vlan_untagged,      Dropped,   "untagged frame on a trunk port")                           \
  X(VlanNotAllowed,   vlan_not_allowed,   Dropped,   "VLAN is not in the trunk port's list")                     \
  X(OffloadInvalid,   offload_invalid,    Dropped,   "the sender's checksum or segmentation request does not fit the frame") \
  X(GuardMac,         guard_mac,          Dropped,   "source MAC is not the port's")                             \
  X(GuardIpv4,        guard_ipv4,         Dropped,   "IPv4 source is not one of the port's addresses")           \
  X(GuardIpv6,        guard_ipv6,         Dropped,   "IPv6 source is not one of the port's addresses")           \
  X(GuardArp,         guard_arp,          Dropped,   "ARP sender is not one of the port's addresses")            \
  X(GuardNd,          guard_nd,           Dropped,   "neighbour discovery for an address that is not the port's, or a router's message") \
  X(GuardEtherType,   guard_ether_type,   Dropped,   "port with IP addresses sent neither IPv4, IPv6 nor ARP")   \
  X(MacOfOtherPort,   mac_of_other_port,  Dropped,   "source MAC was given to another port")                     \
  X(ReservedGroup,    reserved_group,     Dropped,   "link-local group 01:80:c2:00:00:0x, never forwarded by a bridge") \
  X(GatewayNotRouted, gateway_not_routed, Dropped,   "sent to the gateway, and for its own address or no IP, but no request that it answers") \
  X(RouteInvalid,     route_invalid,      Dropped,   "to be routed, but an address is not unicast or the IPv4 header's checksum is wrong") \
  X(RouteNone,        route_none,         Dropped,   "no route to the destination")                              \
  X(TtlExpired,       ttl_expired,        Dropped,   "to be routed, but the TTL or hop limit is used up")        \
  X(NextHopUnresolved, next_hop_unresolved, Dropped, "the next hop's MAC in the underlay is not known")          \
  X(TunnelMalformed,  tunnel_malformed,   Dropped,   "tunnel packet whose headers are wrong, or mark their own fields as congested") \
  X(TunnelVtepUnknown, tunnel_vtep_unknown, Dropped, "tunnel packet from an address that is no node's")          \
  X(TunnelVniUnknown, tunnel_vni_unknown, Dropped,   "tunnel packet of a VNI that no network has")               \
  X(TunnelNotForUs,   tunnel_not_for_us,  Dropped,   "out of a tunnel or from the underlay, but for no pod of this node") \
  X(TunnelSource,     tunnel_source,      Dropped,   "from outside, but its source belongs to a pod of this node or to a node that it did not come from") \
  X(ServicePort,      service_port,       Dropped,   "to the address of a Service that has no such protocol and port: refused, as are pings") \
  X(ServiceNoEndpoint, service_no_endpoint, Dropped, "to a Service without endpoints: refused")                \
  X(ServiceNoConnection, service_no_connection, Dropped, "to a Service, but of no connection, and it begins none") \
  X(FlowTableFull,    flow_table_full,    Dropped,   "begins a connection to a Service, but the flow table is full; or its connection was forgotten at that moment") \
  X(FlowNoPort,       flow_no_port,       Dropped,   "begins a connection, but its answers would look like another's, whatever its port") \
  X(FlowUntranslatable, flow_untranslatable, Dropped, "of a Service's connection, but its headers lie in several buffers, it is SCTP in fragments, or a pod reaches itself and there is no gateway address") \
  X(FragmentEarly,    fragment_early,     Dropped,   "fragment to or from a Service whose first fragment did not come in time, or too many such") \
  X(HandOverRefused,  hand_over_refused,  Dropped,   "another worker was to finish the packet, but too many waited for it, or the uplink had gone") \
  X(SamePort,         same_port,          Dropped,   "destination lives on the port of origin")                  \
  X(NoOtherPort,      no_other_port,      Dropped,   "flooded, but the network has no other port")               \
  X(PortDown,         port_down,          Dropped,   "egress port is down")                                      \
  X(MtuExceeded,      mtu_exceeded,       Dropped,   "larger than the egress port, the next hop or the tunnel takes")               \
  X(TxFull,           tx_full,            Dropped,   "egress queue is full")                                     \
  X(NoBuffer,         no_buffer,          Dropped,   "no packet buffer left to copy or segment into")            \
  X(FdbFull,          fdb_full,           Forwarded, "source MAC not learned: the table is full")                \
  X(FdbPortLimit,     fdb_port_limit,     Forwarded, "source MAC not learned: the port has learned its limit")
// clang-format on

enum class DropReason : uint8_t {
#define PODSWITCH_ENUM(id, name, disposition, text) id,
  PODSWITCH_REASONS(PODSWITCH_ENUM)
#undef PODSWITCH_ENUM
      Count
};

inline constexpr size_t kReasonCount = static_cast<size_t>(DropReason::Count);

struct ReasonInfo {
  std::string_view name;  // metric label and CLI text
  Disposition disposition;
  std::string_view text;
};

inline constexpr std::array<ReasonInfo, kReasonCount> kReasons{{
#define PODSWITCH_INFO(id, name, disposition, text) {#name, Disposition::disposition, text},
    PODSWITCH_REASONS(PODSWITCH_INFO)
#undef PODSWITCH_INFO
}};

constexpr const ReasonInfo& info(DropReason reason) {
  return kReasons[static_cast<size_t>(reason)];
}

}  // namespace podswitch
