// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/generator/checker.h"

#include <cstring>

#include "switch/net/checksum.h"

namespace podswitch::bench {
namespace {

// As a router that is so many hops away sends it on.
void pass_routers(net::Ipv4Header& ip, uint32_t hops) {
  ip.ttl = static_cast<uint8_t>(ip.ttl - hops);
  ip.checksum = {};
  ip.checksum = be16_t::from_raw(net::complement(net::sum_bytes(&ip, sizeof ip)));
}
void pass_routers(net::Ipv6Header& ip, uint32_t hops) {
  ip.hop_limit = static_cast<uint8_t>(ip.hop_limit - hops);
}

// RFC 1624, equation 3.
void adjust(be16_t& checksum, uint32_t old_sum, uint32_t new_sum) {
  const auto fold = [](uint32_t sum) { return (sum & 0xffff) + (sum >> 16); };
  uint32_t sum = (~checksum.raw() & 0xffffU) + (~fold(fold(old_sum)) & 0xffffU) + fold(fold(new_sum));
  checksum = be16_t::from_raw(static_cast<uint16_t>(~fold(fold(sum))));
}

bool is_behind(const MacAddress& mac, uint8_t port) {
  return mac.bytes[0] == 0x02 && mac.bytes[1] == port && mac.bytes[2] == 0;
}

// From `offset` on, the frame that begins behind `outer` bytes is payload.
bool has_payload(const rte_mbuf& packet, size_t offset, size_t outer) {
  size_t at = 0;
  for (const rte_mbuf* segment = &packet; segment != nullptr; segment = segment->next) {
    const size_t skip = std::min<size_t>(segment->data_len, offset + outer > at ? offset + outer - at : 0);
    if (at + segment->data_len > payload().size() + outer) return false;
    if (skip < segment->data_len &&
        std::memcmp(rte_pktmbuf_mtod_offset(segment, const uint8_t*, skip),
                    payload().data() + (at + skip - outer), segment->data_len - skip) != 0)
      return false;
    at += segment->data_len;
  }
  return true;
}

}  // namespace

Checker::Checker(const Stream& stream, bool echoed)
    : stream_(stream), echoed_(echoed), next_sequence_(stream.trial().flows) {
  stamp_at_ = stream.outer_received() + with_protocol(stream.trial().protocol, []<Protocol kProtocol>() {
                return static_cast<uint32_t>(Layout<kProtocol>::kStampAt);
              });
}

const Stamp* Checker::stamp_of(const rte_mbuf& packet) const noexcept {
  // An announcement, which has another size, may be made of what was a frame.
  if (!stream_.has_size(packet.pkt_len) || packet.data_len < stamp_at_ + sizeof(Stamp)) return nullptr;
  const auto* stamp = rte_pktmbuf_mtod_offset(&packet, const Stamp*, stamp_at_);
  const bool fits =
      stamp->trial.host() == stream_.trial_number() && stamp->flow.host() < stream_.trial().flows;
  return fits ? stamp : nullptr;
}

// Gives what was sent to a service the backend that the packet has come to, if it is one of that service's.
template <Protocol kProtocol>
bool Checker::translate(uint8_t* sent, const rte_mbuf& packet, const Cursor& cursor) const noexcept {
  using L = Layout<kProtocol>;
  if constexpr (!L::kV6) {
    const Trial& trial = stream_.trial();
    auto& head = *reinterpret_cast<typename L::Head*>(sent);
    const auto& got = *rte_pktmbuf_mtod(&packet, const typename L::Head*);
    const uint32_t first = as_number(trial.backend.ip) + cursor.node * trial.backends;
    if (as_number(got.ip.destination) - first >= trial.backends) return false;
    const auto sum = [](const typename L::Head& of) {
      const uint32_t ip = of.ip.destination.raw();
      return (ip & 0xffff) + (ip >> 16) + of.l4.destination_port.raw();
    };
    const uint32_t before = sum(head);
    head.ip.destination = got.ip.destination;
    head.l4.destination_port = be16_t(trial.backend.port);
    adjust(head.l4.checksum, before, sum(head));
    if constexpr (!L::kTcp)
      if (head.l4.checksum.raw() == 0) head.l4.checksum = be16_t(0xffff);
    pass_routers(head.ip, 0);
  }
  return true;
}

template <Protocol kProtocol>
bool Checker::is_as_sent(const rte_mbuf& packet, const Stamp& stamp) const noexcept {
  using L = Layout<kProtocol>;
  const Cursor cursor = stream_.cursor_at(stamp.flow.host(), stamp.sequence.host());
  alignas(16) uint8_t sent[L::kBlock];
  stream_.write<kProtocol>(sent, cursor, stamp.tsc.host());
  if (echoed_) swap_ends<kProtocol>(sent);
  const Trial& trial = stream_.trial();
  // What a backend sends back comes from the service again.
  if (trial.backends != 0 && !echoed_ && !translate<kProtocol>(sent, packet, cursor)) return false;
  if (trial.hops != 0)
    pass_routers(reinterpret_cast<typename L::Head*>(sent)->ip, echoed_ ? 2 * trial.hops : trial.hops);
  const size_t outer = stream_.outer_received(), skip = trial.changes_macs() ? 2 * sizeof(MacAddress) : 0;
  return packet.pkt_len == stream_.wire_bytes(cursor) + outer && (outer == 0 || Outer::is_right(packet)) &&
         std::memcmp(rte_pktmbuf_mtod_offset(&packet, const uint8_t*, outer + skip), sent + skip,
                     sizeof(typename L::Head) - skip) == 0 &&
         has_payload(packet, sizeof(typename L::Head), outer);
}

Verdict Checker::verify(const rte_mbuf& packet) const noexcept {
  if (packet.data_len < sizeof(net::EtherHeader)) return Verdict::Unexpected;
  const auto& ether = *rte_pktmbuf_mtod(&packet, const net::EtherHeader*);
  const uint16_t type = ether.ether_type.host();
  if (type == kAnnouncementType || (stream_.trial().changes_macs() && type == net::kEtherTypeArp))
    return Verdict::Announcement;
  const uint8_t from = echoed_ ? stream_.to_port() : stream_.from_port();
  const uint8_t to = echoed_ ? stream_.from_port() : stream_.to_port();
  if (!stream_.trial().changes_macs() &&
      (!is_behind(ether.destination, to) || !is_behind(ether.source, from)))
    return Verdict::Unexpected;
  // What found another way than through the tunnel.
  if (stream_.outer_received() != 0 && !Outer::is_right(packet)) return Verdict::Unexpected;
  if (packet.data_len < stamp_at_ + sizeof(Stamp)) return Verdict::Corrupt;
  if (rte_pktmbuf_mtod_offset(&packet, const Stamp*, stamp_at_)->trial.host() != stream_.trial_number())
    return Verdict::Unexpected;
  const Stamp* stamp = stamp_of(packet);
  if (stamp == nullptr) return Verdict::Corrupt;
  const bool good = with_protocol(
      stream_.trial().protocol, [&]<Protocol kProtocol>() { return is_as_sent<kProtocol>(packet, *stamp); });
  return good ? Verdict::Good : Verdict::Corrupt;
}

bool Checker::is_next(const Stamp& stamp) noexcept {
  uint32_t& next = next_sequence_[stamp.flow.host()];
  if (stamp.sequence.host() < next) return false;
  next = stamp.sequence.host() + 1;
  return true;
}

}  // namespace podswitch::bench
