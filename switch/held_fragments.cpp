// SPDX-License-Identifier: Apache-2.0
#include "switch/held_fragments.h"

#include <algorithm>

namespace podswitch {

bool HeldFragments::hold(rte_mbuf& packet, const PacketMeta& meta, PortId in_port,
                         const FragmentKey& datagram, uint32_t now) noexcept {
  if (count_ == kCapacity) return false;
  const auto of_port = std::count_if(held_.begin(), held_.begin() + count_,
                                     [&](const Held& held) { return held.in_port == in_port; });
  if (of_port >= kOfOnePort) return false;
  if (count_ == 0) oldest_ = now;
  held_[count_++] = {&packet, meta, datagram, now, in_port, false};
  return true;
}

void HeldFragments::release(const FragmentKey& datagram) noexcept {
  for (uint16_t i = 0; i < count_; ++i)
    if (!held_[i].is_released && held_[i].datagram == datagram) {
      held_[i].is_released = true;
      ++released_;
    }
}

uint16_t HeldFragments::take(Burst& burst, const Fdb& fdb, uint32_t now) noexcept {
  burst.begin();
  burst.count = 0;
  burst.in_port = kNoPort;
  uint16_t left = 0;
  oldest_ = now;
  for (uint16_t i = 0; i < count_; ++i) {
    Held& held = held_[i];
    const bool is_due = held.is_released || now > held.since + kSeconds;
    const bool is_of_burst = burst.count == 0 || held.in_port == burst.in_port;
    if (!is_due || !is_of_burst || burst.count == kBurstSize) {
      oldest_ = std::min(oldest_, held.since);
      if (left != i) held_[left] = held;
      ++left;
      continue;
    }
    burst.in_port = held.in_port;
    burst.packets[burst.count] = held.packet;
    burst.source_place[burst.count] = fdb.place_of(held.meta.source);
    burst.destination_place[burst.count] = fdb.place_of(held.meta.destination);
    PacketMeta& meta = burst.meta[burst.count++] = held.meta;
    if (held.is_released)
      --released_;
    else
      meta.drop(DropReason::FragmentEarly);
    burst.to_route += meta.verdict == Verdict::Route ? 1 : 0;
  }
  count_ = left;
  return burst.count;
}

void HeldFragments::free_all() noexcept {
  for (uint16_t i = 0; i < count_; ++i) rte_pktmbuf_free(held_[i].packet);
  count_ = released_ = 0;
}

}  // namespace podswitch
