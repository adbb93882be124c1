// SPDX-License-Identifier: Apache-2.0
#include "pmd/underlay.h"

#include <algorithm>
#include <cstring>

#include "pmd/solicit.h"
#include "switch/offload.h"

namespace podswitch {
namespace {

constexpr uint32_t kAskAfter = 30;      // seconds of silence (RFC 4861 section 10: REACHABLE_TIME)
constexpr uint32_t kGiveUpAfter = 60;   // asked every second for half of it
constexpr uint32_t kMaxPatience = 8;    // who never answered is asked less and less often
constexpr uint32_t kPathMtuLife = 600;  // RFC 1191 section 6.3, RFC 8201 section 4
// Less is not believed: a forged error must not cut packets to pieces.
constexpr uint16_t kMinPathMtuV4 = 576, kMinPathMtuV6 = 1280;

}  // namespace

Underlay::Underlay(NextHopTable& table, NeighbourTable& link_hosts, rte_mempool& pool, Send send)
    : table_(table),
      pool_(pool),
      send_(std::move(send)),
      link_hosts_(link_hosts, [this](const IpAddress& ip, const std::optional<MacAddress>& known) {
        if (!entries_.contains(ip)) ask(ip, known);  // next hops are asked for already
      }) {}

Underlay::Replaced Underlay::set(const Uplink& uplink, const PlannedHops& hops, uint32_t now) {
  const bool is_other_uplink = uplink != uplink_;
  if (is_other_uplink) change_uplink(uplink);
  const PlannedHops before = std::exchange(planned_, hops);
  const auto for_each_change = [&](auto&& visit) {
    PlannedHops::for_each_difference(before, planned_, [&](NextHopId, const auto* old, const auto* next) {
      visit(old == nullptr ? nullptr : old->get(), next == nullptr ? nullptr : next->get());
    });
  };
  // What goes first: a number's new owner may be of the same neighbour.
  for_each_change([&](const PlannedHop* old, const PlannedHop* next) {
    if (old != nullptr) drop(*old, next == nullptr);
  });
  if (is_other_uplink) announce();
  for_each_change([&](const PlannedHop*, const PlannedHop* next) {
    if (next != nullptr) add(*next, now);
  });
  return std::exchange(replaced_, {});
}

void Underlay::change_uplink(const Uplink& uplink) {
  for (const auto& [id, planned] : planned_) drop(*planned, true);
  planned_ = {};
  entries_.clear();
  vteps_.clear();
  uplink_ = uplink;
  link_hosts_.reset(uplink.fid);
}

void Underlay::add(const PlannedHop& planned, uint32_t now) {
  if (planned.via) entries_[*planned.via].hops.insert(planned.id);
  if (planned.tunnel) vteps_[planned.tunnel->outer_destination].hops.insert(planned.id);
  write(planned);
  if (planned.via && !entries_[*planned.via].mac) ask_if_due(*planned.via, entries_[*planned.via], now);
}

void Underlay::drop(const PlannedHop& planned, bool is_last) {
  if (planned.via) entries_[*planned.via].hops.erase(planned.id);
  if (planned.tunnel) vteps_[planned.tunnel->outer_destination].hops.erase(planned.id);
  if (is_last) keep(table_.set(planned.id, nullptr));
}

Underlay::Replaced Underlay::heard(const IpAddress& ip, const MacAddress& mac, uint32_t now) {
  link_hosts_.heard(ip, mac, now);
  const auto found = entries_.find(ip);
  if (found == entries_.end()) return {};
  Entry& entry = found->second;
  entry.heard = now;
  if (entry.mac == mac) return {};
  entry.mac = mac;
  entry.unanswered = 0;
  link_hosts_.add(ip, mac, now);  // pods talk to it, too
  write_all(entry.hops);
  return std::exchange(replaced_, {});
}

void Underlay::wanted(const IpAddress& ip, uint32_t now) {
  const auto known = entries_.find(ip);
  if (known == entries_.end()) return link_hosts_.wanted(ip);
  const Entry& entry = known->second;  // is asked for when its MAC is not known
  if (entry.mac || entry.is_silent()) link_hosts_.add(ip, entry.mac.value_or(MacAddress{}), now);
}

Underlay::Replaced Underlay::too_big(const IpAddress& ip, uint16_t mtu, uint32_t now) {
  const auto found = vteps_.find(ip);
  if (found == vteps_.end()) return {};
  Vtep& vtep = found->second;
  const uint16_t bounded = std::max(mtu, ip.is_v4() ? kMinPathMtuV4 : kMinPathMtuV6);
  if (bounded > vtep.path_mtu) return {};  // about a packet that was under way already
  vtep.until = now + kPathMtuLife;
  if (bounded == vtep.path_mtu) return {};
  vtep.path_mtu = bounded;
  write_all(vtep.hops);
  return std::exchange(replaced_, {});
}

Underlay::Replaced Underlay::every_second(uint32_t now) {
  ask_the_silent(now);
  link_hosts_.every_second(now);
  for (auto& [ip, vtep] : vteps_) {
    if (vtep.path_mtu == UINT16_MAX || now < vtep.until) continue;
    vtep.path_mtu = UINT16_MAX;
    write_all(vtep.hops);
  }
  return std::exchange(replaced_, {});
}

void Underlay::ask_the_silent(uint32_t now) {
  std::erase_if(entries_, [](const auto& entry) { return entry.second.hops.empty(); });
  std::erase_if(vteps_, [](const auto& vtep) { return vtep.second.hops.empty(); });
  if (uplink_.port == kNoPort) return;
  for (auto& [ip, entry] : entries_) ask_if_due(ip, entry, now);
}

void Underlay::ask_if_due(const IpAddress& ip, Entry& entry, uint32_t now) {
  const uint32_t silent = now - entry.heard;
  if (uplink_.port == kNoPort || (entry.mac && silent < kAskAfter)) return;
  if (entry.mac && silent >= kGiveUpAfter) {
    entry.mac.reset();
    entry.ask_at = 0;
    entry.patience = 1;
    entry.unanswered = kMaxQuestions + 1;
    write_all(entry.hops);
  }
  if (!entry.mac) {
    if (now < entry.ask_at) return;
    entry.ask_at = now + entry.patience;
    if (entry.unanswered >= kMaxQuestions) entry.patience = std::min(entry.patience * 2, kMaxPatience);
    if (entry.unanswered == kMaxQuestions + 1) return ask(ip, std::nullopt);
    if (++entry.unanswered > kMaxQuestions) write_all(entry.hops);
  }
  ask(ip, entry.mac);
}

void Underlay::keep(NextHopTable::Replaced old) {
  if (old != nullptr) replaced_.push_back(std::move(old));
}

void Underlay::write_all(const std::set<NextHopId>& hops) {
  for (const NextHopId id : hops) write(*planned_.at(id));
}

void Underlay::write(const PlannedHop& planned) {
  auto hop = std::make_unique<NextHop>(planned.hop);
  if (planned.via) {
    const Entry& neighbour = entries_[*planned.via];
    const std::optional<MacAddress>& mac = neighbour.mac;
    hop->is_silent = neighbour.is_silent();
    if (!mac) hop->kind = planned.tunnel ? NextHop::Kind::Unresolved : NextHop::Kind::UnderlayUnresolved;
    if (mac) std::memcpy(hop->macs.data(), mac->bytes.data(), mac->bytes.size());
    if (mac && planned.tunnel) {
      TunnelSpec spec = *planned.tunnel;
      spec.outer_destination_mac = *mac;
      hop->tunnel = make_template(spec).value();
    }
  }
  if (planned.tunnel) {
    const TunnelSpec& spec = *planned.tunnel;
    const uint16_t path_mtu = vteps_[spec.outer_destination].path_mtu;
    const uint16_t overhead = net::tunnel_overhead(spec.encapsulation, spec.outer_destination.is_v4());
    hop->mtu = std::min(hop->mtu, static_cast<uint16_t>(path_mtu - overhead));
  }
  keep(table_.set(planned.id, std::move(hop)));
}

void Underlay::ask(const IpAddress& ip, const std::optional<MacAddress>& known) {
  if (ip.is_v4() && uplink_.v4)
    send(arp_request(pool_, uplink_.mac, *uplink_.v4, ip.v4(), known));
  else if (!ip.is_v4() && uplink_.v6)
    send(neighbour_solicitation(pool_, uplink_.mac, *uplink_.v6, ip.v6, known));
}

void Underlay::follow_way(PortId port, uint64_t changes) {
  if (port != uplink_.port || std::exchange(way_changes_, changes) == changes) return;
  announce();
}

// A gratuitous ARP request (RFC 5227 section 3) and its like in IPv6: switches in the underlay learn where
// the MAC is now.
void Underlay::announce() {
  if (uplink_.port == kNoPort) return;
  if (uplink_.v4) send(arp_request(pool_, uplink_.mac, *uplink_.v4, *uplink_.v4, std::nullopt));
  if (uplink_.v6) send(unsolicited_advertisement(pool_, uplink_.mac, *uplink_.v6));
}

void Underlay::send(rte_mbuf* packet) {
  if (packet == nullptr) return;
  if (uplink_.vlan != 0 && !push_vlan(*packet, uplink_.vlan)) return rte_pktmbuf_free(packet);
  send_(uplink_.port, packet);
}

std::vector<Underlay::Neighbour> Underlay::neighbours(uint32_t now) const {
  std::vector<Neighbour> list;
  for (const auto& [ip, entry] : entries_)
    list.push_back({ip, entry.mac, now - entry.heard, entry.hops.size()});
  link_hosts_.for_each(now, [&](const IpAddress& ip, const std::optional<MacAddress>& mac, uint32_t age) {
    if (entries_.count(ip) == 0) list.push_back({ip, mac, age, 0});
  });
  return list;
}

std::map<IpAddress, uint16_t> Underlay::path_mtus() const {
  std::map<IpAddress, uint16_t> list;
  for (const auto& [ip, vtep] : vteps_)
    if (vtep.path_mtu != UINT16_MAX) list[ip] = vtep.path_mtu;
  return list;
}

}  // namespace podswitch
