// SPDX-License-Identifier: Apache-2.0
#include "switch/router_advertisement.h"

#include "switch/net/checksum.h"

namespace podswitch {

RouterAdvertisement make_router_advertisement(const MacAddress& mac, uint16_t lifetime_seconds, uint16_t mtu,
                                              const Ipv6Address& destination) noexcept {
  constexpr uint8_t kHopLimit = 64;  // for pods to begin with
  constexpr uint32_t kLength = sizeof(RouterAdvertisement) - sizeof(net::Ipv6Header);
  RouterAdvertisement made{
      .ip = {.version_class_label = be32_t(0x60000000),
             .payload_length = be16_t(kLength),
             .next_header = net::kProtoIcmpv6,
             .hop_limit = 255,
             .source = Ipv6Address::link_local_of(mac),
             .destination = destination},
      .router = {.icmp = {.type = net::kNdRouterAdvert, .code = 0, .checksum = {}},
                 .hop_limit = kHopLimit,
                 .flags = 0,
                 .lifetime_seconds = be16_t(lifetime_seconds),
                 .reachable_ms = {},
                 .retransmit_ms = {}},
      .source = {.type = net::kNdOptionSourceMac, .length = 1, .mac = mac},
      .mtu = {.type = net::kNdOptionMtu, .length = 1, .reserved = {}, .mtu = be32_t(mtu)}};
  const net::Sum pseudo =
      net::pseudo_header_sum(made.ip.source, made.ip.destination, net::kProtoIcmpv6, kLength);
  const net::Sum sum = net::add_sums(pseudo, net::sum_bytes(&made.router, kLength));
  made.router.icmp.checksum = be16_t::from_raw(net::complement(sum));
  return made;
}

}  // namespace podswitch
