// SPDX-License-Identifier: Apache-2.0
#include "switch/spreader.h"

#include <utility>

#include "switch/net/flow_hash.h"

namespace podswitch {

Spreader::Spreader(uint16_t self, std::vector<Way> ways) : self_(self) {
  for (const Way& way : ways) ways_.push_back({way});
  reset();
}

void Spreader::reset() noexcept {
  shares_.fill({self_, self_});
  is_active_ = false;
}

void Spreader::want(uint16_t share, uint16_t worker) noexcept {
  shares_[share].wanted = worker;
  if (may_leave(shares_[share])) give(shares_[share], worker);
  is_active_ |= worker != self_;
}

void Spreader::settle() noexcept {
  is_active_ = false;
  for (Share& share : shares_) {
    if (share.worker != share.wanted && may_leave(share)) give(share, share.wanted);
    is_active_ |= share.worker != self_ || share.wanted != self_;
  }
}

Spreader::Window Spreader::take_window() noexcept {
  return std::exchange(window_, {});
}

bool Spreader::take_overflowed(uint16_t worker) noexcept {
  return std::exchange(ways_[worker].has_overflowed, false);
}

Spreader::Fate Spreader::offer(rte_mbuf& packet, const PacketMeta& meta, PortId in_port) noexcept {
  Share& share = shares_[net::flow_hash(packet, meta.ether_type, meta.l3_offset) % kShares];
  if (share.worker != share.wanted && may_leave(share)) give(share, share.wanted);
  if (share.worker == self_) return Fate::Kept;
  Outbox& way = ways_[share.worker];
  if (way.is_crowded && share.worker != share.wanted) return Fate::Refused;
  if (!way.ring->put({&packet, in_port, meta.fid, meta.peer, meta.verdict})) {
    way.has_overflowed = true;
    return Fate::Refused;
  }
  share.last = way.ring->position();
  return Fate::Gone;
}

void Spreader::publish() noexcept {
  for (Outbox& way : ways_) {
    if (way.ring == nullptr || !way.ring->has_unpublished()) continue;
    handed_over_.add(way.ring->position() - way.ring->published());
    way.ring->publish();
    if (way.doorbell->ring()) way.must_wake = must_wake_ = true;
  }
}

}  // namespace podswitch
