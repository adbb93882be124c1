// SPDX-License-Identifier: Apache-2.0
// Where a routed packet goes next: a pod's port, another node's tunnel end, a host in the underlay. One table
// for the switch, changed in place, so that a neighbour's new MAC touches neither routes nor flows: those
// name a next hop by its number. An entry is immutable; a change puts another one in its place, and the old
// one is freed after a grace period.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "switch/encap.h"
#include "switch/ids.h"

namespace podswitch {

using NextHopId = uint32_t;  // below kMaxNextHops
inline constexpr NextHopId kMaxNextHops = 1 << 16;
inline constexpr NextHopId kNoNextHop = kMaxNextHops;

struct alignas(64) NextHop {
  enum class Kind : uint8_t {
    None,                // nobody's number: what names it is about to go
    Unreachable,         // the route says that there is nobody
    Self,                // an address of the switch's own: it answers pings, nothing listens there
    Pod,                 // a port of this node
    Host,                // the node's own stack
    Underlay,            // out of the uplink as it is
    Tunnel,              // encapsulated, then out of the uplink
    Link,                // to the packet's destination itself, on the uplink's own link
    Unresolved,          // Tunnel, and the underlay's MAC is not known
    UnderlayUnresolved,  // Underlay, and its MAC is not known
  };
  [[no_unique_address]] TunnelTemplate tunnel{};  // Tunnel
  Kind kind = Kind::None;
  bool is_silent = false;  // unresolved: was asked for in vain, so that senders are told
  PortId port = kNoPort;
  Fid fid = kNoFid;                // at the egress port
  uint16_t mtu = 0;                // bytes of layer 3 that fit, encapsulation taken off
  std::array<uint8_t, 12> macs{};  // destination and source, for all but Tunnel; Link: the source
};
static_assert(sizeof(NextHop) == 128);  // two cache lines; all but the template in the second one

// Without a tunnel, or so once a MAC is known.
inline bool is_direct(NextHop::Kind kind) noexcept {
  using Kind = NextHop::Kind;
  return kind == Kind::Underlay || kind == Kind::UnderlayUnresolved || kind == Kind::Link;
}

class NextHopTable {
 public:
  NextHopTable()
      : entries_(std::make_unique<std::array<std::atomic<const NextHop*>, kMaxNextHops>>()),
        kinds_(std::make_unique<std::array<std::atomic<NextHop::Kind>, kMaxNextHops>>()) {
    for (auto& entry : *entries_) entry.store(&kNone, std::memory_order_relaxed);
  }
  ~NextHopTable() {
    for (NextHopId id = 0; id < kMaxNextHops; ++id) set(id, nullptr).reset();
  }
  NextHopTable(const NextHopTable&) = delete;
  NextHopTable& operator=(const NextHopTable&) = delete;

  // Any thread. Of the present entry or of the one before it: without the entry itself, which seldom is hot.
  NextHop::Kind kind_of(NextHopId id) const noexcept { return (*kinds_)[id].load(std::memory_order_relaxed); }
  // Worker: valid until it reports quiescent.
  const NextHop& operator[](NextHopId id) const noexcept {
    return *(*entries_)[id].load(std::memory_order_acquire);
  }

  // Any thread.
  size_t memory_bytes() const noexcept {
    return sizeof *entries_ + sizeof *kinds_ + size_.load(std::memory_order_relaxed) * sizeof(NextHop);
  }

  using Replaced = std::unique_ptr<const NextHop>;
  // One writer at a time. The replaced entry, if there was one, may be freed after a grace period.
  [[nodiscard]] Replaced set(NextHopId id, std::unique_ptr<const NextHop> next) {
    (*kinds_)[id].store(next == nullptr ? NextHop::Kind::None : next->kind, std::memory_order_relaxed);
    const bool is_there = next != nullptr;
    const NextHop* old = (*entries_)[id].exchange(next == nullptr ? &kNone : next.release());
    size_.store(size_.load(std::memory_order_relaxed) + is_there - (old != &kNone),
                std::memory_order_relaxed);
    return Replaced(old == &kNone ? nullptr : old);
  }

 private:
  static constexpr NextHop kNone{};
  std::unique_ptr<std::array<std::atomic<const NextHop*>, kMaxNextHops>> entries_;
  std::unique_ptr<std::array<std::atomic<NextHop::Kind>, kMaxNextHops>> kinds_;
  std::atomic<size_t> size_{0};
};

}  // namespace podswitch
