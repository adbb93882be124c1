// SPDX-License-Identifier: Apache-2.0
#include "pmd/spread_balance.h"

namespace podswitch {

void SpreadBalance::step(const std::vector<double>& busy) noexcept {
  look(busy);
  const auto workers = static_cast<uint16_t>(busy.size());
  const uint16_t helper = least_busy(busy);
  for (uint16_t worker = 0; worker < workers; ++worker) {
    if (worker == self_) continue;
    spreader_.set_crowded(worker, overflowed_[worker]);
    // What is too much is better dropped by the uplink itself, before anything was done for it.
    if (overflowed_[worker]) move(worker, helper == kNobody ? self_ : helper);
  }
  if (overloaded_for_ >= kPatience && helper != kNobody) move(self_, helper);
  if (calm_for_ >= kCalmWindows) {
    calm_for_ = 0;
    take_back(workers);
  }
  if (spreader_.is_active()) spreader_.settle();
}

void SpreadBalance::look(const std::vector<double>& busy) noexcept {
  const Spreader::Window window = spreader_.take_window();
  const bool has_backlog = window.bursts >= kFewestBursts && window.full_bursts * 2 >= window.bursts;
  overloaded_for_ = has_backlog && busy[self_] >= kOverloaded ? overloaded_for_ + 1 : 0;
  calm_for_ = window.full_bursts == 0 && busy[self_] < kCalm ? calm_for_ + 1 : 0;
  overflowed_.resize(busy.size());
  for (uint16_t worker = 0; worker < busy.size(); ++worker)
    overflowed_[worker] = worker != self_ && spreader_.take_overflowed(worker);
}

uint16_t SpreadBalance::least_busy(const std::vector<double>& busy) const noexcept {
  uint16_t best = kNobody;
  for (uint16_t worker = 0; worker < busy.size(); ++worker) {
    if (worker == self_ || overflowed_[worker] || busy[worker] >= kRoom) continue;
    if (best == kNobody || busy[worker] < busy[best]) best = worker;
  }
  return best;
}

bool SpreadBalance::move(uint16_t from, uint16_t to) noexcept {
  uint16_t moved = 0;
  for (uint16_t i = 0; i < Spreader::kShares && moved < kStep; ++i) {
    const uint16_t share = cursor_++ % Spreader::kShares;
    if (spreader_.wanted(share) != from) continue;
    spreader_.want(share, to);
    ++moved;
  }
  return moved != 0;
}

void SpreadBalance::take_back(uint16_t workers) noexcept {
  for (uint16_t worker = 0; worker < workers; ++worker)
    if (worker != self_ && move(worker, self_)) return;
}

}  // namespace podswitch
