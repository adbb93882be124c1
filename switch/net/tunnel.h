// SPDX-License-Identifier: Apache-2.0
// Reads the outer headers of VXLAN (RFC 7348) and Geneve (RFC 8926) packets over UDP in IPv4 or IPv6.
// Nothing is written; what is read is not trusted. Called by the worker that owns the packet.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "switch/net/address.h"
#include "switch/net/checksum.h"
#include "switch/net/headers.h"

namespace podswitch::net {

enum class Encapsulation : uint8_t { Vxlan, Geneve };

// IANA's; Flannel's VXLAN uses 8472.
inline constexpr uint16_t kVxlanPort = 4789;
inline constexpr uint16_t kGenevePort = 6081;
inline constexpr uint32_t kMaxVni = 0xff'ffff;

struct TunnelPacket {
  IpAddress outer_source;
  IpAddress outer_destination;
  uint32_t vni;
  uint32_t inner_length;  // of the inner frame in bytes; what the outer frame has behind it is padding
  uint16_t inner_offset;  // bytes from the frame's start; the first segment has the inner Ethernet header
  uint8_t outer_ecn_tos;  // the outer TOS or traffic class octet, for apply_outer_ecn() of switch/net/ecn.h
};

enum class TunnelVerdict : uint8_t {
  NotTunnel,  // other protocol, other port, a fragment, a routing header: the host's business
  // A length or a checksum is wrong, the IP header's own included (a NIC that drops by headers does not look
  // at lengths), or the tunnel header asks for what is not known here.
  Malformed,
  Tunnel,
};

struct TunnelRead {
  TunnelVerdict verdict;
  TunnelPacket packet;  // only when Tunnel
};

// `udp_port` is the destination port that makes a packet a tunnel's. Options of Geneve are skipped, but a
// critical one (RFC 8926 section 3.5: none is known), a control packet, another version and a payload that
// is no Ethernet frame are Malformed; VXLAN needs its I flag. A UDP checksum of zero is accepted also over
// IPv6 (RFC 6935), any other one is verified, unless the receiving port vouches for it: with
// RX_L4_CKSUM_GOOD, as a partial checksum (RX_L4_CKSUM_NONE or the open request that
// adopt_offload_request() made of it), or with RX_OUTER_L4_CKSUM_GOOD when the NIC has looked into the
// tunnel (packet_type) and so speaks of the inner packet otherwise.
TunnelRead read_tunnel(const rte_mbuf& packet, uint16_t ether_type, uint16_t l3_offset, uint16_t udp_port,
                       Encapsulation encapsulation) noexcept;

// Also when the receiving port has verified it, unless what it says is about the inner packet.
inline bool is_ipv4_checksum_right(const rte_mbuf& packet, const Ipv4Header& ip) noexcept {
  const bool is_of_inner = (packet.packet_type & RTE_PTYPE_TUNNEL_MASK) != 0;
  if (!is_of_inner && (packet.ol_flags & RTE_MBUF_F_RX_IP_CKSUM_GOOD) != 0) return true;  // GOOD or NONE
  return sum_ipv4_header(&ip, (ip.version_ihl & 0x0fu) * 4) == Sum{0xffff};
}

// What a tunnel takes from the MTU of the underlay: outer IP and UDP, tunnel and inner Ethernet header. A
// VLAN tag of the underlay takes nothing, it is not in the MTU.
constexpr uint16_t tunnel_overhead(Encapsulation encapsulation, bool outer_is_v4) noexcept {
  const size_t outer = (outer_is_v4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header)) + sizeof(UdpHeader);
  const size_t tunnel = encapsulation == Encapsulation::Vxlan ? sizeof(VxlanHeader) : sizeof(GeneveHeader);
  return static_cast<uint16_t>(outer + tunnel + sizeof(EtherHeader));
}

}  // namespace podswitch::net
