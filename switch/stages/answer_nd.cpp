// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include "switch/net/checksum.h"
#include "switch/net/mbuf_view.h"
#include "switch/net/nd.h"
#include "switch/router_advertisement.h"
#include "switch/stages/answer.h"

namespace podswitch::stages {
namespace {

struct Advertisement {  // RFC 4861 section 4.4, with its one option
  net::Ipv6Header ip;
  net::NdNeighbour neighbour;
  net::NdLinkLayerOption option;
};
static_assert(sizeof(Advertisement) == 72);

// RFC 4861 section 7.1.1.
bool is_valid(const rte_mbuf& packet, const net::L3& l3, const net::Ipv6Header& ip,
              const net::NdNeighbour& solicitation) noexcept {
  return is_valid_solicitation(packet, l3, ip, sizeof solicitation) &&
         (!ip.source.is_unspecified() ||
          ip.destination == Ipv6Address::solicited_node_of(solicitation.target));
}

void write_advertisement(Advertisement& reply, const Ipv6Address& target, const Ipv6Address& asker,
                         const AddressTable::Owner& owner) noexcept {
  const bool is_detection = asker.is_unspecified();
  uint32_t flags = net::kNdOverride;
  if (!is_detection) flags |= net::kNdSolicited;
  if (owner.port == kNoPort) flags |= net::kNdRouter;
  reply.ip = {.version_class_label = be32_t(0x60000000),
              .payload_length = be16_t(sizeof reply.neighbour + sizeof reply.option),
              .next_header = net::kProtoIcmpv6,
              .hop_limit = 255,
              .source = target,
              .destination = is_detection ? kAllNodes : asker};
  reply.neighbour = {.icmp = {.type = net::kNdNeighbourAdvert, .code = 0, .checksum = {}},
                     .flags = be32_t(flags),
                     .target = target};
  reply.option = {.type = net::kNdOptionTargetMac, .length = 1, .mac = owner.mac};
  constexpr uint32_t kLength = sizeof reply.neighbour + sizeof reply.option;
  const net::Sum pseudo =
      net::pseudo_header_sum(reply.ip.source, reply.ip.destination, net::kProtoIcmpv6, kLength);
  const net::Sum sum = net::add_sums(pseudo, net::sum_bytes(&reply.neighbour, kLength));
  reply.neighbour.icmp.checksum = be16_t::from_raw(net::complement(sum));
}

}  // namespace

bool is_valid_solicitation(const rte_mbuf& packet, const net::L3& l3, const net::Ipv6Header& ip,
                           uint32_t fixed_length) noexcept {
  const auto& icmp = *net::header_at<net::IcmpHeader>(packet, l3.l4_offset);
  if (ip.hop_limit != 255 || l3.is_fragment || icmp.code != 0) return false;
  bool has_source_mac = false;
  if (!net::for_each_link_layer_option(packet, l3, fixed_length,
                                       [&](const net::NdLinkLayerOption& option) noexcept {
                                         has_source_mac |= option.type == net::kNdOptionSourceMac;
                                       }))
    return false;
  if (ip.source.is_unspecified() && has_source_mac) return false;
  const net::Sum pseudo =
      net::pseudo_header_sum(ip.source, ip.destination, net::kProtoIcmpv6, l3.l4_length());
  return net::add_sums(pseudo, net::sum_chain(packet, l3.l4_offset, l3.l4_length())) == 0xffff;
}

bool resize(rte_mbuf& packet, uint16_t length) noexcept {
  if (packet.data_len < length && packet.data_len + rte_pktmbuf_tailroom(&packet) < length) return false;
  rte_pktmbuf_free(packet.next);
  packet.next = nullptr;
  packet.nb_segs = 1;
  packet.data_len = length;
  packet.pkt_len = length;
  return true;
}

void answer_solicitation(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, PortId asker, Asked asked,
                         const Snapshot& snapshot, Local& local) noexcept {
  if (l3.protocol != net::kProtoIcmpv6 || !l3.is_first) return;
  const auto* solicitation = net::header_at<net::NdNeighbour>(packet, l3.l4_offset);
  if (solicitation == nullptr || solicitation->icmp.type != net::kNdNeighbourSolicit) return;
  const Ipv6Address target = solicitation->target;
  if (IpAddress(target).is_v4()) return;  // an IPv4-mapped target is nobody's
  const auto owner = owner_to_answer_for(snapshot, local, meta, IpAddress(target), asker, asked);
  if (!owner) return;
  const auto* ip = net::header_at<net::Ipv6Header>(packet, meta.l3_offset);
  if (!is_valid(packet, l3, *ip, *solicitation)) return meta.drop(DropReason::Malformed);
  const Ipv6Address source = ip->source;
  if (!resize(packet, sizeof(net::EtherHeader) + sizeof(Advertisement)))
    return meta.drop(DropReason::NoBuffer);
  write_advertisement(*net::header_at<Advertisement>(packet, meta.l3_offset), target, source, *owner);
  send_back(packet, meta, asker, owner->mac,
            source.is_unspecified() ? kAllNodesMac : mac_of_key(meta.source));
}

}  // namespace podswitch::stages
