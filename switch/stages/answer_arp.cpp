// SPDX-License-Identifier: Apache-2.0
#include "switch/net/mbuf_view.h"
#include "switch/stages/answer.h"

namespace podswitch::stages {

void answer_arp(rte_mbuf& packet, PacketMeta& meta, PortId asker, Asked asked, const Snapshot& snapshot,
                Local& local) noexcept {
  auto* arp = net::header_at<net::ArpPacket>(packet, meta.l3_offset);
  if (arp == nullptr || arp->hardware_type != be16_t(1) ||
      arp->protocol_type != be16_t(net::kEtherTypeIpv4) || arp->hardware_length != 6 ||
      arp->protocol_length != 4 || arp->operation != be16_t(net::kArpRequest))
    return;
  // RFC 5227 section 3: an announcement asks nothing.
  if (arp->sender_ip == arp->target_ip) return;
  const auto owner = owner_to_answer_for(snapshot, local, meta, IpAddress(arp->target_ip), asker, asked);
  if (!owner) return;
  arp->operation = be16_t(net::kArpReply);
  arp->target_mac = arp->sender_mac;
  std::swap(arp->target_ip, arp->sender_ip);
  arp->sender_mac = owner->mac;
  send_back(packet, meta, asker, owner->mac, mac_of_key(meta.source));
}

}  // namespace podswitch::stages
