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
  Counter id;              // whose these are: numbers are given out again
  Counter packets, bytes;  // of both directions; bytes without FCS
  uint64_t unused = 0;     // two of them in a cache line
};

class ServiceCounters {
 public:
  // Worker. What has no room is not counted.
  void add(ServiceId id, uint32_t bytes) noexcept {
    const uint32_t index = index_of(id);
    Chunk* const chunk = chunks_[index / kChunk].load(std::memory_order_acquire);
    if (id == kNoService || chunk == nullptr) return;
    ServiceCount& count = (*chunk)[index % kChunk];
    if (count.id.get() != id) [[unlikely]]
      begin(count, id);
    count.packets.add(1);
    count.bytes.add(bytes);
  }
  // Configuration thread.
  void make_room(ServiceId id) {
    auto& place = chunks_[index_of(id) / kChunk];
    if (place.load(std::memory_order_relaxed) != nullptr) return;
    owned_.push_back(std::make_unique<Chunk>());
    place.store(owned_.back().get(), std::memory_order_release);
  }
  // nullptr: it has counted nothing for it.
  const ServiceCount* find(ServiceId id) const noexcept {
    const Chunk* const chunk = chunks_[index_of(id) / kChunk].load(std::memory_order_acquire);
    if (chunk == nullptr) return nullptr;
    const ServiceCount& count = (*chunk)[index_of(id) % kChunk];
    return count.id.get() == id ? &count : nullptr;
  }

 private:
  static constexpr uint32_t kChunk = 4096;
  static void begin(ServiceCount& count, ServiceId id) noexcept {
    count.packets.reset();
    count.bytes.reset();
    count.id.reset();
    count.id.add(id);
  }
  using Chunk = std::array<ServiceCount, kChunk>;
  std::array<std::atomic<Chunk*>, (kMaxServicePorts + kChunk - 1) / kChunk> chunks_{};
  std::vector<std::unique_ptr<Chunk>> owned_;
};

}  // namespace podswitch
