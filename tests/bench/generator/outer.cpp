// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/generator/outer.h"

#include <cstring>

#include "switch/net/checksum.h"
#include "tests/bench/generator/frame.h"

namespace podswitch::bench {
namespace {

constexpr uint16_t kVxlanPort = 4789;
constexpr uint32_t kVni = 1;
constexpr uint32_t kFirstVtep = 0xac10'0001;  // 172.16.0.1

}  // namespace

Outer::Outer(const Trial& trial, uint8_t from_port) {
  OuterHead& head = template_;
  head.ether = {trial.outer_mac, mac_behind(from_port, 0), be16_t(net::kEtherTypeIpv4)};
  head.ip.version_ihl = 0x45;
  head.ip.fragment = be16_t(net::kIpv4DontFragment);
  head.ip.ttl = 64;
  head.ip.protocol = net::kProtoUdp;
  head.ip.destination = trial.outer_ip;
  head.udp.destination_port = be16_t(kVxlanPort);
  head.vxlan.flags = net::kVxlanHasVni;
  head.vxlan.vni_reserved = be32_t(kVni << 8);
  ip_sum_ = net::sum_bytes(&head.ip, sizeof head.ip);
}

void Outer::write(uint8_t* to, uint16_t inner_bytes, uint32_t flow, uint32_t node) const noexcept {
  auto& head = *reinterpret_cast<OuterHead*>(to);
  std::memcpy(&head, &template_, sizeof head);
  const auto udp_bytes = static_cast<uint16_t>(sizeof head.udp + sizeof head.vxlan + inner_bytes);
  head.ip.total_length = be16_t(static_cast<uint16_t>(sizeof head.ip + udp_bytes));
  const be32_t source(kFirstVtep + node);
  std::memcpy(head.ip.source.bytes.data(), &source, sizeof source);
  uint32_t sum = ip_sum_ + head.ip.total_length.raw() + (source.raw() & 0xffff) + (source.raw() >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  head.ip.checksum = be16_t::from_raw(static_cast<uint16_t>(~sum));
  head.udp.source_port = be16_t(static_cast<uint16_t>(0xc000 | (flow & 0x3fff)));  // RFC 7348 section 5
  head.udp.length = be16_t(udp_bytes);
}

bool Outer::is_right(const rte_mbuf& packet) noexcept {
  if (packet.data_len < kOuterBytes) return false;
  const auto& head = *rte_pktmbuf_mtod(&packet, const OuterHead*);
  const uint32_t ip_bytes = packet.pkt_len - static_cast<uint32_t>(sizeof head.ether);
  return head.ether.ether_type.host() == net::kEtherTypeIpv4 && head.ip.version_ihl == 0x45 &&
         head.ip.protocol == net::kProtoUdp && head.ip.total_length.host() == ip_bytes &&
         net::sum_bytes(&head.ip, sizeof head.ip) == 0xffff &&
         head.udp.length.host() == ip_bytes - sizeof head.ip && head.udp.source_port.raw() != 0 &&
         head.udp.destination_port.host() == kVxlanPort && head.udp.checksum.raw() == 0 &&
         (head.vxlan.flags & net::kVxlanHasVni) != 0 && head.vxlan.vni_reserved.host() >> 8 == kVni;
}

}  // namespace podswitch::bench
