// SPDX-License-Identifier: Apache-2.0
// When a worker that polls an uplink gives flows to others, and when it takes them back: a step of a
// sixteenth of the shares in each window of a millisecond, so that a wrong guess costs little. Used by that
// worker alone, between two loops.
#pragma once

#include <cstdint>
#include <vector>

#include "switch/spreader.h"

namespace podswitch {

class SpreadBalance {
 public:
  static constexpr double kOverloaded = 0.9;    // busy share from which full bursts mean a backlog
  static constexpr double kRoom = 0.8;          // and below which another worker takes more
  static constexpr double kCalm = 0.6;          // and below which the worker can do with more itself
  static constexpr uint32_t kFewestBursts = 4;  // of the uplink in a window that says anything
  static constexpr uint32_t kPatience = 3;      // windows of overload before flows are given away
  static constexpr uint32_t kCalmWindows = 64;  // and of calm before a step is taken back
  static constexpr uint16_t kStep = Spreader::kShares / 16;

  SpreadBalance(Spreader& spreader, uint16_t self) : spreader_(spreader), self_(self) {}

  // `busy`: which share of the window each worker was busy for.
  void step(const std::vector<double>& busy) noexcept;

 private:
  static constexpr uint16_t kNobody = UINT16_MAX;
  void look(const std::vector<double>& busy) noexcept;
  uint16_t least_busy(const std::vector<double>& busy) const noexcept;
  bool move(uint16_t from, uint16_t to) noexcept;
  void take_back(uint16_t workers) noexcept;

  Spreader& spreader_;
  const uint16_t self_;
  std::vector<bool> overflowed_;  // by worker
  uint32_t overloaded_for_ = 0, calm_for_ = 0;
  uint16_t cursor_ = 0;  // so that it is not always the same flows that move
};

}  // namespace podswitch
