// SPDX-License-Identifier: Apache-2.0
#include "switch/net/flow_hash.h"

#include <nmmintrin.h>

#include <array>
#include <cstddef>
#include <cstring>

#include "switch/net/headers.h"
#include "switch/net/l3.h"
#include "switch/net/mbuf_view.h"

namespace podswitch::net {
namespace {

constexpr uint32_t kSeed = 0xffff'ffff;

uint32_t mix(uint32_t hash, uint64_t word) noexcept {
  return static_cast<uint32_t>(_mm_crc32_u64(hash, word));
}

// Of `Words` words of 8 bytes, which the first segment holds.
template <int Words>
uint32_t hash_addresses(const rte_mbuf& packet, size_t offset) noexcept {
  std::array<uint64_t, Words> words;
  std::memcpy(words.data(), rte_pktmbuf_mtod_offset(&packet, const uint8_t*, offset), sizeof words);
  uint32_t hash = kSeed;
  for (const uint64_t word : words) hash = mix(hash, word);
  return hash;
}

// Protocol and ports as one word.
uint64_t layer4_word(const rte_mbuf& packet, uint8_t protocol, uint32_t offset) noexcept {
  const uint64_t high = uint64_t{protocol} << 32;
  if (protocol != kProtoTcp && protocol != kProtoUdp && protocol != kProtoSctp) return high;
  const auto* ports = header_at<be32_t>(packet, offset);
  return ports == nullptr ? high : high | ports->raw();
}

uint32_t hash_macs(const rte_mbuf& packet) noexcept {
  const auto* ether = header_at<EtherHeader>(packet, 0);
  if (ether == nullptr) return kSeed;
  return mix(mix(kSeed, ether->destination.as_u64()), ether->source.as_u64());
}

uint32_t hash_ipv4(const rte_mbuf& packet, uint16_t l3_offset) noexcept {
  const auto* ip = header_at<Ipv4Header>(packet, l3_offset);
  if (ip == nullptr) return hash_macs(packet);
  const uint32_t hash = hash_addresses<1>(packet, l3_offset + offsetof(Ipv4Header, source));
  constexpr uint16_t kMoreOrOffset = 0x3fff;
  if ((ip->fragment.host() & kMoreOrOffset) != 0) [[unlikely]]
    return hash;
  return mix(hash, layer4_word(packet, ip->protocol, l3_offset + (ip->version_ihl & 0x0fu) * 4));
}

uint32_t hash_ipv6(const rte_mbuf& packet, uint16_t l3_offset) noexcept {
  const auto* ip = header_at<Ipv6Header>(packet, l3_offset);
  if (ip == nullptr) return hash_macs(packet);
  const uint32_t hash = hash_addresses<4>(packet, l3_offset + offsetof(Ipv6Header, source));
  if (ip->next_header == kProtoTcp || ip->next_header == kProtoUdp) [[likely]]
    return mix(hash, layer4_word(packet, ip->next_header, l3_offset + uint32_t{sizeof *ip}));
  const auto l3 = inspect_l3(packet, kEtherTypeIpv6, l3_offset);
  if (!l3 || l3->is_fragment) return hash;
  return mix(hash, layer4_word(packet, l3->protocol, l3->l4_offset));
}

}  // namespace

uint32_t flow_hash(const rte_mbuf& packet, uint16_t ether_type, uint16_t l3_offset) noexcept {
  if (ether_type == kEtherTypeIpv4) return hash_ipv4(packet, l3_offset);
  if (ether_type == kEtherTypeIpv6) return hash_ipv6(packet, l3_offset);
  return hash_macs(packet);
}

uint32_t flow_hash(const rte_mbuf& packet, uint16_t ether_type, uint16_t l3_offset, uint8_t protocol,
                   uint16_t source_port, uint16_t destination_port) noexcept {
  const uint32_t ports = be16_t(source_port).raw() | uint32_t{be16_t(destination_port).raw()} << 16;
  const uint32_t hash = ether_type == kEtherTypeIpv4
                            ? hash_addresses<1>(packet, l3_offset + offsetof(Ipv4Header, source))
                            : hash_addresses<4>(packet, l3_offset + offsetof(Ipv6Header, source));
  return mix(hash, uint64_t{protocol} << 32 | ports);
}

}  // namespace podswitch::net
