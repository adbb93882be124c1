// SPDX-License-Identifier: Apache-2.0
#include "pmd/underlay.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "pmd/solicit.h"

namespace podswitch {
namespace {

constexpr uint32_t kAskAfter = 30;     // seconds of silence (RFC 4861 section 10: REACHABLE_TIME)
constexpr uint32_t kGiveUpAfter = 60;  // asked every second for half of it

}  // namespace

std::vector<NextHopTable::Replaced> Underlay::set(const Uplink& uplink, const std::vector<PlannedHop>& hops,
                                                  uint32_t now) {
  std::map<IpAddress, Entry> next;
  const bool is_other_uplink = uplink != uplink_;
  uplink_ = uplink;
  std::vector<NextHopId> ids;
  for (const PlannedHop& planned : hops) {
    ids.push_back(planned.id);
    if (!planned.via) {
      write(planned, std::nullopt);
      continue;
    }
    Entry& entry = next[*planned.via];
    if (const auto known = entries_.find(*planned.via); known != entries_.end() && !is_other_uplink) {
      entry.mac = known->second.mac;
      entry.heard = known->second.heard;
    }
    entry.hops.push_back(planned);
  }
  entries_ = std::move(next);
  std::sort(ids.begin(), ids.end());
  for (const NextHopId id : written_)
    if (!std::binary_search(ids.begin(), ids.end(), id)) keep(table_.set(id, nullptr));
  written_ = std::move(ids);
  for (const auto& [ip, entry] : entries_) write_all(entry);
  if (is_other_uplink) announce();
  ask_the_silent(now);
  return std::exchange(replaced_, {});
}

std::vector<NextHopTable::Replaced> Underlay::heard(const IpAddress& ip, const MacAddress& mac,
                                                    uint32_t now) {
  const auto found = entries_.find(ip);
  if (found == entries_.end()) return {};
  Entry& entry = found->second;
  entry.heard = now;
  if (entry.mac == mac) return {};
  entry.mac = mac;
  write_all(entry);
  return std::exchange(replaced_, {});
}

std::vector<NextHopTable::Replaced> Underlay::every_second(uint32_t now) {
  ask_the_silent(now);
  return std::exchange(replaced_, {});
}

void Underlay::ask_the_silent(uint32_t now) {
  if (uplink_.port == kNoPort) return;
  for (auto& [ip, entry] : entries_) {
    const uint32_t silent = now - entry.heard;
    if (entry.mac && silent >= kGiveUpAfter) {
      entry.mac.reset();
      write_all(entry);
    }
    if (!entry.mac || silent >= kAskAfter) ask(ip, entry.mac);
  }
}

void Underlay::keep(NextHopTable::Replaced old) {
  if (old != nullptr) replaced_.push_back(std::move(old));
}

void Underlay::write_all(const Entry& entry) {
  for (const PlannedHop& planned : entry.hops) write(planned, entry.mac);
}

void Underlay::write(const PlannedHop& planned, const std::optional<MacAddress>& mac) {
  auto hop = std::make_unique<NextHop>(planned.hop);
  if (planned.via && !mac) hop->kind = NextHop::Kind::Unresolved;
  if (planned.via && mac) {
    std::memcpy(hop->macs.data(), mac->bytes.data(), mac->bytes.size());
    if (planned.tunnel) {
      TunnelSpec spec = *planned.tunnel;
      spec.outer_destination_mac = *mac;
      hop->tunnel = make_template(spec).value();
    }
  }
  keep(table_.set(planned.id, std::move(hop)));
}

void Underlay::ask(const IpAddress& ip, const std::optional<MacAddress>& known) {
  rte_mbuf* packet = nullptr;
  if (ip.is_v4() && uplink_.v4)
    packet = arp_request(pool_, uplink_.mac, *uplink_.v4, ip.v4(), known);
  else if (!ip.is_v4() && uplink_.v6)
    packet = neighbour_solicitation(pool_, uplink_.mac, *uplink_.v6, ip.v6, known);
  if (packet != nullptr) send_(uplink_.port, packet);
}

// A gratuitous ARP request (RFC 5227 section 3): switches in the underlay learn where the MAC is now.
void Underlay::announce() {
  if (uplink_.port == kNoPort || !uplink_.v4) return;
  if (rte_mbuf* packet = arp_request(pool_, uplink_.mac, *uplink_.v4, *uplink_.v4, std::nullopt))
    send_(uplink_.port, packet);
}

std::vector<Underlay::Neighbour> Underlay::neighbours(uint32_t now) const {
  std::vector<Neighbour> list;
  for (const auto& [ip, entry] : entries_)
    list.push_back({ip, entry.mac, now - entry.heard, entry.hops.size()});
  return list;
}

}  // namespace podswitch
