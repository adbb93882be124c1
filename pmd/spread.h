// SPDX-License-Identifier: Apache-2.0
// Packets that an uplink brings to one worker, finished by several: software in the place of a NIC that
// cannot hash what is inside of a tunnel. The mesh is the switch's, with what belongs to pairs of workers;
// each worker has a Spread, its own ends of it, which it alone uses.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "pmd/engine.h"
#include "pmd/own_lines.h"
#include "pmd/revision.h"
#include "pmd/sleeper.h"
#include "pmd/spread_balance.h"
#include "switch/hand_over.h"
#include "switch/local.h"
#include "switch/spreader.h"

namespace podswitch {

class SpreadMesh {
 public:
  SpreadMesh(unsigned workers, SpreadPolicy policy);
  ~SpreadMesh();  // frees what is still in the rings

  // Configuration thread, before any worker starts.
  void join(unsigned worker, const Counter& busy_cycles, Sleeper& sleeper) noexcept {
    seats_[worker].busy_cycles = &busy_cycles;
    seats_[worker].sleeper = &sleeper;
  }
  // Configuration thread: returns when all that was handed over before has been sent. What comes after a
  // grace period comes from ports of the new revision alone.
  void wait_until_finished() const noexcept;

  unsigned workers() const { return static_cast<unsigned>(seats_.size()); }
  SpreadPolicy policy() const { return policy_; }
  HandOverRing* ring(unsigned from, unsigned to) { return rings_[from * seats_.size() + to].get(); }
  Doorbell& doorbell(unsigned worker) { return seats_[worker].doorbell; }
  void wake(unsigned worker) noexcept { seats_[worker].sleeper->wake(); }
  uint64_t busy_cycles(unsigned worker) const noexcept { return seats_[worker].busy_cycles->get(); }

 private:
  struct Seat {
    Doorbell doorbell;
    const Counter* busy_cycles = nullptr;
    Sleeper* sleeper = nullptr;
  };
  const SpreadPolicy policy_;
  std::vector<Seat> seats_;
  std::vector<std::unique_ptr<HandOverRing>> rings_;  // nullptr: from a worker to itself
};

class alignas(kCacheLine) Spread {
 public:
  Spread(SpreadMesh& mesh, unsigned self);

  // `visit(ring)` makes a burst of what is in the ring, and returns its size. Returns the sum.
  template <typename Visit>
  uint32_t take_over(Visit&& visit) noexcept {
    if (!doorbell_.answer() && !has_more_) [[likely]]
      return 0;
    uint32_t packets = 0;
    has_more_ = false;
    for (HandOverRing* ring : from_) {
      packets += visit(*ring);
      has_more_ |= !ring->is_empty();
    }
    has_taken_ = true;
    return packets;
  }
  // All that this loop brought has been sent.
  void after_loop(const Revision& revision, uint64_t now_tsc, Local& local) noexcept;
  // Before the last look ahead of a sleep, and when there is no sleep.
  void arm() noexcept { doorbell_.arm(); }
  void disarm() noexcept { doorbell_.disarm(); }

  uint64_t handed_over() const noexcept { return spreader_.handed_over(); }  // any thread

 private:
  void adopt(const Revision& revision, Local& local) noexcept;
  void look_at_loads(uint64_t now_tsc) noexcept;

  SpreadMesh& mesh_;
  const unsigned self_;
  Doorbell& doorbell_;
  OwnVector<HandOverRing*> from_;  // the others
  bool has_more_ = false;          // rings hold more than one burst
  bool has_taken_ = false;
  Spreader spreader_;
  SpreadBalance balance_;
  uint64_t revision_ = 0;
  const uint64_t window_cycles_;
  uint64_t window_start_ = 0;
  std::vector<uint64_t> busy_before_;  // by worker
  std::vector<double> busy_;
};

}  // namespace podswitch
