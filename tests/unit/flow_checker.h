// SPDX-License-Identifier: Apache-2.0
// What must be true of a flow table while nobody works on it: every live record is found by both its tuples
// and by nothing else, no entry of the index leads to a free record, the counts that say how far a look-up
// has to go are exact, no lock is held, and no place is lost or given out twice. It reads the table's memory
// as lb/flow_table.h lays it out.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "lb/flow_table.h"

namespace podswitch::test {

class FlowChecker {
 public:
  FlowChecker(std::span<std::byte> memory, FlowTable& flows) : flows_(flows) {
    const uint32_t capacity = flows.capacity();
    const size_t lines = (FlowTable::memory_bytes(capacity) - 64) / 64 - size_t{2} * capacity;
    home_count_ = static_cast<uint32_t>(lines) - FlowBucket::kReach;
    buckets_ = {reinterpret_cast<const FlowBucket*>(memory.data() + 64), lines};
  }

  // What is wrong, or nothing. `in_caches`: places that workers keep for themselves.
  std::string defect(uint32_t in_caches) {
    std::map<FlowSlot, unsigned> entries;
    for (size_t i = 0; i < buckets_.size(); ++i) {
      if (buckets_[i].locked.load() != 0) return fmt::format("bucket {} is locked", i);
      for (unsigned entry = 0; entry < FlowBucket::kEntries; ++entry)
        if (tag_of(buckets_[i], entry) != 0) ++entries[buckets_[i].slots[entry].load()];
    }
    std::vector<uint32_t> passed(buckets_.size());
    std::set<FlowTuple> tuples;
    uint32_t live = 0;
    for (FlowSlot slot = 0; slot < flows_.capacity(); ++slot) {
      const auto flow = flows_.read(slot, 0);
      if (!flow) continue;
      ++live;
      if (slot >= flows_.end()) return fmt::format("record {} is behind the end", slot);
      if (entries[slot] != 2) return fmt::format("record {} has {} index entries", slot, entries[slot]);
      entries.erase(slot);
      for (const FlowDirection direction : {FlowDirection::Original, FlowDirection::Reply}) {
        const FlowKey& key = direction == FlowDirection::Original ? flow->original : flow->reply;
        if (!tuples.insert(tuple_of(key)).second)
          return fmt::format("a tuple of record {} comes twice", slot);
        const auto found = flows_.find(flows_.hash(key), key);
        if (found.slot != slot || found.direction != direction)
          return fmt::format("record {} is not found by its tuple", slot);
        if (!note_way(key, slot, passed)) return fmt::format("record {} is out of reach", slot);
      }
    }
    if (!entries.empty()) return fmt::format("free record {} is in the index", entries.begin()->first);
    for (size_t i = 0; i < buckets_.size(); ++i)
      if (buckets_[i].passed.load() != passed[i])
        return fmt::format("bucket {} was passed by {}, not {}", i, buckets_[i].passed.load(), passed[i]);
    if (flows_.taken() != live + in_caches)
      return fmt::format("{} places are taken for {} flows and {} in caches", flows_.taken(), live,
                         in_caches);
    return places_defect(live);
  }

 private:
  using FlowTuple = std::tuple<std::array<uint64_t, 4>, uint32_t, uint32_t>;
  static FlowTuple tuple_of(const FlowKey& key) { return {key.addresses, key.ports, key.scope}; }
  static uint16_t tag_of(const FlowBucket& bucket, unsigned entry) {
    return static_cast<uint16_t>(bucket.tags[entry / 4].load() >> entry % 4 * 16);
  }
  bool note_way(const FlowKey& key, FlowSlot slot, std::vector<uint32_t>& passed) const {
    const uint64_t hash = flows_.hash(key);
    const auto home = static_cast<uint32_t>((hash >> 32) * home_count_ >> 32);
    for (uint32_t i = 0; i < FlowBucket::kReach; ++i)
      for (unsigned entry = 0; entry < FlowBucket::kEntries; ++entry)
        if (tag_of(buckets_[home + i], entry) == flow_tag(hash) &&
            buckets_[home + i].slots[entry].load() == slot) {
          for (uint32_t j = 0; j < i; ++j) ++passed[home + j];
          return true;
        }
    return false;
  }
  // Takes all that is free and gives it back. Flows in a network of their own.
  std::string places_defect(uint32_t live) {
    FlowWorker worker;
    std::vector<std::pair<FlowSlot, uint32_t>> made;
    std::set<FlowSlot> slots;
    std::string defect;
    const uint32_t free = flows_.capacity() - flows_.taken();
    for (uint32_t i = 0; i < free && defect.empty(); ++i) {
      const FlowKey key =
          FlowKey::of(IpAddress(Ipv4Address{{1, 2, 3, 4}}), static_cast<uint16_t>(i),
                      IpAddress(Ipv4Address{{4, 3, 2, 1}}), static_cast<uint16_t>(i >> 16), 6, 0xfffe);
      const auto inserted =
          flows_.insert({key, key.reversed(), kNoService, FlowState::TcpEstablished}, 0, worker);
      if (inserted.outcome != FlowTable::Outcome::Inserted)
        defect = fmt::format("only {} places of {} are left to {} flows", i, free, live);
      else if (!slots.insert(inserted.slot).second)
        defect = fmt::format("place {} is given out twice", inserted.slot);
      else
        made.emplace_back(inserted.slot, flows_.record(inserted.slot).sequence.load());
    }
    for (const auto& [slot, sequence] : made)
      if (!flows_.remove(slot, sequence, worker.slots) && defect.empty())
        defect = fmt::format("record {} is somebody else's", slot);
    flows_.give_back(worker.slots);
    return defect;
  }

  FlowTable& flows_;
  uint32_t home_count_ = 0;
  std::span<const FlowBucket> buckets_;
};

}  // namespace podswitch::test
