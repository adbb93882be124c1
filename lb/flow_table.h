// SPDX-License-Identifier: Apache-2.0
// The node's flows: one table for all workers, since a reply may reach another worker than its request. A
// flow is found by both its tuples; each is in an index of one cache line for eight of them (16 bits of the
// hash and the record's number), the records lie beside it. Looking up locks nothing: an index entry is a
// hint, the record's own tuple decides, under the record's sequence. Inserting and removing lock one bucket
// of the index for a moment. All in memory that the caller gives, without pointers.
#pragma once

#include <rte_prefetch.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "lb/flow_bucket.h"
#include "lb/flow_key.h"
#include "lb/flow_record.h"
#include "lb/flow_slots.h"
#include "lb/flow_state.h"
#include "lb/service_table.h"
#include "switch/net/keyed_hash.h"

namespace podswitch {

// A flow that is to begin.
struct NewFlow {
  FlowKey original;
  FlowKey reply;  // what answers look like. Another destination port is chosen when it is taken
  ServiceId service = kNoService;
  FlowState state = FlowState::Free;
};

// What listings show.
struct FlowEntry {
  FlowSlot slot = kNoFlow;
  FlowKey original, reply;
  ServiceId service = kNoService;
  FlowState state = FlowState::Free;
  uint32_t idle_seconds = 0, timeout_seconds = 0;
};

// What one worker needs for itself, and counts.
struct FlowWorker {
  FlowSlotCache slots;
  uint64_t random = 0x9e3779b97f4a7c15;  // state of a xorshift64*; never 0
  uint32_t hand = 0;                     // where it looks next for a flow to give up
};

struct FlowTableOptions {
  uint32_t capacity = 1'000'000;  // flows: 1024 to kMaxFlows
  FlowTimeouts timeouts = default_flow_timeouts();
};
inline constexpr uint32_t kMinFlows = 1024;
inline constexpr uint32_t kMaxFlows = 64'000'000;

class FlowTable {
 public:
  static size_t memory_bytes(uint32_t capacity);
  // `memory`: of that size, aligned to 64 bytes, all zeros or what a table has left behind; it outlives the
  // table. The index is made anew.
  FlowTable(std::span<std::byte> memory, const FlowTableOptions& options, KeyedHash hash);

  // Worker: looking up. First the hash, then the index, then the record, each fetched while other packets
  // have their turn.
  uint64_t hash_v4(uint64_t addresses, uint32_t ports, uint32_t scope) const noexcept {
    return hash_(addresses, uint64_t{ports} << 32 | scope);
  }
  uint64_t hash(const FlowKey& key) const noexcept {
    if (!key.is_v6()) return hash_v4(key.addresses[0], key.ports, key.scope);
    return hash_(key.addresses[0], key.addresses[1], key.addresses[2], key.addresses[3],
                 uint64_t{key.ports} << 32 | key.scope);
  }
  void prefetch_index(uint64_t hash) const noexcept { rte_prefetch0(&buckets_[home_of(hash)]); }
  // The first record that may be it, in the tuple's own bucket, or kNoFlow.
  FlowSlot prefetch_record(uint64_t hash) const noexcept {
    const FlowSlot slot = buckets_[home_of(hash)].first_with(flow_tag(hash));
    if (slot >= capacity_) return kNoFlow;
    rte_prefetch0(&records_[slot]);
    return slot;
  }
  void prefetch_addresses(FlowSlot slot) const noexcept {
    if (slot != kNoFlow) rte_prefetch0(&addresses_[slot]);
  }
  bool may_lie_further(uint64_t hash) const noexcept {
    return buckets_[home_of(hash)].passed.load(std::memory_order_acquire) != 0;
  }
  struct Found {
    FlowSlot slot = kNoFlow;
    FlowDirection direction = FlowDirection::Original;
    uint32_t sequence = 0;  // what was read is of this one
    explicit operator bool() const noexcept { return slot != kNoFlow; }
  };
  Found find(uint64_t hash, const FlowKey& key) const noexcept;
  const FlowRecord& record(FlowSlot slot) const noexcept { return records_[slot]; }
  // Whether the record is still the flow that was found.
  bool is_same(const Found& found) const noexcept {
    return records_[found.slot].sequence.load(std::memory_order_acquire) == found.sequence;
  }
  // The tuple that packets of this direction leave with. Check is_same() afterwards.
  FlowKey translated(const Found& found) const noexcept;
  // Notes that a packet was seen; lost when another worker notes something at the same time.
  void touch(FlowSlot slot, uint64_t seen_activity, uint64_t activity) noexcept {
    activity |= seen_activity & flow::kPending;  // whose end the one who inserts it declares
    records_[slot].activity.compare_exchange_strong(seen_activity, activity, std::memory_order_acq_rel,
                                                    std::memory_order_relaxed);
  }
  // The flow may have gone and another have taken its place, which must not go this one's way: looked at
  // again afterwards, hence in one order for all.
  void set_hop(const Found& found, uint64_t hop) noexcept {
    auto& place = records_[found.slot].hops[static_cast<size_t>(found.direction)];
    place.store(hop, std::memory_order_seq_cst);
    if (records_[found.slot].sequence.load(std::memory_order_seq_cst) != found.sequence) [[unlikely]]
      place.compare_exchange_strong(hop, 0, std::memory_order_relaxed);
  }
  // Of a former process's flow, which has none yet. Configuration thread.
  void set_service(FlowSlot slot, uint32_t sequence, ServiceId service) noexcept {
    uint32_t none = kNoService;
    if (records_[slot].sequence.load(std::memory_order_acquire) == sequence)
      records_[slot].service.compare_exchange_strong(none, service, std::memory_order_relaxed);
  }
  // Another worker's clock may be ahead. Further ahead than that only damaged memory is, which is not to stay
  // for decades.
  bool is_expired(uint64_t activity, uint32_t now) const noexcept {
    constexpr uint32_t kAhead = 60;
    return uint64_t{now + kAhead - flow::last_seen(activity)} > uint64_t{timeout_of(activity)} + kAhead;
  }

  // Worker. `now`: second of the switch's clock.
  enum class Outcome : uint8_t {
    Inserted,
    Evicted,  // inserted, in the place of a flow that nobody had answered or that was over
    Known,    // another worker was faster, or it is the other direction of a flow
    Full,
    NoPort,  // the answers would look like another flow's whatever the port
  };
  struct Insertion {
    Outcome outcome = Outcome::Full;
    FlowSlot slot = kNoFlow;  // Inserted, Evicted, Known
    bool has_other_port = false;
  };
  Insertion insert(NewFlow flow, uint32_t now, FlowWorker& worker) noexcept;
  // Any thread. False: it was not the flow of that sequence any more. The place goes to `slots`.
  bool remove(FlowSlot slot, uint32_t sequence, FlowSlotCache& slots) noexcept;

  // Any thread but workers.
  std::optional<FlowEntry> read(FlowSlot slot, uint32_t now) const noexcept;
  // Removes what has expired among `count` records from `from` on; returns how many.
  size_t age(FlowSlot from, uint32_t count, uint32_t now, FlowSlotCache& slots) noexcept;
  // Of a former process: links what is sound into the index, `elapsed` seconds later. Before workers run.
  // `shift`: this clock's now, less the former's. Returns the number of flows.
  size_t adopt(uint32_t shift, uint16_t network) noexcept;
  void give_back(FlowSlotCache& slots) noexcept { slots_.give_back(slots); }

  uint32_t capacity() const noexcept { return capacity_; }
  uint32_t taken() const noexcept { return slots_.taken(); }  // flows, and places in the workers' caches
  FlowSlot end() const noexcept { return slots_.end(); }      // no record from here on was ever used

 private:
  enum class Link : uint8_t { Done, Taken, Full };
  struct Linked {
    Link link;
    FlowSlot other = kNoFlow;  // Taken: by this one
  };
  uint32_t home_of(uint64_t hash) const noexcept {
    return static_cast<uint32_t>((hash >> 32) * bucket_count_ >> 32);
  }
  uint32_t timeout_of(uint64_t activity) const noexcept {
    return timeouts_[static_cast<size_t>(flow::state_of(activity)) % kFlowStateCount];
  }
  template <typename Match>
  FlowSlot search(uint32_t home, uint16_t tag, Match&& match) const noexcept;
  bool has_tuple(FlowSlot slot, const FlowKey& key, FlowDirection& direction) const noexcept;
  FlowKey tuple(FlowSlot slot, FlowDirection direction) const noexcept;
  void write(FlowSlot slot, const NewFlow& flow, uint32_t now) noexcept;
  Linked link(const FlowKey& key, FlowSlot slot) noexcept;
  void unlink(const FlowKey& key, FlowSlot slot) noexcept;
  Linked link_reply(NewFlow& flow, FlowSlot slot, uint32_t now, FlowWorker& worker) noexcept;
  FlowSlot take_slot(uint32_t now, FlowWorker& worker, bool& has_evicted) noexcept;
  FlowSlot give_up_another(uint32_t now, FlowWorker& worker) noexcept;
  bool is_sound(FlowSlot slot, uint16_t network) const noexcept;

  const KeyedHash hash_;
  const uint32_t capacity_;
  const uint32_t bucket_count_;
  std::atomic<uint32_t>* end_;
  FlowBucket* buckets_;
  FlowRecord* records_;
  FlowAddresses* addresses_;
  FlowSlots slots_;
  const FlowTimeouts timeouts_;
};

}  // namespace podswitch
