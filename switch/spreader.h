// SPDX-License-Identifier: Apache-2.0
// Which worker finishes which flows that came out of a tunnel. Flows fall by their inner hash into shares,
// and a share belongs to a worker. A share moves only when all its packets have been sent, so that no flow
// overtakes itself; as Linux does it (Documentation/networking/scaling.rst, "Receive Flow Steering").
// Belongs to the worker that polls the uplink, and is used by it alone.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <vector>

#include "switch/counters.h"
#include "switch/hand_over.h"

namespace podswitch {

class Spreader {
 public:
  static constexpr uint16_t kShares = 256;
  struct Way {  // to another worker
    HandOverRing* ring = nullptr;
    Doorbell* doorbell = nullptr;
  };
  // By worker; the way to `self` is never gone.
  Spreader(uint16_t self, std::vector<Way> ways);

  // Between two loops, when all that the worker itself had has been sent.
  uint16_t wanted(uint16_t share) const noexcept { return shares_[share].wanted; }
  void want(uint16_t share, uint16_t worker) noexcept;
  void settle() noexcept;  // shares without packets move too
  void reset() noexcept;   // all shares are this worker's; nobody has packets of it
  // A share that is to leave such a worker leaves at once, at the cost of its packets until then: its ring
  // is never empty, and moving is what helps.
  void set_crowded(uint16_t worker, bool crowded) noexcept { ways_[worker].is_crowded = crowded; }
  // Since the last call.
  struct Window {
    uint32_t bursts = 0, full_bursts = 0;  // of the uplink
  };
  Window take_window() noexcept;
  bool take_overflowed(uint16_t worker) noexcept;
  bool is_active() const noexcept { return is_active_; }
  // Calls `wake` with each worker that may sleep and has packets now.
  template <typename Wake>
  void wake_receivers(Wake&& wake) noexcept {
    if (!must_wake_) [[likely]]
      return;
    must_wake_ = false;
    for (uint16_t worker = 0; worker < ways_.size(); ++worker)
      if (ways_[worker].must_wake) {
        ways_[worker].must_wake = false;
        wake(worker);
      }
  }

  // The spread stage.
  enum class Fate : uint8_t { Kept, Gone, Refused };
  void saw_burst(uint16_t packets) noexcept {
    ++window_.bursts;
    window_.full_bursts += packets == kBurstSize ? 1 : 0;
  }
  Fate offer(rte_mbuf& packet, const PacketMeta& meta, PortId in_port) noexcept;
  void publish() noexcept;  // what has gone in this burst

  uint64_t handed_over() const noexcept { return handed_over_.get(); }  // any thread

 private:
  struct Share {
    uint16_t worker, wanted;
    HandOverRing::Position last = 0;  // behind its last packet in the worker's ring
  };
  struct Outbox : Way {
    bool is_crowded = false;
    bool has_overflowed = false;
    bool must_wake = false;
  };
  static void give(Share& share, uint16_t worker) noexcept {
    if (share.worker != worker) share.last = 0;  // it has sent nothing into this one's ring
    share.worker = worker;
  }
  bool may_leave(const Share& share) const noexcept {
    return share.worker == self_ || ways_[share.worker].ring->is_past(share.last);
  }

  const uint16_t self_;
  bool is_active_ = false;  // some share is, or is to be, somebody else's
  bool must_wake_ = false;
  Window window_;
  std::array<Share, kShares> shares_;
  std::vector<Outbox> ways_;
  Counter handed_over_;
};

}  // namespace podswitch
