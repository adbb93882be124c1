// SPDX-License-Identifier: Apache-2.0
// What read_tunnel() (switch/net/tunnel.h) says about nearly all tunnel packets, without its way through
// memory: UDP over IPv4, no options, no fragment, no UDP checksum. Called by the worker that owns the packet.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "switch/net/checksum.h"
#include "switch/net/headers.h"
#include "switch/net/tunnel.h"

namespace podswitch::net {

// Scalars only: it never needs to be in memory.
struct PlainTunnel {
  uint32_t outer_source;  // IPv4, as it lies on the wire
  uint32_t outer_destination;
  uint32_t vni;
  uint32_t inner_length;  // as in TunnelPacket
  uint16_t inner_offset;
  uint8_t outer_ecn_tos;
};

// False: ask read_tunnel().
inline bool read_plain_tunnel(const rte_mbuf& packet, uint16_t ether_type, uint16_t l3_offset,
                              uint16_t udp_port, Encapsulation encapsulation, PlainTunnel& out) noexcept {
  struct Outer {
    Ipv4Header ip;
    UdpHeader udp;
    union {
      VxlanHeader vxlan;
      GeneveHeader geneve;
    };
  };
  static_assert(alignof(Outer) == 1 && sizeof(VxlanHeader) == sizeof(GeneveHeader));
  if (ether_type != kEtherTypeIpv4 || l3_offset + sizeof(Outer) + sizeof(EtherHeader) > packet.data_len)
    return false;
  const auto& outer = *rte_pktmbuf_mtod_offset(&packet, const Outer*, l3_offset);
  constexpr be16_t kFragment(kIpv4MoreFragments | kIpv4FragmentOffset);
  const uint32_t total_length = outer.ip.total_length.host();
  const uint32_t udp_length = outer.udp.length.host();
  constexpr uint32_t kLeast = sizeof(Outer) - sizeof(Ipv4Header) + sizeof(EtherHeader);
  const bool is_plain = outer.ip.version_ihl == 0x45 && outer.ip.protocol == kProtoUdp &&
                        outer.udp.destination_port == be16_t(udp_port) &&
                        (outer.ip.fragment.raw() & kFragment.raw()) == 0 && outer.udp.checksum.raw() == 0 &&
                        udp_length >= kLeast && udp_length + sizeof(Ipv4Header) <= total_length &&
                        l3_offset + total_length <= packet.pkt_len;
  if (!is_plain) return false;
  uint32_t vni;
  if (encapsulation == Encapsulation::Vxlan) {
    if ((outer.vxlan.flags & kVxlanHasVni) == 0) return false;
    vni = outer.vxlan.vni_reserved.host() >> 8;
  } else {
    if (outer.geneve.version_length != 0 || (outer.geneve.flags & (kGeneveControl | kGeneveCritical)) != 0 ||
        outer.geneve.protocol_type.host() != kEtherTypeBridged)
      return false;
    vni = outer.geneve.vni_reserved.host() >> 8;
  }
  if (!is_ipv4_checksum_right(packet, outer.ip)) return false;
  out.outer_source = outer.ip.source.raw();
  out.outer_destination = outer.ip.destination.raw();
  out.vni = vni;
  out.inner_length = udp_length - (kLeast - uint32_t{sizeof(EtherHeader)});
  out.inner_offset = static_cast<uint16_t>(l3_offset + sizeof(Outer));
  out.outer_ecn_tos = outer.ip.tos;
  return true;
}

}  // namespace podswitch::net
