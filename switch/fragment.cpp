// SPDX-License-Identifier: Apache-2.0
// Own code, because rte_ip_frag of DPDK 22.11 wants packets without an Ethernet header, and a second pool of
// indirect buffers whose data is shared with the original, or else originals that are not chained.
#include "switch/fragment.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "switch/chain_copy.h"
#include "switch/net/checksum.h"
#include "switch/net/headers.h"
#include "switch/net/l3.h"
#include "switch/net/mbuf_view.h"
#include "switch/offload.h"

namespace podswitch {
namespace {

constexpr uint32_t kMaxDatagram = 65535;
constexpr uint32_t kUnit = 8;

// What all fragments of one packet share.
struct Plan {
  uint32_t l3_offset;
  uint32_t header_length;  // of IPv4
  uint32_t payload_length;
  uint32_t max_payload;  // of a fragment, as the MTU has it
  uint16_t fragment;     // the original's flags and offset
  uint16_t count;

  // Of the fragment that has `left` bytes still to carry: the last one need not end on a multiple of 8.
  uint32_t size_of(uint32_t left) const { return left <= max_payload ? left : max_payload / kUnit * kUnit; }
};

std::optional<Plan> plan_of(const rte_mbuf& packet, uint16_t l3_offset, uint16_t mtu) noexcept {
  if ((packet.ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0) return std::nullopt;
  const auto l3 = net::inspect_l3(packet, net::kEtherTypeIpv4, l3_offset);
  if (!l3) return std::nullopt;
  Plan plan{};
  plan.fragment = net::header_at<net::Ipv4Header>(packet, l3_offset)->fragment.host();
  plan.l3_offset = l3_offset;
  plan.header_length = uint32_t{l3->l4_offset} - l3_offset;
  plan.payload_length = l3->l4_length();
  const uint32_t start = (plan.fragment & net::kIpv4FragmentOffset) * kUnit;
  if ((plan.fragment & net::kIpv4DontFragment) != 0) return std::nullopt;
  if (plan.header_length + start + plan.payload_length > kMaxDatagram) return std::nullopt;
  if (mtu < plan.header_length + kUnit) return std::nullopt;
  plan.max_payload = mtu - plan.header_length;
  plan.count = 1;
  if (plan.payload_length > plan.max_payload) {
    const uint32_t full = plan.max_payload / kUnit * kUnit;
    plan.count = static_cast<uint16_t>(1 + (plan.payload_length - plan.max_payload + full - 1) / full);
  }
  return plan;
}

// The frame's headers down to IPv4's, of the first fragment and then of the others.
class Headers {
 public:
  Headers(const rte_mbuf& packet, const Plan& plan) noexcept
      : ether_(rte_pktmbuf_mtod(&packet, const char*)), plan_(plan) {
    std::memcpy(ip_.data(), ether_ + plan.l3_offset, plan.header_length);
  }

  // Options that are only for the first fragment (RFC 791: without the copied flag) become no operation, so
  // that all headers have one length.
  void drop_first_options() noexcept {
    constexpr uint8_t kEnd = 0, kNoOperation = 1, kCopied = 0x80;
    uint32_t at = sizeof(net::Ipv4Header);
    while (at < plan_.header_length && ip_[at] != kEnd) {
      if (ip_[at] == kNoOperation) {
        ++at;
        continue;
      }
      const uint32_t length = at + 1 < plan_.header_length ? ip_[at + 1] : 0;
      if (length < 2 || at + length > plan_.header_length) return;
      if ((ip_[at] & kCopied) == 0) std::memset(&ip_[at], kNoOperation, length);
      at += length;
    }
  }

  // For the `size` bytes of payload from `start` on. False: no room.
  bool write(rte_mbuf& piece, uint32_t start, uint32_t size) noexcept {
    char* to = rte_pktmbuf_append(&piece, static_cast<uint16_t>(plan_.l3_offset + plan_.header_length));
    if (to == nullptr) return false;
    std::memcpy(to, ether_, plan_.l3_offset);
    std::memcpy(to + plan_.l3_offset, ip_.data(), plan_.header_length);
    auto* ip = reinterpret_cast<net::Ipv4Header*>(to + plan_.l3_offset);
    ip->total_length = be16_t(static_cast<uint16_t>(plan_.header_length + size));
    const uint16_t more = start + size < plan_.payload_length ? net::kIpv4MoreFragments : 0;
    ip->fragment = be16_t(static_cast<uint16_t>((plan_.fragment + start / kUnit) | more));
    ip->checksum = be16_t{};
    ip->checksum = be16_t::from_raw(net::complement(net::sum_bytes(ip, plan_.header_length)));
    return true;
  }

 private:
  const char* ether_;
  const Plan& plan_;
  std::array<uint8_t, 60> ip_{};
};

rte_mbuf* make_piece(const rte_mbuf& source, Headers& headers, rte_mempool& pool, ChainReader& payload,
                     uint32_t start, uint32_t size) noexcept {
  rte_mbuf* piece = rte_pktmbuf_alloc(&pool);
  if (piece == nullptr) return nullptr;
  piece->port = source.port;
  piece->vlan_tci = source.vlan_tci;
  if (headers.write(*piece, start, size) && append_copy(*piece, pool, payload, size)) return piece;
  rte_pktmbuf_free(piece);
  return nullptr;
}

}  // namespace

uint16_t fragment_count(const rte_mbuf& packet, uint16_t l3_offset, uint16_t mtu) noexcept {
  const auto plan = plan_of(packet, l3_offset, mtu);
  return plan ? plan->count : 0;
}

uint16_t fragment(rte_mbuf& packet, uint16_t l3_offset, uint16_t mtu, rte_mempool& pool, rte_mbuf** out,
                  uint16_t max) noexcept {
  const auto plan = plan_of(packet, l3_offset, mtu);
  if (!plan || plan->count > max) return 0;
  if (has_open_request(packet)) complete_checksum(packet);
  Headers headers(packet, *plan);
  ChainReader payload(packet, plan->l3_offset + plan->header_length);
  uint32_t start = 0;
  for (uint16_t i = 0; i < plan->count; ++i) {
    const uint32_t size = plan->size_of(plan->payload_length - start);
    out[i] = make_piece(packet, headers, pool, payload, start, size);
    if (out[i] == nullptr) {
      rte_pktmbuf_free_bulk(out, i);
      return 0;
    }
    if (i == 0) headers.drop_first_options();
    start += size;
  }
  return plan->count;
}

}  // namespace podswitch
