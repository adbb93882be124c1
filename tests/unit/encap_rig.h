// SPDX-License-Identifier: Apache-2.0
// What the tests of encapsulation share: specifications, and the frame that each must make of a packet,
// built by the packet builder from nothing.
#pragma once

#include "switch/encap.h"
#include "switch/offload.h"
#include "tests/unit/packet_builder.h"

namespace podswitch::test {

inline constexpr std::string_view kVtepMac = "02:00:00:00:0a:01";
inline constexpr std::string_view kPeerVtepMac = "02:00:00:00:0b:02";
inline constexpr std::string_view kInnerMac = "0e:00:00:00:00:01";
inline constexpr std::string_view kPeerInnerMac = "0e:00:00:00:00:02";

struct Shape {
  bool is_v6 = false;
  bool is_routed = false;
  bool is_geneve = false;
  bool is_tagged = false;
  bool has_checksum = false;
};

// Every combination.
inline std::vector<Shape> all_shapes() {
  std::vector<Shape> shapes;
  for (unsigned bits = 0; bits < 32; ++bits)
    shapes.push_back({(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0, (bits & 16) != 0});
  return shapes;
}

inline std::string name_of(const Shape& shape) {
  return std::string(shape.is_geneve ? "Geneve" : "VXLAN") + (shape.is_v6 ? " over IPv6" : " over IPv4") +
         (shape.is_routed ? ", routed" : ", bridged") + (shape.is_tagged ? ", tagged" : "") +
         (shape.has_checksum ? ", checksum" : "");
}

inline TunnelSpec spec_of(const Shape& shape) {
  TunnelSpec spec;
  spec.outer_source_mac = mac(kVtepMac);
  spec.outer_destination_mac = mac(kPeerVtepMac);
  spec.outer_source = *IpAddress::parse(shape.is_v6 ? "2001:db8::1" : "192.0.2.1");
  spec.outer_destination = *IpAddress::parse(shape.is_v6 ? "2001:db8::2" : "192.0.2.2");
  spec.vni = 0xabcdef;
  spec.has_udp6_checksum = shape.has_checksum;
  if (shape.is_geneve) {
    spec.encapsulation = net::Encapsulation::Geneve;
    spec.udp_port = net::kGenevePort;
  }
  if (shape.is_tagged) spec.vlan_tci = 0x6005;
  if (shape.is_routed) spec.inner_macs = TunnelSpec::InnerMacs{mac(kInnerMac), mac(kPeerInnerMac)};
  return spec;
}

// `inner`: the frame as it lies in the tunnel.
inline Bytes outer_frame(const Shape& shape, const TunnelSpec& spec, const InnerPacket& packet, uint8_t tos,
                         const Bytes& inner) {
  Packet outer;
  outer.eth(kVtepMac, kPeerVtepMac);
  if (shape.is_tagged) outer.vlan(*spec.vlan_tci);
  if (shape.is_v6) {
    outer.ipv6("2001:db8::1", "2001:db8::2",
               {.hop_limit = spec.ttl, .traffic_class = tos, .flow_label = packet.flow_hash & 0xfffff});
  } else {
    const uint16_t fragment = spec.dont_fragment == DontFragment::Set ? 0x4000 : 0;
    outer.ipv4("192.0.2.1", "192.0.2.2",
               {.ttl = spec.ttl, .id = packet.ip_id, .fragment = fragment, .tos = tos});
  }
  outer.udp(static_cast<uint16_t>(49152 + packet.flow_hash / (1u << 18)), spec.udp_port);
  if (!shape.is_v6 || !shape.has_checksum) outer.no_checksum();
  return (shape.is_geneve ? outer.geneve(spec.vni) : outer.vxlan(spec.vni)).payload(inner).bytes();
}

inline PacketMeta meta_of(const Packet& packet) {
  PacketMeta meta{};
  meta.ether_type = packet.payload_ether_type();
  meta.l3_offset = packet.l3_offset();
  return meta;
}

inline InnerPacket inner_packet(const Packet& packet, uint32_t flow_hash = 0x9abcdef0) {
  return {packet.payload_ether_type(), packet.l3_offset(), 0xfffe, flow_hash};
}

}  // namespace podswitch::test
