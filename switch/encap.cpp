// SPDX-License-Identifier: Apache-2.0
#include "switch/encap.h"

#include <algorithm>
#include <cstring>

#include "switch/net/ecn.h"
#include "switch/net/headers.h"
#include "switch/net/mbuf_view.h"

namespace podswitch {
namespace {

constexpr uint32_t kIpv6Version = 6u << 28;
constexpr uint32_t kFlowLabelMask = 0xf'ffff;
constexpr uint32_t kMaxIpLength = 65535;

// Writes header after header.
class Writer {
 public:
  explicit Writer(uint8_t* to) : start_(to), at_(to) {}
  template <typename Header>
  void put(const Header& header) {
    static_assert(alignof(Header) == 1);
    std::memcpy(at_, &header, sizeof header);
    at_ += sizeof header;
  }
  uint16_t offset() const { return static_cast<uint16_t>(at_ - start_); }

 private:
  uint8_t* start_;
  uint8_t* at_;
};

void put_ethernet(Writer& writer, const TunnelSpec& spec) {
  const be16_t ether_type(spec.outer_source.is_v4() ? net::kEtherTypeIpv4 : net::kEtherTypeIpv6);
  const be16_t first_type = spec.vlan_tci ? be16_t(net::kEtherTypeVlan) : ether_type;
  writer.put(net::EtherHeader{spec.outer_destination_mac, spec.outer_source_mac, first_type});
  if (spec.vlan_tci) writer.put(net::VlanHeader{be16_t(*spec.vlan_tci), ether_type});
}

net::Ipv4Header ipv4_header(const TunnelSpec& spec) {
  net::Ipv4Header ip{};
  ip.version_ihl = 0x45;
  ip.fragment = be16_t(spec.dont_fragment == DontFragment::Set ? net::kIpv4DontFragment : 0);
  ip.ttl = spec.ttl;
  ip.protocol = net::kProtoUdp;
  ip.source = spec.outer_source.v4();
  ip.destination = spec.outer_destination.v4();
  return ip;
}

net::Ipv6Header ipv6_header(const TunnelSpec& spec) {
  net::Ipv6Header ip{};
  ip.next_header = net::kProtoUdp;
  ip.hop_limit = spec.ttl;
  ip.source = spec.outer_source.v6;
  ip.destination = spec.outer_destination.v6;
  return ip;
}

void put_tunnel_header(Writer& writer, const TunnelSpec& spec) {
  const be32_t vni(spec.vni << 8);
  if (spec.encapsulation == net::Encapsulation::Vxlan)
    writer.put(net::VxlanHeader{net::kVxlanHasVni, {}, vni});
  else
    writer.put(net::GeneveHeader{0, 0, be16_t(net::kEtherTypeBridged), vni});
}

uint16_t template_length(const TunnelSpec& spec) {
  const bool is_v4 = spec.outer_source.is_v4();
  const size_t length = net::tunnel_overhead(spec.encapsulation, is_v4) +
                        (spec.vlan_tci ? sizeof(net::VlanHeader) : 0) +
                        (spec.inner_macs ? sizeof(net::EtherHeader) : 0);
  return static_cast<uint16_t>(length);  // the overhead's inner Ethernet header stands for the outer one
}

bool has_dont_fragment(const rte_mbuf& packet, const InnerPacket& inner) noexcept {
  if (inner.ether_type != net::kEtherTypeIpv4) return inner.ether_type == net::kEtherTypeIpv6;
  const auto* ip = net::header_at<net::Ipv4Header>(packet, inner.l3_offset);
  return ip != nullptr && (ip->fragment.host() & net::kIpv4DontFragment) != 0;
}

}  // namespace

std::optional<TunnelTemplate> make_template(const TunnelSpec& spec) {
  const bool is_v4 = spec.outer_source.is_v4();
  if (is_v4 != spec.outer_destination.is_v4() || spec.vni > net::kMaxVni) return std::nullopt;

  TunnelTemplate made;
  made.length_ = static_cast<uint8_t>(template_length(spec));
  made.is_ipv4_ = is_v4;
  made.is_routed_ = spec.inner_macs.has_value();
  made.needs_ip_id_ = is_v4 && spec.dont_fragment != DontFragment::Set;
  made.inherits_df_ = is_v4 && spec.dont_fragment == DontFragment::Inherit;
  made.has_checksum_ = !is_v4 && spec.has_udp6_checksum;
  made.encapsulation_ = spec.encapsulation;

  Writer writer(made.bytes_.data() + made.bytes_.size() - made.length_);
  put_ethernet(writer, spec);
  made.l3_offset_ = static_cast<uint8_t>(writer.offset());
  if (is_v4) {
    const net::Ipv4Header ip = ipv4_header(spec);
    made.ipv4_sum_ = net::sum_bytes(&ip, sizeof ip);
    writer.put(ip);
  } else {
    writer.put(ipv6_header(spec));
  }
  made.udp_offset_ = static_cast<uint8_t>(writer.offset());
  writer.put(net::UdpHeader{{}, be16_t(spec.udp_port), {}, {}});
  put_tunnel_header(writer, spec);
  if (spec.inner_macs)
    writer.put(net::EtherHeader{spec.inner_macs->destination, spec.inner_macs->source, {}});
  return made;
}

// `room`: bytes in front of `end` that may be written. Beyond the headers' own it is headroom, which has
// nothing in it.
void TunnelTemplate::copy_to(uint8_t* end, uint32_t room) const noexcept {
  const uint8_t* from_end = bytes_.data() + bytes_.size();
  if (length_ <= kShort && room >= kShort) [[likely]]
    std::memcpy(end - kShort, from_end - kShort, kShort);
  else if (room >= kLong)
    std::memcpy(end - kLong, from_end - kLong, kLong);
  else
    std::memcpy(end - length_, from_end - length_, length_);
}

void TunnelTemplate::write_outer_ip(uint8_t* start, const InnerPacket& inner, uint8_t traffic_class,
                                    uint16_t udp_length, bool dont_fragment) const noexcept {
  if (is_ipv4_) [[likely]] {
    auto* ip = reinterpret_cast<net::Ipv4Header*>(start + l3_offset_);
    ip->tos = traffic_class;
    ip->total_length = be16_t(static_cast<uint16_t>(sizeof *ip + udp_length));
    ip->id = be16_t(inner.ip_id);
    net::Sum lengths = net::add_sums(ip->total_length.raw(), ip->id.raw());
    if (dont_fragment) [[unlikely]] {  // the template has it clear
      ip->fragment = be16_t(net::kIpv4DontFragment);
      lengths = net::add_sums(lengths, ip->fragment.raw());
    }
    const net::Sum sum = net::add_sums(net::add_sums(ipv4_sum_, be16_t(traffic_class).raw()), lengths);
    ip->checksum = be16_t::from_raw(net::complement(sum));
  } else {
    auto* ip = reinterpret_cast<net::Ipv6Header*>(start + l3_offset_);
    const uint32_t label = inner.flow_hash & kFlowLabelMask;  // RFC 6438
    ip->version_class_label = be32_t(kIpv6Version | uint32_t{traffic_class} << 20 | label);
    ip->payload_length = be16_t(udp_length);
  }
}

// What an open request needs besides.
uint64_t TunnelTemplate::request_flags() const noexcept {
  const uint64_t outer = is_ipv4_ ? RTE_MBUF_F_TX_OUTER_IPV4 : RTE_MBUF_F_TX_OUTER_IPV6;
  const uint64_t tunnel =
      encapsulation_ == net::Encapsulation::Vxlan ? RTE_MBUF_F_TX_TUNNEL_VXLAN : RTE_MBUF_F_TX_TUNNEL_GENEVE;
  return outer | tunnel | (has_checksum_ ? RTE_MBUF_F_TX_OUTER_UDP_CKSUM : 0);
}

// False: the request cannot say how far away the inner headers are.
bool TunnelTemplate::move_request(rte_mbuf& packet, uint32_t removed) const noexcept {
  const uint32_t l2_length = packet.l2_len - removed + length_;
  if (l2_length > kMaxL2Length) return false;
  packet.l2_len = l2_length & 0x7f;
  packet.outer_l2_len = l3_offset_ & 0x7f;
  packet.outer_l3_len = (udp_offset_ - l3_offset_) & 0x1ff;
  packet.ol_flags |= request_flags();
  return true;
}

bool TunnelTemplate::encapsulate(rte_mbuf& packet, const InnerPacket& inner) const noexcept {
  const uint32_t removed = is_routed_ ? inner.l3_offset : 0;
  const uint32_t room = packet.data_off + removed;
  if (removed > packet.data_len || room < length_) [[unlikely]]
    return false;
  const uint32_t length = packet.pkt_len - removed + length_;
  const uint32_t longest = kMaxIpLength - (is_ipv4_ ? sizeof(net::Ipv4Header) : 0);
  uint32_t udp_length = length - udp_offset_;
  if (udp_length > longest) [[unlikely]] {
    if ((packet.ol_flags & RTE_MBUF_F_TX_TCP_SEG) == 0) return false;
    udp_length = longest;  // until fix_outer() gives each piece its own
  }
  const bool has_request = has_open_request(packet);
  if (has_request && !move_request(packet, removed)) return false;
  const bool dont_fragment = inherits_df_ && has_dont_fragment(packet, inner);
  const uint8_t packets_class = net::traffic_class(packet, inner.ether_type, inner.l3_offset);

  auto* end = rte_pktmbuf_mtod_offset(&packet, uint8_t*, removed);
  auto* start = end - length_;
  packet.data_off = static_cast<uint16_t>(room - length_);
  packet.data_len = static_cast<uint16_t>(packet.data_len - removed + length_);
  packet.pkt_len = length;
  copy_to(end, room);
  write_outer_ip(start, inner, packets_class, static_cast<uint16_t>(udp_length), dont_fragment);
  auto* udp = reinterpret_cast<net::UdpHeader*>(start + udp_offset_);
  udp->source_port = be16_t(static_cast<uint16_t>(0xc000 | inner.flow_hash >> 18));  // 49152 to 65535
  udp->length = be16_t(static_cast<uint16_t>(udp_length));
  if (is_routed_) {
    const be16_t ether_type(inner.ether_type);
    std::memcpy(end - sizeof ether_type, &ether_type, sizeof ether_type);
  } else if (inner.vni != 0) {
    const be32_t vni(inner.vni << 8);  // where VXLAN and Geneve both end
    std::memcpy(end - sizeof vni, &vni, sizeof vni);
  }
  if (has_checksum_ && !has_request) complete_outer_checksum(packet, l3_offset_, udp_offset_);
  return true;
}

}  // namespace podswitch
