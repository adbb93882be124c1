// SPDX-License-Identifier: Apache-2.0
// What one worker counts for each service port. The worker adds; the configuration thread makes room before
// packets can name a service; anyone reads.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "lb/service_table.h"
#include "switch/net/counter.h"

namespace podswitch {

struct ServiceCount {
  Counter packets, bytes;  // of both directions; bytes without FCS
};

class ServiceCounters {
 public:
  // Worker. What has no room is not counted.
  void add(ServiceId id, uint32_t bytes) noexcept {
    const uint32_t index = index_of(id);
    Chunk* const chunk = chunks_[index / kChunk].load(std::memory_order_acquire);
    if (id == kNoService || chunk == nullptr) return;
    (*chunk)[index % kChunk].packets.add(1);
    (*chunk)[index % kChunk].bytes.add(bytes);
  }
  // Configuration thread.
  void make_room(ServiceId id) {
    auto& place = chunks_[index_of(id) / kChunk];
    if (place.load(std::memory_order_relaxed) != nullptr) return;
    owned_.push_back(std::make_unique<Chunk>());
    place.store(owned_.back().get(), std::memory_order_release);
  }
  // nullptr: there is no room for it.
  const ServiceCount* find(ServiceId id) const noexcept {
    const Chunk* const chunk = chunks_[index_of(id) / kChunk].load(std::memory_order_acquire);
    return chunk == nullptr ? nullptr : &(*chunk)[index_of(id) % kChunk];
  }

 private:
  static constexpr uint32_t kChunk = 4096;
  using Chunk = std::array<ServiceCount, kChunk>;
  std::array<std::atomic<Chunk*>, kMaxServicePorts / kChunk> chunks_{};
  std::vector<std::unique_ptr<Chunk>> owned_;
};

}  // namespace podswitch
