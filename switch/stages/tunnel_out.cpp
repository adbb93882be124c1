// SPDX-License-Identifier: Apache-2.0
#include "switch/stages/tunnel_out.h"

#include <rte_cycles.h>

#include <utility>

#include "switch/icmp_error.h"
#include "switch/net/headers.h"
#include "switch/net/mbuf_view.h"
#include "switch/stretch.h"

namespace podswitch::stages {
namespace {

struct Ends {
  IpAddress source, destination;
};

// Of a packet that must not be fragmented on its way.
std::optional<Ends> unfragmentable(const rte_mbuf& packet, const PacketMeta& meta) noexcept {
  if (meta.ether_type == net::kEtherTypeIpv6) {
    if (const auto* ip = net::header_at<net::Ipv6Header>(packet, meta.l3_offset))
      return Ends{IpAddress(ip->source), IpAddress(ip->destination)};
  } else if (meta.ether_type == net::kEtherTypeIpv4) {
    const auto* ip = net::header_at<net::Ipv4Header>(packet, meta.l3_offset);
    if (ip != nullptr && (ip->fragment.host() & net::kIpv4DontFragment) != 0)
      return Ends{IpAddress(ip->source), IpAddress(ip->destination)};
  }
  return std::nullopt;
}

bool is_group(const IpAddress& ip) noexcept {
  return ip.is_v4() ? (ip.v4().bytes[0] & 0xf0) == 0xe0 : ip.v6.is_multicast();
}

// A bridge has no address of its own to speak from: the error comes from the packet's destination, as in
// Linux (skb_tunnel_check_pmtu). False: there is none, and nothing has changed.
bool answer_too_big(rte_mbuf& packet, PacketMeta& meta, PortId in_port, uint16_t mtu, Local& local) noexcept {
  const auto ends = unfragmentable(packet, meta);
  if (!ends || is_group(ends->destination) || !local.icmp_limiter.allow(ends->source, rte_rdtsc()) ||
      !make_icmp_error(packet, meta.l3_offset, IcmpError::TooBig, ends->destination, mtu))
    return false;
  auto& ether = *rte_pktmbuf_mtod(&packet, net::EtherHeader*);
  std::swap(ether.destination, ether.source);
  meta.forward(in_port);
  return true;
}

}  // namespace

void send_to_vtep(rte_mbuf& packet, PacketMeta& meta, PortId in_port, NextHopId id, const Snapshot& snapshot,
                  Local& local) noexcept {
  const NextHop& hop = (*snapshot.next_hops)[id];
  const auto reason =
      wrap_frame(packet, meta.ether_type, meta.l3_offset, snapshot.fids[meta.fid].vni, hop, local.ip_ids);
  if (!reason) {
    meta.fid = hop.fid;
    return meta.forward(hop.port);
  }
  if (*reason == DropReason::MtuExceeded && answer_too_big(packet, meta, in_port, hop.mtu, local))
    return (*local.ports)[in_port].reasons[static_cast<size_t>(*reason)].add(1);
  meta.drop(*reason);
}

}  // namespace podswitch::stages
