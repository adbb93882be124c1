// SPDX-License-Identifier: Apache-2.0
// Wire formats: Ethernet, 802.1Q, ARP (RFC 826), IPv4 (RFC 791), IPv6 (RFC 8200) with its extension
// headers, ICMP (RFC 792), ICMPv6 (RFC 4443), neighbour discovery (RFC 4861), TCP, UDP, SCTP, VXLAN
// (RFC 7348), Geneve (RFC 8926). Views over packet bytes, of alignment 1; whoever casts has checked the
// length. Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "switch/net/address.h"
#include "switch/net/byte_order.h"

namespace podswitch::net {

inline constexpr uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr uint16_t kEtherTypeArp = 0x0806;
inline constexpr uint16_t kEtherTypeVlan = 0x8100;  // 802.1Q
inline constexpr uint16_t kEtherTypeQinQ = 0x88a8;  // 802.1ad
inline constexpr uint16_t kEtherTypeIpv6 = 0x86dd;
inline constexpr uint16_t kEtherTypeBridged = 0x6558;  // an Ethernet frame as payload, in Geneve

inline constexpr uint8_t kProtoHopByHop = 0;
inline constexpr uint8_t kProtoIcmp = 1;
inline constexpr uint8_t kProtoTcp = 6;
inline constexpr uint8_t kProtoUdp = 17;
inline constexpr uint8_t kProtoRouting = 43;
inline constexpr uint8_t kProtoFragment = 44;
inline constexpr uint8_t kProtoAuth = 51;
inline constexpr uint8_t kProtoIcmpv6 = 58;
inline constexpr uint8_t kProtoNoNext = 59;
inline constexpr uint8_t kProtoDestOptions = 60;
inline constexpr uint8_t kProtoSctp = 132;

struct EtherHeader {
  MacAddress destination;
  MacAddress source;
  be16_t ether_type;
};
static_assert(sizeof(EtherHeader) == 14);

struct VlanHeader {
  be16_t tci;  // priority 3 bits, DEI 1, VLAN id 12
  be16_t ether_type;
};
static_assert(sizeof(VlanHeader) == 4);

inline constexpr uint16_t kArpRequest = 1;
inline constexpr uint16_t kArpReply = 2;

struct ArpPacket {          // Ethernet and IPv4 only
  be16_t hardware_type;     // 1
  be16_t protocol_type;     // 0x0800
  uint8_t hardware_length;  // 6
  uint8_t protocol_length;  // 4
  be16_t operation;
  MacAddress sender_mac;
  Ipv4Address sender_ip;
  MacAddress target_mac;
  Ipv4Address target_ip;
};
static_assert(sizeof(ArpPacket) == 28);

struct Ipv4Header {
  uint8_t version_ihl;
  uint8_t tos;
  be16_t total_length;
  be16_t id;
  be16_t fragment;  // flags 3 bits (reserved, DF, MF), offset 13 bits in units of 8 bytes
  uint8_t ttl;
  uint8_t protocol;
  be16_t checksum;
  Ipv4Address source;
  Ipv4Address destination;
};
static_assert(sizeof(Ipv4Header) == 20);
inline constexpr uint16_t kIpv4DontFragment = 0x4000;
inline constexpr uint16_t kIpv4MoreFragments = 0x2000;
inline constexpr uint16_t kIpv4FragmentOffset = 0x1fff;

struct Ipv6Header {
  be32_t version_class_label;
  be16_t payload_length;
  uint8_t next_header;
  uint8_t hop_limit;
  Ipv6Address source;
  Ipv6Address destination;
};
static_assert(sizeof(Ipv6Header) == 40);

struct Ipv6FragmentHeader {
  uint8_t next_header;
  uint8_t reserved;
  be16_t offset_flags;  // offset 13 bits in units of 8 bytes, reserved 2, M 1
  be32_t id;
};
static_assert(sizeof(Ipv6FragmentHeader) == 8);

struct TcpHeader {
  be16_t source_port;
  be16_t destination_port;
  be32_t sequence;
  be32_t acknowledgement;
  uint8_t data_offset;  // header length in 32-bit words, in the high 4 bits
  uint8_t flags;
  be16_t window;
  be16_t checksum;
  be16_t urgent;
};
static_assert(sizeof(TcpHeader) == 20);
inline constexpr uint8_t kTcpFin = 0x01;
inline constexpr uint8_t kTcpSyn = 0x02;
inline constexpr uint8_t kTcpRst = 0x04;
inline constexpr uint8_t kTcpPsh = 0x08;
inline constexpr uint8_t kTcpAck = 0x10;
inline constexpr uint8_t kTcpCwr = 0x80;

struct UdpHeader {
  be16_t source_port;
  be16_t destination_port;
  be16_t length;
  be16_t checksum;
};
static_assert(sizeof(UdpHeader) == 8);

struct VxlanHeader {
  uint8_t flags;  // all but kVxlanHasVni are ignored on receipt
  std::array<uint8_t, 3> reserved;
  be32_t vni_reserved;  // VNI 24 bits, reserved 8
};
static_assert(sizeof(VxlanHeader) == 8);
inline constexpr uint8_t kVxlanHasVni = 0x08;

struct GeneveHeader {
  uint8_t version_length;  // version 2 bits, length of the options in units of 4 bytes 6
  uint8_t flags;
  be16_t protocol_type;
  be32_t vni_reserved;  // VNI 24 bits, reserved 8
};
static_assert(sizeof(GeneveHeader) == 8);
inline constexpr uint8_t kGeneveControl = 0x80;
inline constexpr uint8_t kGeneveCritical = 0x40;

struct GeneveOption {
  be16_t option_class;
  uint8_t type;    // its high bit: critical
  uint8_t length;  // of what follows, in units of 4 bytes, in the low 5 bits
};
static_assert(sizeof(GeneveOption) == 4);
inline constexpr uint8_t kGeneveCriticalOption = 0x80;

struct SctpHeader {  // RFC 9260 section 3.1
  be16_t source_port;
  be16_t destination_port;
  be32_t verification_tag;
  be32_t checksum;  // CRC32c, its lowest byte first
};
static_assert(sizeof(SctpHeader) == 12);

struct IcmpHeader {  // also ICMPv6
  uint8_t type;
  uint8_t code;
  be16_t checksum;
};
static_assert(sizeof(IcmpHeader) == 4);

struct IcmpErrorHeader {  // what it is about follows
  IcmpHeader icmp;
  be32_t mtu;  // RFC 1191 (in the low 16 bits), RFC 4443 section 3.2; 0 in other errors
};
static_assert(sizeof(IcmpErrorHeader) == 8);

inline constexpr uint8_t kIcmpEchoReply = 0;
inline constexpr uint8_t kIcmpUnreachable = 3;
inline constexpr uint8_t kIcmpEchoRequest = 8;
inline constexpr uint8_t kIcmpTimeExceeded = 11;
inline constexpr uint8_t kIcmpv6Unreachable = 1;
inline constexpr uint8_t kIcmpv6TooBig = 2;
inline constexpr uint8_t kIcmpv6TimeExceeded = 3;
inline constexpr uint8_t kIcmpv6EchoRequest = 128;
inline constexpr uint8_t kIcmpv6EchoReply = 129;
inline constexpr uint8_t kMldQuery = 130;
inline constexpr uint8_t kMldReport = 131;
inline constexpr uint8_t kMldDone = 132;
inline constexpr uint8_t kNdRouterSolicit = 133;
inline constexpr uint8_t kNdRouterAdvert = 134;
inline constexpr uint8_t kNdNeighbourSolicit = 135;
inline constexpr uint8_t kNdNeighbourAdvert = 136;
inline constexpr uint8_t kNdRedirect = 137;
inline constexpr uint8_t kMld2Report = 143;

struct NdNeighbour {  // solicitation and advertisement
  IcmpHeader icmp;
  be32_t flags;  // advertisement: router, solicited, override in the top three bits
  Ipv6Address target;
};
static_assert(sizeof(NdNeighbour) == 24);
inline constexpr uint32_t kNdRouter = 0x80000000;
inline constexpr uint32_t kNdSolicited = 0x40000000;
inline constexpr uint32_t kNdOverride = 0x20000000;

struct NdRouterSolicitation {
  IcmpHeader icmp;
  be32_t reserved;
};
static_assert(sizeof(NdRouterSolicitation) == 8);

struct NdRouterAdvertisement {
  IcmpHeader icmp;
  uint8_t hop_limit;
  uint8_t flags;
  be16_t lifetime_seconds;  // as a default router
  be32_t reachable_ms, retransmit_ms;
};
static_assert(sizeof(NdRouterAdvertisement) == 16);

struct NdLinkLayerOption {
  uint8_t type;    // 1 source, 2 target
  uint8_t length;  // in units of 8 bytes: 1
  MacAddress mac;
};
static_assert(sizeof(NdLinkLayerOption) == 8);
inline constexpr uint8_t kNdOptionSourceMac = 1;
inline constexpr uint8_t kNdOptionTargetMac = 2;

struct NdMtuOption {
  uint8_t type;
  uint8_t length;  // in units of 8 bytes
  be16_t reserved;
  be32_t mtu;
};
static_assert(sizeof(NdMtuOption) == 8);
inline constexpr uint8_t kNdOptionMtu = 5;

}  // namespace podswitch::net
