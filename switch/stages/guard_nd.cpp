// SPDX-License-Identifier: Apache-2.0
// The guard's view of neighbour discovery (RFC 4861): what a message claims must be the port's.
#include "switch/net/mbuf_view.h"
#include "switch/net/nd.h"
#include "switch/stages/guard.h"

namespace podswitch::stages {
namespace {

uint32_t fixed_length(uint8_t type) noexcept {
  switch (type) {
    case net::kNdRouterSolicit:
      return 8;
    case net::kNdRouterAdvert:
      return 16;
    case net::kNdRedirect:
      return 40;
    default:
      return sizeof(net::NdNeighbour);
  }
}

bool is_claim_of_target(const net::IcmpHeader& icmp, const net::Ipv6Header& ip) noexcept {
  return icmp.type == net::kNdNeighbourAdvert ||
         (icmp.type == net::kNdNeighbourSolicit && ip.source.is_unspecified());
}

}  // namespace

Objection judge_icmpv6(const rte_mbuf& packet, const net::L3& l3, const net::Ipv6Header& ip,
                       const MacAddress& mac, const Guard& guard) noexcept {
  const auto* icmp = net::header_at<net::IcmpHeader>(packet, l3.l4_offset);
  if (icmp == nullptr || l3.l4_length() < sizeof *icmp) return DropReason::Malformed;
  if (!net::is_nd(icmp->type)) return std::nullopt;
  if (l3.is_fragment) return DropReason::GuardNd;  // RFC 6980 section 5
  const bool is_routers = icmp->type == net::kNdRouterAdvert || icmp->type == net::kNdRedirect;
  if (guard.check_ip && is_routers) return DropReason::GuardNd;

  bool is_own_mac = true;
  if (!net::for_each_link_layer_option(packet, l3, fixed_length(icmp->type),
                                       [&](const net::NdLinkLayerOption& option) noexcept {
                                         is_own_mac &= option.length == 1 && option.mac == mac;
                                       }))
    return DropReason::Malformed;
  if (!is_own_mac) return DropReason::GuardNd;
  if (!guard.check_ip || !is_claim_of_target(*icmp, ip)) return std::nullopt;
  const auto* neighbour = net::header_at<net::NdNeighbour>(packet, l3.l4_offset);
  if (neighbour == nullptr) return DropReason::Malformed;
  if (!owns(guard, neighbour->target, mac)) return DropReason::GuardNd;
  return std::nullopt;
}

}  // namespace podswitch::stages
