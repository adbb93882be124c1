// SPDX-License-Identifier: Apache-2.0
#include "pmd/router_advertiser.h"

#include <cstring>

#include "switch/router_advertisement.h"

namespace podswitch {
namespace {

// RFC 4861 sections 6.2.1 and 10, in seconds.
constexpr uint32_t kMinInterval = 200, kMaxInterval = 600;
constexpr uint32_t kInitialInterval = 16;
constexpr unsigned kInitialCount = 3;

}  // namespace

void RouterAdvertiser::set(const std::vector<Listener>& listeners) {
  std::map<PortId, Entry> next;
  for (const Listener& listener : listeners) {
    Entry& entry = next[listener.port->id()];
    const auto known = entries_.find(listener.port->id());
    if (known != entries_.end() && known->second.listener.port == listener.port &&
        known->second.listener.mtu == listener.mtu)
      entry = known->second;
    entry.listener = listener;
  }
  entries_ = std::move(next);
}

void RouterAdvertiser::every_second(uint32_t now) {
  for (auto& [id, entry] : entries_) look_at(entry, now);
}

void RouterAdvertiser::look_at(Entry& entry, uint32_t now) {
  const bool was_up = entry.is_up;
  entry.is_up = entry.listener.port->is_up();
  if (!entry.is_up) return;
  if (!was_up) {
    entry.initial_left = kInitialCount;
    entry.next = now;
  }
  if (now < entry.next) return;
  advertise(entry.listener);
  if (entry.initial_left > 0) --entry.initial_left;
  entry.next = now + (entry.initial_left > 0
                          ? kInitialInterval
                          : std::uniform_int_distribution<uint32_t>(kMinInterval, kMaxInterval)(random_));
}

void RouterAdvertiser::advertise(const Listener& listener) {
  struct Frame {
    net::EtherHeader ether;
    RouterAdvertisement advertisement;
  };
  const Frame frame{
      .ether = {kAllNodesMac, mac_, be16_t(net::kEtherTypeIpv6)},
      .advertisement = make_router_advertisement(mac_, lifetime_seconds_, listener.mtu, kAllNodes)};
  rte_mbuf* packet = rte_pktmbuf_alloc(&pool_);
  if (packet == nullptr) return;
  std::memcpy(rte_pktmbuf_append(packet, sizeof frame), &frame, sizeof frame);
  send_(listener.port->id(), packet);
}

}  // namespace podswitch
