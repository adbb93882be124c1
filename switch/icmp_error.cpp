// SPDX-License-Identifier: Apache-2.0
#include "switch/icmp_error.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "switch/net/checksum.h"
#include "switch/net/headers.h"
#include "switch/net/l3.h"
#include "switch/net/mbuf_view.h"
#include "switch/offload.h"
#include "switch/trim.h"

namespace podswitch {
namespace {

constexpr uint8_t kTtl = 64;
constexpr uint8_t kNetworkControl = 6 << 5;  // precedence, RFC 1812 section 4.3.2.5; as a DSCP: CS6
constexpr uint32_t kMaxIpv4Error = 576;      // RFC 1812 section 4.3.2.3
constexpr uint32_t kMaxIpv6Error = 1280;     // RFC 4443 section 2.4 (c)

struct Kind {
  uint8_t type;
  uint8_t code;
};
// By IcmpError. RFC 792, RFC 1812 section 5.2.7.1 (code 13); RFC 4443 section 3.
constexpr std::array<Kind, 6> kIpv4Kinds{{{net::kIcmpTimeExceeded, 0},
                                          {net::kIcmpUnreachable, 0},
                                          {net::kIcmpUnreachable, 1},
                                          {net::kIcmpUnreachable, 3},
                                          {net::kIcmpUnreachable, 13},
                                          {net::kIcmpUnreachable, 4}}};
constexpr std::array<Kind, 6> kIpv6Kinds{{{net::kIcmpv6TimeExceeded, 0},
                                          {net::kIcmpv6Unreachable, 0},
                                          {net::kIcmpv6Unreachable, 3},
                                          {net::kIcmpv6Unreachable, 4},
                                          {net::kIcmpv6Unreachable, 1},
                                          {net::kIcmpv6TooBig, 0}}};

bool is_group_frame(const rte_mbuf& packet) noexcept {
  constexpr uint8_t kGroupBit = 1;
  return (*rte_pktmbuf_mtod(&packet, const uint8_t*) & kGroupBit) != 0;
}

// The first byte of layer 4, which may lie in the second segment. False: there is none.
bool read_type(const rte_mbuf& packet, const net::L3& l3, uint8_t& type) noexcept {
  if (l3.l4_length() == 0) return false;
  const void* byte = rte_pktmbuf_read(&packet, l3.l4_offset, 1, &type);
  if (byte == nullptr) return false;
  type = *static_cast<const uint8_t*>(byte);
  return true;
}

// Types that are neither an error nor unknown, which counts as one: the queries of RFC 792, 950, 1256 and
// 8335, and their replies.
bool is_icmp_query(uint8_t type) noexcept {
  return type == net::kIcmpEchoReply || (type >= 8 && type <= 10) || (type >= 13 && type <= 18) ||
         type == 42 || type == 43;
}

bool is_loopback(const Ipv6Address& ip) noexcept {
  Ipv6Address loopback;
  loopback.bytes[15] = 1;
  return ip == loopback;
}

// 0.0.0.0/8, loopback, multicast, 240.0.0.0/4 with the broadcast address: no single node's.
bool is_host(const Ipv4Address& ip) noexcept {
  return ip.bytes[0] != 0 && ip.bytes[0] != 127 && ip.bytes[0] < 224;
}
bool is_host(const Ipv6Address& ip) noexcept {
  return !ip.is_unspecified() && !ip.is_multicast() && !is_loopback(ip) && !IpAddress(ip).is_v4();
}

bool may_answer(const rte_mbuf& packet, const net::L3& l3, const net::Ipv4Header& ip,
                const Ipv4Address& ours) noexcept {
  if (is_group_frame(packet) || !is_host(ip.destination) || !is_host(ip.source) || ip.source == ours)
    return false;
  if (!l3.is_first) return false;
  if (net::sum_bytes(&ip, (ip.version_ihl & 0x0f) * 4u) != 0xffff) return false;
  uint8_t type = 0;
  return l3.protocol != net::kProtoIcmp || (read_type(packet, l3, type) && is_icmp_query(type));
}

bool may_answer(const rte_mbuf& packet, const net::L3& l3, const net::Ipv6Header& ip, const Ipv6Address& ours,
                IcmpError error) noexcept {
  if (!is_host(ip.source) || ip.source == ours) return false;
  if (ip.destination.is_unspecified() || is_loopback(ip.destination)) return false;
  // Path MTU discovery works for multicast too (RFC 4443 section 2.4 (e.3) to (e.5)).
  if (error != IcmpError::TooBig && (is_group_frame(packet) || ip.destination.is_multicast())) return false;
  // Unlike IPv4's, a later fragment may be answered; the type is not in it. Errors have no fragments.
  if (l3.protocol != net::kProtoIcmpv6 || !l3.is_first) return true;
  constexpr uint8_t kInformational = 0x80;
  uint8_t type = 0;
  return read_type(packet, l3, type) && (type & kInformational) != 0 && type != net::kNdRedirect;
}

// Leaves `quoted` bytes of the IP packet, with `room` bytes of anything between them and the layer 2 headers.
// False: no headroom, and nothing has changed.
bool quote(rte_mbuf& packet, uint16_t l3_offset, uint16_t room, uint32_t quoted) noexcept {
  if (rte_pktmbuf_headroom(&packet) < room) return false;
  // A super frame's checksum would be that of no packet ever sent.
  if ((packet.ol_flags & RTE_MBUF_F_TX_TCP_SEG) == 0) complete_checksum(packet);
  clear_offload_request(packet);
  packet.tx_offload = 0;
  packet.packet_type = 0;
  char* start = rte_pktmbuf_prepend(&packet, room);
  std::memmove(start, start + room, l3_offset);
  trim(packet, l3_offset + room + quoted);
  return true;
}

// `length`: of the message, from `offset` to the packet's end. `pseudo_header`: its sum.
void write_icmp(rte_mbuf& packet, uint32_t offset, const Kind& kind, uint16_t mtu, uint32_t length,
                net::Sum pseudo_header) noexcept {
  auto* header = rte_pktmbuf_mtod_offset(&packet, net::IcmpErrorHeader*, offset);
  *header = {.icmp = {.type = kind.type, .code = kind.code, .checksum = {}}, .mtu = be32_t(mtu)};
  const net::Sum sum = net::add_sums(pseudo_header, net::sum_chain(packet, offset, length));
  header->icmp.checksum = be16_t::from_raw(net::complement(sum));
}

bool make_ipv4(rte_mbuf& packet, uint16_t l3_offset, IcmpError error, const Ipv4Address& source,
               uint16_t mtu) noexcept {
  constexpr uint16_t kHeaders = sizeof(net::Ipv4Header) + sizeof(net::IcmpErrorHeader);
  const auto l3 = net::inspect_l3(packet, net::kEtherTypeIpv4, l3_offset);
  if (!l3) return false;
  const auto& offending = *net::header_at<net::Ipv4Header>(packet, l3_offset);
  if (!may_answer(packet, *l3, offending, source)) return false;
  const Ipv4Address destination = offending.source;
  const uint32_t quoted = std::min(l3->end - l3_offset, kMaxIpv4Error - kHeaders);
  if (!quote(packet, l3_offset, kHeaders, quoted)) return false;

  auto* ip = rte_pktmbuf_mtod_offset(&packet, net::Ipv4Header*, l3_offset);
  *ip = {.version_ihl = 0x45,
         .tos = kNetworkControl,
         .total_length = be16_t(static_cast<uint16_t>(kHeaders + quoted)),
         .id = {},  // RFC 6864: of no meaning in what is never fragmented
         .fragment = be16_t(net::kIpv4DontFragment),
         .ttl = kTtl,
         .protocol = net::kProtoIcmp,
         .checksum = {},
         .source = source,
         .destination = destination};
  ip->checksum = be16_t::from_raw(net::complement(net::sum_bytes(ip, sizeof *ip)));
  write_icmp(packet, l3_offset + uint32_t{sizeof *ip}, kIpv4Kinds[static_cast<size_t>(error)], mtu,
             uint32_t{sizeof(net::IcmpErrorHeader)} + quoted, 0);
  return true;
}

bool make_ipv6(rte_mbuf& packet, uint16_t l3_offset, IcmpError error, const Ipv6Address& source,
               uint16_t mtu) noexcept {
  constexpr uint16_t kHeaders = sizeof(net::Ipv6Header) + sizeof(net::IcmpErrorHeader);
  const auto l3 = net::inspect_l3(packet, net::kEtherTypeIpv6, l3_offset);
  if (!l3) return false;
  const auto& offending = *net::header_at<net::Ipv6Header>(packet, l3_offset);
  if (!may_answer(packet, *l3, offending, source, error)) return false;
  const Ipv6Address destination = offending.source;
  const uint32_t quoted = std::min(l3->end - l3_offset, kMaxIpv6Error - kHeaders);
  if (!quote(packet, l3_offset, kHeaders, quoted)) return false;

  auto* ip = rte_pktmbuf_mtod_offset(&packet, net::Ipv6Header*, l3_offset);
  const uint32_t length = uint32_t{sizeof(net::IcmpErrorHeader)} + quoted;
  *ip = {.version_class_label = be32_t(6u << 28 | uint32_t{kNetworkControl} << 20),
         .payload_length = be16_t(static_cast<uint16_t>(length)),
         .next_header = net::kProtoIcmpv6,
         .hop_limit = kTtl,
         .source = source,
         .destination = destination};
  write_icmp(packet, l3_offset + uint32_t{sizeof *ip}, kIpv6Kinds[static_cast<size_t>(error)], mtu, length,
             net::pseudo_header_sum(source, destination, net::kProtoIcmpv6, length));
  return true;
}

}  // namespace

bool make_icmp_error(rte_mbuf& packet, uint16_t l3_offset, IcmpError error, const IpAddress& source,
                     uint16_t mtu) noexcept {
  if (l3_offset < sizeof(net::EtherHeader) || net::is_shared(packet)) return false;
  const uint16_t told = error == IcmpError::TooBig ? mtu : 0;
  return source.is_v4() ? make_ipv4(packet, l3_offset, error, source.v4(), told)
                        : make_ipv6(packet, l3_offset, error, source.v6, told);
}

}  // namespace podswitch
