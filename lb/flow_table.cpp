// SPDX-License-Identifier: Apache-2.0
#include "lb/flow_table.h"

#include <algorithm>

namespace podswitch {
namespace {

// Five entries for each bucket of eight when the table is full: nearly all lie in their home.
constexpr uint32_t bucket_count_for(uint32_t capacity) {
  return static_cast<uint32_t>(uint64_t{capacity} * 39 / 100) + 1;
}
constexpr size_t kPortTries = 64;
// To give up a flow. More would let a flood of beginnings into a table of live ones slow everybody down.
constexpr uint32_t kLookedAtTogether = 64, kMostLookedAt = 256;

uint64_t next_random(uint64_t& state) noexcept {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545f4914f6cdd1dULL;
}

// As Linux does it (nf_nat_core.c): a port stays among the privileged ones, or among the others.
struct PortRange {
  uint32_t first, count;
};
PortRange range_of(uint16_t port) noexcept {
  if (port < 512) return {1, 511};
  if (port < 1024) return {600, 424};
  return {1024, 64512};
}

bool is_of(FlowState state, uint8_t protocol) noexcept {
  if (state >= FlowState::SctpInit) return protocol == net::kProtoSctp;
  if (state >= FlowState::TcpSynSent) return protocol == net::kProtoTcp;
  if (state >= FlowState::IcmpUnreplied) return protocol == net::kProtoIcmp || protocol == net::kProtoIcmpv6;
  return protocol == net::kProtoUdp;
}

}  // namespace

size_t FlowTable::memory_bytes(uint32_t capacity) {
  return 64 + (size_t{bucket_count_for(capacity)} + FlowBucket::kReach) * sizeof(FlowBucket) +
         size_t{capacity} * (sizeof(FlowRecord) + sizeof(FlowAddresses));
}

FlowTable::FlowTable(std::span<std::byte> memory, const FlowTableOptions& options, KeyedHash hash)
    : hash_(hash),
      capacity_(options.capacity),
      bucket_count_(bucket_count_for(options.capacity)),
      end_(reinterpret_cast<std::atomic<uint32_t>*>(memory.data())),
      buckets_(reinterpret_cast<FlowBucket*>(memory.data() + 64)),
      records_(reinterpret_cast<FlowRecord*>(buckets_ + bucket_count_ + FlowBucket::kReach)),
      addresses_(reinterpret_cast<FlowAddresses*>(records_ + capacity_)),
      slots_(records_, *end_, capacity_),
      timeouts_(options.timeouts) {}

// The tuples.

FlowKey FlowTable::tuple(FlowSlot slot, FlowDirection direction) const noexcept {
  const FlowRecord& record = records_[slot];
  const bool is_reply = direction == FlowDirection::Reply;
  FlowKey key;
  key.scope = static_cast<uint32_t>(record.kind.load(std::memory_order_acquire)) & flow::kScopeMask;
  key.ports = static_cast<uint32_t>(record.ports.load(std::memory_order_acquire) >> (is_reply ? 32 : 0));
  if (key.is_v6()) {
    const auto& words = is_reply ? addresses_[slot].reply : addresses_[slot].original;
    for (size_t i = 0; i < words.size(); ++i) key.addresses[i] = words[i].load(std::memory_order_acquire);
  } else {
    key.addresses[0] = (is_reply ? record.reply : record.original).load(std::memory_order_acquire);
  }
  return key;
}

bool FlowTable::has_tuple(FlowSlot slot, const FlowKey& key, FlowDirection& direction) const noexcept {
  for (const FlowDirection each : {FlowDirection::Original, FlowDirection::Reply})
    if (tuple(slot, each) == key) {
      direction = each;
      return true;
    }
  return false;
}

FlowKey FlowTable::translated(const Found& found) const noexcept {
  const bool is_reply = found.direction == FlowDirection::Reply;
  return tuple(found.slot, is_reply ? FlowDirection::Original : FlowDirection::Reply).reversed();
}

// Looking up.

template <typename Match>
FlowSlot FlowTable::search(uint32_t home, uint16_t tag, Match&& match) const noexcept {
  for (uint32_t i = 0; i < FlowBucket::kReach; ++i) {
    const FlowBucket& bucket = buckets_[home + i];
    for (unsigned found = bucket.match(tag); found != 0;) {
      const auto entry = static_cast<unsigned>(std::countr_zero(found)) / 2;
      const FlowSlot slot = bucket.slots[entry].load(std::memory_order_acquire);
      if (slot < capacity_ && match(slot)) return slot;
      found &= ~(3u << entry * 2);
    }
    if (bucket.passed.load(std::memory_order_acquire) == 0) break;
  }
  return kNoFlow;
}

FlowTable::Found FlowTable::find(uint64_t hash, const FlowKey& key) const noexcept {
  Found found;
  found.slot = search(home_of(hash), flow_tag(hash), [&](FlowSlot slot) noexcept {
    const FlowRecord& record = records_[slot];
    found.sequence = record.sequence.load(std::memory_order_acquire);
    return found.sequence % 2 == 0 && has_tuple(slot, key, found.direction) &&
           record.sequence.load(std::memory_order_relaxed) == found.sequence;
  });
  return found;
}

// Inserting.

void FlowTable::write(FlowSlot slot, const NewFlow& flow, uint32_t now) noexcept {
  FlowRecord& record = records_[slot];
  const uint32_t sequence = record.sequence.load(std::memory_order_relaxed) & ~1u;
  record.sequence.store(sequence + 1, std::memory_order_release);
  const FlowKey sent = flow.reply.reversed();  // as original packets leave
  const net::Sum addresses = net::add_sums(sent.address_sum(), net::complement(flow.original.address_sum()));
  const net::Sum ports = net::add_sums(sent.port_sum(), net::complement(flow.original.port_sum()));
  const uint32_t translated = sent == flow.original ? 0 : flow::kTranslated;
  record.service.store(flow.service, std::memory_order_release);
  record.original.store(flow.original.addresses[0], std::memory_order_release);
  record.reply.store(flow.reply.addresses[0], std::memory_order_release);
  record.ports.store(uint64_t{flow.reply.ports} << 32 | flow.original.ports, std::memory_order_release);
  record.kind.store(uint64_t{net::add_sums(addresses, ports)} << 48 | uint64_t{addresses} << 32 |
                        flow.original.scope | translated,
                    std::memory_order_release);
  record.activity.store(flow::activity_of(flow.state, now) | flow::kPending, std::memory_order_release);
  for (auto& hop : record.hops) hop.store(0, std::memory_order_release);
  if (flow.original.is_v6())
    for (size_t i = 0; i < 4; ++i) {
      addresses_[slot].original[i].store(flow.original.addresses[i], std::memory_order_release);
      addresses_[slot].reply[i].store(flow.reply.addresses[i], std::memory_order_release);
    }
  record.sequence.store(sequence + 2, std::memory_order_release);
}

FlowTable::Linked FlowTable::link(const FlowKey& key, FlowSlot slot) noexcept {
  const uint64_t hash = this->hash(key);
  const uint16_t tag = flow_tag(hash);
  FlowBucket* const home = &buckets_[home_of(hash)];
  home->lock();
  const FlowSlot other = search(home_of(hash), tag, [&](FlowSlot candidate) noexcept {
    FlowDirection direction;
    return candidate != slot && records_[candidate].sequence.load(std::memory_order_acquire) % 2 == 0 &&
           flow::state_of(records_[candidate].activity.load(std::memory_order_acquire)) != FlowState::Free &&
           has_tuple(candidate, key, direction);
  });
  Linked result{other == kNoFlow ? Link::Full : Link::Taken, other};
  for (uint32_t i = 0; result.link == Link::Full && i < FlowBucket::kReach; ++i) {
    FlowBucket& bucket = home[i];
    if (i > 0) bucket.lock();
    if (const unsigned free = bucket.match(0)) {
      bucket.set(static_cast<unsigned>(std::countr_zero(free)) / 2, tag, slot);
      for (uint32_t j = 0; j < i; ++j) home[j].passed.fetch_add(1, std::memory_order_acq_rel);
      result.link = Link::Done;
    }
    if (i > 0) bucket.unlock();
  }
  home->unlock();
  return result;
}

void FlowTable::unlink(const FlowKey& key, FlowSlot slot) noexcept {
  const uint64_t hash = this->hash(key);
  FlowBucket* const home = &buckets_[home_of(hash)];
  home->lock();
  for (uint32_t i = 0, done = 0; done == 0 && i < FlowBucket::kReach; ++i) {
    FlowBucket& bucket = home[i];
    if (i > 0) bucket.lock();
    for (unsigned found = bucket.match(flow_tag(hash)); found != 0;) {
      const auto entry = static_cast<unsigned>(std::countr_zero(found)) / 2;
      if (bucket.slots[entry].load(std::memory_order_relaxed) == slot) {
        bucket.clear(entry);
        for (uint32_t j = 0; j < i; ++j) home[j].passed.fetch_sub(1, std::memory_order_acq_rel);
        done = 1;
        break;
      }
      found &= ~(3u << entry * 2);
    }
    if (i > 0) bucket.unlock();
  }
  home->unlock();
}

// Another port is tried only when the answers would reach somebody else's flow.
FlowTable::Linked FlowTable::link_reply(NewFlow& flow, FlowSlot slot, uint32_t now,
                                        FlowWorker& worker) noexcept {
  const PortRange range = range_of(flow.reply.destination_port());
  const auto start = static_cast<uint32_t>((next_random(worker.random) >> 32) * range.count >> 32);
  Linked linked{Link::Full};
  for (size_t attempt = 0; attempt <= kPortTries; ++attempt) {
    linked = link(flow.reply, slot);
    if (linked.link != Link::Taken) return linked;
    const FlowRecord& other = records_[linked.other];
    const uint32_t sequence = other.sequence.load(std::memory_order_acquire);
    if (is_expired(other.activity.load(std::memory_order_acquire), now) &&
        remove(linked.other, sequence, worker.slots))
      continue;
    const uint32_t step = (start + static_cast<uint32_t>(attempt)) % range.count;
    flow.reply.set_destination_port(static_cast<uint16_t>(range.first + step));
    write(slot, flow, now);
  }
  return linked;
}

FlowTable::Insertion FlowTable::insert(NewFlow flow, uint32_t now, FlowWorker& worker) noexcept {
  bool has_evicted = false;
  const FlowSlot slot = take_slot(now, worker, has_evicted);
  if (slot == kNoFlow) return {Outcome::Full};
  const uint32_t asked = flow.reply.ports;
  write(slot, flow, now);
  Insertion result{has_evicted ? Outcome::Evicted : Outcome::Inserted, slot, false};
  Linked linked = link_reply(flow, slot, now, worker);
  if (linked.link == Link::Done) {
    linked = link(flow.original, slot);
    result.has_other_port = flow.reply.ports != asked;
    if (linked.link == Link::Done) {
      records_[slot].activity.store(flow::activity_of(flow.state, now), std::memory_order_release);
      return result;
    }
    unlink(flow.reply, slot);
    result = {linked.link == Link::Taken ? Outcome::Known : Outcome::Full, linked.other, false};
  } else {
    result = {linked.link == Link::Taken ? Outcome::NoPort : Outcome::Full, kNoFlow, false};
  }
  records_[slot].activity.store(0, std::memory_order_release);
  slots_.put(slot, worker.slots);
  return result;
}

FlowSlot FlowTable::take_slot(uint32_t now, FlowWorker& worker, bool& has_evicted) noexcept {
  if (const FlowSlot slot = slots_.take(worker.slots); slot != kNoFlow) return slot;
  has_evicted = true;
  return give_up_another(now, worker);
}

// The one that was silent longest among some, as Linux' early_drop() does it. The hand stays where it found
// one, since there may be more.
FlowSlot FlowTable::give_up_another(uint32_t now, FlowWorker& worker) noexcept {
  FlowSlot oldest = kNoFlow;
  uint32_t oldest_sequence = 0, longest = 0;
  const FlowSlot end = this->end();
  for (uint32_t seen = 0; oldest == kNoFlow && seen < kMostLookedAt && end != 0; seen += kLookedAtTogether) {
    if (worker.hand >= end) worker.hand = 0;
    const FlowSlot last = std::min(worker.hand + kLookedAtTogether, end);
    for (FlowSlot slot = worker.hand; slot < last; ++slot) {
      const uint32_t sequence = records_[slot].sequence.load(std::memory_order_acquire);
      const uint64_t activity = records_[slot].activity.load(std::memory_order_acquire);
      if (sequence % 2 != 0 || activity == 0 || (activity & flow::kPending) != 0) continue;
      if (!is_expendable(flow::state_of(activity)) && !is_expired(activity, now)) continue;
      const uint32_t idle = now - flow::last_seen(activity) + 1;
      if (idle <= longest && oldest != kNoFlow) continue;
      oldest = slot;
      oldest_sequence = sequence;
      longest = idle;
    }
    if (oldest == kNoFlow) worker.hand = last;
  }
  if (oldest == kNoFlow || !remove(oldest, oldest_sequence, worker.slots)) return kNoFlow;
  return slots_.take(worker.slots);
}

// Removing.

// What is in place stays so until its sequence changes, so that it is looked at before. A free record, and
// one that is just being inserted, is left alone: its sequence is its owner's.
bool FlowTable::remove(FlowSlot slot, uint32_t sequence, FlowSlotCache& slots) noexcept {
  FlowRecord& record = records_[slot];
  const uint64_t activity = record.activity.load(std::memory_order_acquire);
  if (sequence % 2 != 0 || activity == 0 || (activity & flow::kPending) != 0) return false;
  if (!record.sequence.compare_exchange_strong(sequence, sequence + 1, std::memory_order_acq_rel,
                                               std::memory_order_relaxed))
    return false;
  unlink(tuple(slot, FlowDirection::Original), slot);
  unlink(tuple(slot, FlowDirection::Reply), slot);
  record.activity.store(0, std::memory_order_release);
  record.sequence.store(sequence + 2, std::memory_order_release);
  slots_.put(slot, slots);
  return true;
}

size_t FlowTable::age(FlowSlot from, uint32_t count, uint32_t now, FlowSlotCache& slots) noexcept {
  size_t removed = 0;
  const FlowSlot end = static_cast<FlowSlot>(std::min<uint64_t>(uint64_t{from} + count, this->end()));
  for (FlowSlot slot = from; slot < end; ++slot) {
    const uint32_t sequence = records_[slot].sequence.load(std::memory_order_acquire);
    const uint64_t activity = records_[slot].activity.load(std::memory_order_acquire);
    if (activity != 0 && is_expired(activity, now) && remove(slot, sequence, slots)) ++removed;
  }
  return removed;
}

// Listing.

std::optional<FlowEntry> FlowTable::read(FlowSlot slot, uint32_t now) const noexcept {
  const FlowRecord& record = records_[slot];
  const uint32_t sequence = record.sequence.load(std::memory_order_acquire);
  const uint64_t activity = record.activity.load(std::memory_order_acquire);
  if (sequence % 2 != 0 || activity == 0) return std::nullopt;
  FlowEntry entry{.slot = slot,
                  .original = tuple(slot, FlowDirection::Original),
                  .reply = tuple(slot, FlowDirection::Reply),
                  .service = record.service.load(std::memory_order_acquire),
                  .state = flow::state_of(activity),
                  .idle_seconds = 0,
                  .timeout_seconds = timeout_of(activity)};
  if (record.sequence.load(std::memory_order_relaxed) != sequence) return std::nullopt;
  const auto idle = static_cast<int32_t>(now - flow::last_seen(activity));
  entry.idle_seconds = idle > 0 ? static_cast<uint32_t>(idle) : 0;
  return entry;
}

// Memory of a former process: nothing in it is believed.

bool FlowTable::is_sound(FlowSlot slot, uint16_t network) const noexcept {
  const FlowRecord& record = records_[slot];
  const uint64_t activity = record.activity.load(std::memory_order_relaxed);
  const FlowState state = flow::state_of(activity);
  if (record.sequence.load(std::memory_order_relaxed) % 2 != 0 || activity >> 40 != 0 ||
      state == FlowState::Free || state >= FlowState::Count)
    return false;
  const FlowKey original = tuple(slot, FlowDirection::Original);
  return original.network() == network && is_of(state, original.protocol()) &&
         original != tuple(slot, FlowDirection::Reply);
}

size_t FlowTable::adopt(uint32_t shift, uint16_t network) noexcept {
  for (uint32_t i = 0; i < bucket_count_ + FlowBucket::kReach; ++i) {
    for (unsigned entry = 0; entry < FlowBucket::kEntries; ++entry) buckets_[i].clear(entry);
    buckets_[i].locked.store(0, std::memory_order_relaxed);
    buckets_[i].passed.store(0, std::memory_order_relaxed);
  }
  slots_.adopt([&](FlowSlot slot) noexcept {
    FlowRecord& record = records_[slot];
    const uint64_t activity = record.activity.load(std::memory_order_relaxed);
    bool is_good = is_sound(slot, network);
    if (is_good) {
      const NewFlow flow{tuple(slot, FlowDirection::Original), tuple(slot, FlowDirection::Reply), kNoService,
                         flow::state_of(activity)};
      write(slot, flow, flow::last_seen(activity) + shift);
      is_good = link(flow.reply, slot).link == Link::Done;
      if (is_good && link(flow.original, slot).link != Link::Done) {
        unlink(flow.reply, slot);
        is_good = false;
      }
      record.activity.store(flow::activity_of(flow.state, flow::last_seen(activity) + shift),
                            std::memory_order_relaxed);
    }
    if (is_good) return true;
    record.sequence.store(record.sequence.load(std::memory_order_relaxed) & ~1u, std::memory_order_relaxed);
    record.activity.store(0, std::memory_order_relaxed);
    return false;
  });
  // A place that was never used is one that is free, whatever it holds.
  for (FlowSlot slot = end(); slot < capacity_; ++slot)
    if (records_[slot].activity.load(std::memory_order_relaxed) != 0)
      records_[slot].activity.store(0, std::memory_order_relaxed);
  return slots_.taken();
}

}  // namespace podswitch
