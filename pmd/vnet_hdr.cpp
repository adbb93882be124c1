// SPDX-License-Identifier: Apache-2.0
#include "pmd/vnet_hdr.h"

#include <rte_byteorder.h>
#include <rte_ip.h>

#include <algorithm>
#include <cstddef>
#include <optional>

#include "switch/net/headers.h"

namespace podswitch {
namespace {

constexpr uint16_t kTcpChecksumOffset = offsetof(net::TcpHeader, checksum);
constexpr uint16_t kUdpChecksumOffset = offsetof(net::UdpHeader, checksum);
constexpr uint16_t kSctpChecksumOffset = 8;  // RFC 9260, 3.1
constexpr int kMaxTags = 2;
constexpr int kMaxExtensionHeaders = 8;

// Where the frame's own transport header begins.
struct Transport {
  uint32_t offset;
  uint8_t protocol;
  bool is_ipv4;
};

// The first segment of a packet, never read beyond its end.
class FirstSegment {
 public:
  explicit FirstSegment(const rte_mbuf& packet)
      : data_(rte_pktmbuf_mtod(&packet, const uint8_t*)), size_(packet.data_len) {}
  template <typename T>
  const T* at(uint32_t offset) const {
    return size_ >= sizeof(T) && offset <= size_ - sizeof(T) ? reinterpret_cast<const T*>(data_ + offset)
                                                             : nullptr;
  }

 private:
  const uint8_t* data_;
  uint32_t size_;
};

std::optional<Transport> find_ipv4_transport(const FirstSegment& bytes, uint32_t offset) noexcept {
  const auto* ip = bytes.at<net::Ipv4Header>(offset);
  if (ip == nullptr || ip->version_ihl >> 4 != 4) return std::nullopt;
  const uint32_t length = (ip->version_ihl & 0xfU) * 4;
  const bool is_fragment = (ip->fragment.host() & 0x3fff) != 0;
  if (length < sizeof *ip || is_fragment) return std::nullopt;
  return Transport{offset + length, ip->protocol, true};
}

std::optional<Transport> find_ipv6_transport(const FirstSegment& bytes, uint32_t offset) noexcept {
  const auto* ip = bytes.at<net::Ipv6Header>(offset);
  if (ip == nullptr || ip->version_class_label.host() >> 28 != 6) return std::nullopt;
  struct Extension {
    uint8_t next, length;
  };
  uint8_t next = ip->next_header;
  offset += sizeof *ip;
  for (int i = 0; i < kMaxExtensionHeaders; ++i) {
    if (next != net::kProtoHopByHop && next != net::kProtoRouting && next != net::kProtoDestOptions)
      return Transport{offset, next, false};
    const auto* extension = bytes.at<Extension>(offset);
    if (extension == nullptr) return std::nullopt;
    next = extension->next;
    offset += (extension->length + 1U) * 8;
  }
  return std::nullopt;
}

std::optional<Transport> find_transport(const rte_mbuf& packet) noexcept {
  const FirstSegment bytes(packet);
  uint32_t offset = offsetof(net::EtherHeader, ether_type);
  for (int tags = 0; tags <= kMaxTags; ++tags) {
    const auto* type = bytes.at<be16_t>(offset);
    if (type == nullptr) return std::nullopt;
    offset += sizeof *type;
    switch (type->host()) {
      case net::kEtherTypeIpv4:
        return find_ipv4_transport(bytes, offset);
      case net::kEtherTypeIpv6:
        return find_ipv6_transport(bytes, offset);
      case net::kEtherTypeVlan:
      case net::kEtherTypeQinQ:
        offset += sizeof(be16_t);  // the tag's VLAN id
        break;
      default:
        return std::nullopt;
    }
  }
  return std::nullopt;
}

uint16_t checksum_offset_of(uint8_t protocol) noexcept {
  switch (protocol) {
    case net::kProtoTcp:
      return kTcpChecksumOffset;
    case net::kProtoUdp:
      return kUdpChecksumOffset;
    case net::kProtoSctp:
      return kSctpChecksumOffset;
    default:
      return UINT16_MAX;
  }
}

bool is_own_checksum(const VnetHeader& header, const std::optional<Transport>& transport) noexcept {
  return transport && transport->offset == header.csum_start &&
         checksum_offset_of(transport->protocol) == header.csum_offset;
}

void write_byte(rte_mbuf& packet, uint32_t offset, uint8_t value) noexcept {
  rte_mbuf* segment = &packet;
  while (offset >= segment->data_len) {
    offset -= segment->data_len;
    segment = segment->next;
  }
  *rte_pktmbuf_mtod_offset(segment, uint8_t*, offset) = value;
}

// Not folded into its complement. rte_raw_cksum_mbuf() of DPDK 22.11 loses carries behind odd segments.
uint16_t sum_from(const rte_mbuf& packet, uint32_t offset) noexcept {
  uint32_t sum = 0;
  bool is_odd = false;
  for (const rte_mbuf* segment = &packet; segment != nullptr; segment = segment->next) {
    const uint32_t skipped = std::min<uint32_t>(offset, segment->data_len);
    offset -= skipped;
    const uint32_t size = segment->data_len - skipped;
    const uint16_t part = rte_raw_cksum(rte_pktmbuf_mtod_offset(segment, const uint8_t*, skipped), size);
    sum += is_odd ? rte_bswap16(part) : part;
    is_odd ^= (size & 1) != 0;
  }
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum + (sum >> 16));
}

// The Internet checksum (RFC 1071) from csum_start to the end; the field holds the pseudo-header's part.
void complete_internet_checksum(const VnetHeader& header, rte_mbuf& packet) noexcept {
  const uint32_t field = uint32_t{header.csum_start} + header.csum_offset;
  auto sum = static_cast<uint16_t>(~sum_from(packet, header.csum_start));
  if (sum == 0) sum = UINT16_MAX;  // RFC 768: a UDP checksum of zero means none; the same value otherwise
  write_byte(packet, field, static_cast<uint8_t>(sum & 0xff));
  write_byte(packet, field + 1, static_cast<uint8_t>(sum >> 8));
}

bool apply_segmentation(const VnetHeader& header, const std::optional<Transport>& transport,
                        rte_mbuf& packet) noexcept {
  const uint8_t type = header.gso_type & static_cast<uint8_t>(~kVnetGsoEcn);
  if (type != kVnetGsoTcp4 && type != kVnetGsoTcp6) return false;
  const bool has_partial_checksum = (header.flags & kVnetNeedsCsum) != 0;
  if (!has_partial_checksum || header.gso_size == 0 || !is_own_checksum(header, transport)) return false;
  if (FirstSegment(packet).at<net::TcpHeader>(transport->offset) == nullptr) return false;
  if (transport->protocol != net::kProtoTcp || transport->is_ipv4 != (type == kVnetGsoTcp4)) return false;
  packet.ol_flags |= RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE;
  packet.tso_segsz = header.gso_size;
  return true;
}

}  // namespace

bool apply_vnet_header(const VnetHeader& header, rte_mbuf& packet) noexcept {
  const bool has_partial_checksum = (header.flags & kVnetNeedsCsum) != 0;
  if (!has_partial_checksum && header.gso_type == kVnetGsoNone) return true;
  const uint32_t field_end = uint32_t{header.csum_start} + header.csum_offset + sizeof(uint16_t);
  if (field_end > packet.pkt_len) return false;
  const auto transport = find_transport(packet);
  if (header.gso_type != kVnetGsoNone) return apply_segmentation(header, transport, packet);
  if (is_own_checksum(header, transport))
    packet.ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
  else
    complete_internet_checksum(header, packet);
  return true;
}

VnetHeader make_vnet_header(const rte_mbuf& packet) noexcept {
  VnetHeader header{};
  const uint64_t request = packet.ol_flags & RTE_MBUF_F_TX_L4_MASK;
  const bool is_tso = (packet.ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0;
  if (request == 0 && !is_tso) return header;
  header.flags = kVnetNeedsCsum;
  header.csum_start = static_cast<uint16_t>(packet.l2_len + packet.l3_len);
  header.csum_offset = is_tso || request == RTE_MBUF_F_TX_TCP_CKSUM ? kTcpChecksumOffset
                       : request == RTE_MBUF_F_TX_UDP_CKSUM         ? kUdpChecksumOffset
                                                                    : kSctpChecksumOffset;
  if (!is_tso) return header;
  header.gso_type = (packet.ol_flags & RTE_MBUF_F_TX_IPV6) != 0 ? kVnetGsoTcp6 : kVnetGsoTcp4;
  header.gso_size = packet.tso_segsz;
  header.header_length = static_cast<uint16_t>(header.csum_start + packet.l4_len);
  // The kernel must know (NETIF_F_TSO_ECN): of such a frame only the first segment keeps CWR.
  const auto* tcp = FirstSegment(packet).at<net::TcpHeader>(header.csum_start);
  if (tcp != nullptr && (tcp->flags & net::kTcpCwr) != 0) header.gso_type |= kVnetGsoEcn;
  return header;
}

}  // namespace podswitch
