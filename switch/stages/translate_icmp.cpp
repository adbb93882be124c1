// SPDX-License-Identifier: Apache-2.0
// ICMP errors about translated packets (RFC 5508 section 4, RFC 792, RFC 4443): inside and outside they get
// the addresses that the sender of what they quote knows. So path MTU discovery works through a Service.
#include <cstring>

#include "switch/net/headers.h"
#include "switch/net/mbuf_view.h"
#include "switch/stages/translate.h"

namespace podswitch::stages {
namespace {

bool is_error(uint8_t type, bool is_v6) noexcept {
  constexpr uint8_t kSourceQuench = 4, kParameterProblem = 12, kLastV6Error = 127;
  if (is_v6) return type <= kLastV6Error;
  return type == net::kIcmpUnreachable || type == net::kIcmpTimeExceeded || type == kSourceQuench ||
         type == kParameterProblem;
}

// Of the packet that an error quotes, which mostly is cut off.
struct Quoted {
  FlowKey key;
  uint32_t l3_offset = 0, l4_offset = 0;
  uint32_t end = 0;  // of what can be read and changed
};

// False: it is none that could be a flow's.
bool read_quoted(const rte_mbuf& packet, uint32_t offset, uint32_t end, bool is_v6, uint16_t network,
                 Quoted& quoted) noexcept {
  quoted.l3_offset = offset;
  quoted.end = std::min<uint32_t>(end, packet.data_len);
  uint8_t protocol = 0;
  if (is_v6) {
    const auto* ip = net::header_at<net::Ipv6Header>(packet, offset);
    if (ip == nullptr || ip->version_class_label.host() >> 28 != 6) return false;
    std::memcpy(quoted.key.addresses.data(), &ip->source, 32);
    protocol = ip->next_header;
    quoted.l4_offset = offset + uint32_t{sizeof *ip};
    if (protocol == net::kProtoFragment) {
      const auto* fragment = net::header_at<net::Ipv6FragmentHeader>(packet, quoted.l4_offset);
      if (fragment == nullptr || (fragment->offset_flags.host() & 0xfff8) != 0) return false;
      protocol = fragment->next_header;
      quoted.l4_offset += uint32_t{sizeof *fragment};
    }
  } else {
    const auto* ip = net::header_at<net::Ipv4Header>(packet, offset);
    if (ip == nullptr || ip->version_ihl >> 4 != 4 || (ip->version_ihl & 0xf) < 5) return false;
    if ((ip->fragment.host() & net::kIpv4FragmentOffset) != 0) return false;
    std::memcpy(quoted.key.addresses.data(), &ip->source, 8);
    protocol = ip->protocol;
    quoted.l4_offset = offset + (ip->version_ihl & 0xf) * 4u;
  }
  if (protocol != net::kProtoTcp && protocol != net::kProtoUdp && protocol != net::kProtoSctp) return false;
  if (quoted.l4_offset + sizeof quoted.key.ports > quoted.end) return false;
  std::memcpy(&quoted.key.ports, rte_pktmbuf_mtod_offset(&packet, const uint8_t*, quoted.l4_offset),
              sizeof quoted.key.ports);
  quoted.key.scope = FlowScope::make(protocol, is_v6, network);
  return !is_v6 || !has_mapped(quoted.key);
}

// The quoted checksums follow where the quote holds them; SCTP's CRC is over more than is quoted.
void rewrite_quoted(rte_mbuf& packet, const Quoted& quoted, const Rewrite& change) noexcept {
  uint8_t* const start = rte_pktmbuf_mtod(&packet, uint8_t*);
  const auto adjust = [&](uint32_t offset, net::Sum delta, bool is_udp) {
    uint16_t field;
    std::memcpy(&field, start + offset, sizeof field);
    field = is_udp ? adjusted_udp(field, delta) : adjusted(field, delta);
    std::memcpy(start + offset, &field, sizeof field);
  };
  if (change.to.is_v6()) {
    std::memcpy(start + quoted.l3_offset + offsetof(net::Ipv6Header, source), change.to.addresses.data(), 32);
  } else {
    std::memcpy(start + quoted.l3_offset + offsetof(net::Ipv4Header, source), change.to.addresses.data(), 8);
    adjust(quoted.l3_offset + offsetof(net::Ipv4Header, checksum), change.address_delta, false);
  }
  std::memcpy(start + quoted.l4_offset, &change.to.ports, sizeof change.to.ports);
  const bool is_tcp = change.to.protocol() == net::kProtoTcp;
  const uint32_t checksum = quoted.l4_offset + (is_tcp ? uint32_t{offsetof(net::TcpHeader, checksum)}
                                                       : uint32_t{offsetof(net::UdpHeader, checksum)});
  if (change.to.protocol() != net::kProtoSctp && checksum + sizeof(uint16_t) <= quoted.end)
    adjust(checksum, change.full_delta, !is_tcp);
}

net::Sum sum_quoted(const rte_mbuf& packet, const Quoted& quoted) noexcept {
  return net::sum_bytes(rte_pktmbuf_mtod_offset(&packet, const uint8_t*, quoted.l3_offset),
                        quoted.end - quoted.l3_offset);
}

// Writes the outer addresses. Returns what that adds to the sum of IPv6's pseudo header; IPv4 has none.
net::Sum rewrite_outer(rte_mbuf& packet, uint16_t l3_offset, bool is_v6, const IpAddress& source,
                       const IpAddress& destination) noexcept {
  if (!is_v6) {
    auto& ip = *rte_pktmbuf_mtod_offset(&packet, net::Ipv4Header*, l3_offset);
    const net::Sum before = net::sum_bytes(&ip.source, 8);
    ip.source = source.v4();
    ip.destination = destination.v4();
    const net::Sum delta = net::add_sums(net::sum_bytes(&ip.source, 8), net::complement(before));
    ip.checksum = be16_t::from_raw(adjusted(ip.checksum.raw(), delta));
    return 0;
  }
  auto& ip = *rte_pktmbuf_mtod_offset(&packet, net::Ipv6Header*, l3_offset);
  const net::Sum before = net::sum_bytes(&ip.source, 32);
  ip.source = source.v6;
  ip.destination = destination.v6;
  return net::add_sums(net::sum_bytes(&ip.source, 32), net::complement(before));
}

IpAddress source_of(const rte_mbuf& packet, uint16_t l3_offset, bool is_v6) noexcept {
  if (is_v6) return IpAddress(rte_pktmbuf_mtod_offset(&packet, const net::Ipv6Header*, l3_offset)->source);
  return IpAddress(rte_pktmbuf_mtod_offset(&packet, const net::Ipv4Header*, l3_offset)->source);
}

}  // namespace

// What the sender of `quoted` has sent: an error about a packet goes the way of its answers. Without a flow,
// an error about a Service's answer finds the backend as the answered packet would; its flow may be
// elsewhere.
bool Translator::find_quoted(const PacketMeta& meta, const FlowKey& quoted, FlowKey& original) noexcept {
  const FlowKey answer = quoted.reversed();
  if (const auto found = flows_.find(flows_.hash(answer), answer)) {
    original = flows_.translated(found).reversed();
    return flows_.is_same(found);
  }
  if (meta.verdict != Verdict::Route || !services(meta).may_be_vip(quoted.source())) return false;
  const Frontend frontend{quoted.source(), quoted.source_port(), static_cast<Protocol>(quoted.protocol())};
  const auto hit = services(meta).find(frontend.ip, quoted.protocol(), frontend.port);
  if (hit.service == nullptr || hit.service->choice == nullptr) return false;
  const uint32_t hash = choice_hash(quoted.destination(), quoted.destination_port(), frontend);
  const Backend& backend = hit.service->backends[hit.service->choice->choose(hash)];
  original = quoted;
  original.set_source(backend.ip);
  original.set_source_port(backend.port);
  return true;
}

void Translator::translate_icmp(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3) noexcept {
  const bool is_v6 = meta.ether_type == net::kEtherTypeIpv6;
  auto* icmp = net::header_at<net::IcmpErrorHeader>(packet, l3.l4_offset);
  if (icmp == nullptr || l3.l4_length() < sizeof *icmp || !is_error(icmp->icmp.type, is_v6))
    return refuse_other(packet, meta, l3);
  Quoted quoted;
  FlowKey original;
  if (!read_quoted(packet, l3.l4_offset + uint32_t{sizeof *icmp}, l3.end, is_v6,
                   snapshot_.fids[meta.fid].network, quoted) ||
      !find_quoted(meta, quoted.key, original))
    return refuse_other(packet, meta, l3);
  if (original == quoted.key) return;
  const Rewrite change = make_rewrite(quoted.key, original);
  const net::Sum before = sum_quoted(packet, quoted);
  rewrite_quoted(packet, quoted, change);
  net::Sum delta = net::add_sums(sum_quoted(packet, quoted), net::complement(before));
  // Who sends the error himself was the quoted packet's destination: he is hidden behind the Service as well.
  const IpAddress from = source_of(packet, meta.l3_offset, is_v6);
  const bool is_from_end = from == quoted.key.destination();
  delta = net::add_sums(delta, rewrite_outer(packet, meta.l3_offset, is_v6,
                                             is_from_end ? original.destination() : from, original.source()));
  icmp->icmp.checksum = be16_t::from_raw(adjusted(icmp->icmp.checksum.raw(), delta));
  burst_.translated |= 1u << index_of(meta);
}

void Translator::translate_error(rte_mbuf& packet, PacketMeta& meta) noexcept {
  const auto l3 = net::inspect_l3(packet, meta.ether_type, meta.l3_offset);
  if (l3) translate_icmp(packet, meta, *l3);
}

}  // namespace podswitch::stages
