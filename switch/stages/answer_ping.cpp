// SPDX-License-Identifier: Apache-2.0
// Ping to the switch's own addresses. Every fragment of an echo request goes back by itself, so that nothing
// has to be reassembled: only the first one holds the type and the checksum.
#include <utility>

#include "switch/net/checksum.h"
#include "switch/net/l3.h"
#include "switch/net/mbuf_view.h"
#include "switch/stages/answer.h"

namespace podswitch::stages {
namespace {

constexpr uint8_t kReplyTtl = 64;

// nullptr: `ip` is not the switch's own.
const AddressTable::Owner* self_of(const Snapshot& snapshot, Fid fid, const IpAddress& ip) noexcept {
  const auto* owner = snapshot.addresses.find(fid, ip);
  return owner != nullptr && owner->port == kNoPort ? owner : nullptr;
}

bool is_ipv4_unicast(const Ipv4Address& ip) noexcept {
  return !ip.is_unspecified() && ip.bytes[0] < 224;
}

// Turns the request's type into the reply's. False: it is no echo request.
bool turn_echo(rte_mbuf& packet, const net::L3& l3, uint8_t request, uint8_t reply) noexcept {
  if (!l3.is_first) return true;
  auto* icmp = net::header_at<net::IcmpHeader>(packet, l3.l4_offset);
  if (icmp == nullptr || l3.l4_length() < sizeof *icmp || icmp->type != request || icmp->code != 0)
    return false;
  const auto word = [](uint8_t type) noexcept { return be16_t(static_cast<uint16_t>(type << 8)); };
  icmp->type = reply;
  icmp->checksum = net::updated_checksum(icmp->checksum, word(request), word(reply));
  return true;
}

bool make_reply4(rte_mbuf& packet, uint16_t l3_offset, const net::L3& l3) noexcept {
  auto* ip = net::header_at<net::Ipv4Header>(packet, l3_offset);
  if (l3.protocol != net::kProtoIcmp || !is_ipv4_unicast(ip->source)) return false;
  if (!turn_echo(packet, l3, net::kIcmpEchoRequest, net::kIcmpEchoReply)) return false;
  const auto ttl_word = [&] { return be16_t(static_cast<uint16_t>(ip->ttl << 8 | ip->protocol)); };
  const be16_t before = ttl_word();
  ip->ttl = kReplyTtl;
  ip->checksum = net::updated_checksum(ip->checksum, before, ttl_word());
  std::swap(ip->source, ip->destination);
  return true;
}

bool make_reply6(rte_mbuf& packet, uint16_t l3_offset, const net::L3& l3) noexcept {
  auto* ip = net::header_at<net::Ipv6Header>(packet, l3_offset);
  if (l3.protocol != net::kProtoIcmpv6 || l3.has_routing || ip->source.is_unspecified() ||
      ip->source.is_multicast())
    return false;
  if (!turn_echo(packet, l3, net::kIcmpv6EchoRequest, net::kIcmpv6EchoReply)) return false;
  ip->hop_limit = kReplyTtl;
  std::swap(ip->source, ip->destination);
  return true;
}

}  // namespace

// An incremental update leaves a wrong checksum wrong, and swapped addresses change none.
bool make_echo_reply(rte_mbuf& packet, const PacketMeta& meta, const net::L3& l3) noexcept {
  return meta.ether_type == net::kEtherTypeIpv4 ? make_reply4(packet, meta.l3_offset, l3)
                                                : make_reply6(packet, meta.l3_offset, l3);
}

void answer_ping4(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, PortId asker,
                  const Snapshot& snapshot) noexcept {
  const auto* ip = net::header_at<net::Ipv4Header>(packet, meta.l3_offset);
  const auto* self = self_of(snapshot, meta.fid, IpAddress(ip->destination));
  if (self != nullptr && make_reply4(packet, meta.l3_offset, l3))
    send_back(packet, meta, asker, self->mac, mac_of_key(meta.source));
}

void answer_ping6(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, PortId asker,
                  const Snapshot& snapshot) noexcept {
  const auto* ip = net::header_at<net::Ipv6Header>(packet, meta.l3_offset);
  const IpAddress destination(ip->destination);
  const auto* self = destination.is_v4() ? nullptr : self_of(snapshot, meta.fid, destination);
  if (self != nullptr && make_reply6(packet, meta.l3_offset, l3))
    send_back(packet, meta, asker, self->mac, mac_of_key(meta.source));
}

}  // namespace podswitch::stages
