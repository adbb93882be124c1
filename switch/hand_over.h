// SPDX-License-Identifier: Apache-2.0
// Packets on their way from the worker that took them out of a tunnel to the one that finishes them: a ring
// for each ordered pair of workers, a doorbell for each worker that takes over. Nothing here points into a
// snapshot, so that a packet may wait while the next snapshot is published.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "switch/burst.h"
#include "switch/ids.h"

namespace podswitch {

// What the stages before have found out about a packet, but for what its Ethernet header says again.
struct HandedOver {
  rte_mbuf* packet;  // an untagged frame
  PortId in_port;
  Fid fid;
  uint16_t peer;
  Verdict verdict;
};
static_assert(sizeof(HandedOver) == 16);

// One producer, one consumer, neither ever waits. A packet keeps its place until it has been sent, so that
// the producer can tell when a flow may go another way without overtaking itself.
class HandOverRing {
 public:
  static constexpr size_t kCapacity = 512;  // what a worker can fall behind by, and must drain in one go
  using Position = uint64_t;                // counts packets, since the start

  // Producer. False: full.
  bool put(const HandedOver& packet) noexcept {
    if (put_ - seen_finished_ == kCapacity) {
      seen_finished_ = finished_.load(std::memory_order_acquire);
      if (put_ - seen_finished_ == kCapacity) return false;
    }
    items_[put_++ % kCapacity] = packet;
    return true;
  }
  Position position() const noexcept { return put_; }
  bool has_unpublished() const noexcept { return put_ != published_.load(std::memory_order_relaxed); }
  void publish() noexcept { published_.store(put_, std::memory_order_release); }

  // Consumer. Up to `most` packets that came in by one port, in the order in which they were put.
  uint16_t take(HandedOver* packets, uint16_t most) noexcept {
    const Position end = published_.load(std::memory_order_acquire);
    uint16_t count = 0;
    for (; count < most && taken_ != end; ++taken_) {
      packets[count] = items_[taken_ % kCapacity];
      if (packets[count].in_port != packets[0].in_port) break;
      ++count;
    }
    return count;
  }
  bool is_empty() const noexcept { return taken_ == published_.load(std::memory_order_relaxed); }
  // What was taken has been sent.
  void finish() noexcept { finished_.store(taken_, std::memory_order_release); }

  // Any thread.
  Position published() const noexcept { return published_.load(std::memory_order_acquire); }
  bool is_past(Position position) const noexcept {
    return finished_.load(std::memory_order_acquire) >= position;
  }

 private:
  alignas(64) std::atomic<Position> published_{0};
  Position put_ = 0;
  Position seen_finished_ = 0;
  alignas(64) std::atomic<Position> finished_{0};
  Position taken_ = 0;
  alignas(64) std::array<HandedOver, kCapacity> items_;
};

// Says that some ring to a worker may have packets: one word to look at instead of every ring.
class Doorbell {
 public:
  // Producer, after publish(). True: the worker may sleep and is to be woken.
  bool ring() noexcept { return state_.exchange(State::Rung, std::memory_order_acq_rel) == State::Armed; }
  // The worker itself. answer() comes before the rings are looked at, arm() before the last look at answer()
  // ahead of a sleep.
  bool answer() noexcept {
    if (state_.load(std::memory_order_relaxed) != State::Rung) return false;
    state_.exchange(State::Quiet, std::memory_order_acq_rel);
    return true;
  }
  void arm() noexcept { change(State::Quiet, State::Armed); }
  void disarm() noexcept { change(State::Armed, State::Quiet); }

 private:
  enum class State : uint8_t { Quiet, Armed, Rung };
  void change(State from, State to) noexcept { state_.compare_exchange_strong(from, to); }

  alignas(64) std::atomic<State> state_{State::Quiet};
};

}  // namespace podswitch
