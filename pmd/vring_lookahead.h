// SPDX-License-Identifier: Apache-2.0
// Looks ahead in a guest's split ring (Virtio 1.1, 2.6): whether something is there, and prefetching what
// librte_vhost will read next, since another core has written it last. Reads, without the vring's lock, what
// the guest may write at any time: it decides only what is prefetched and whether librte_vhost is asked, so
// a guest that lies hurts nobody but itself. librte_vhost unmaps guest memory while workers run (a new memory
// table), so rings are read through mappings of our own; frames are only prefetched, which cannot fault.
// Made by librte_vhost's threads; used by workers until clear().
#pragma once

#include <rte_prefetch.h>
#include <rte_vhost.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace podswitch {

// The pages around a part of a guest's memory, mapped once more, for reading.
class GuestMapping {
 public:
  // `address`: where librte_vhost has it.
  GuestMapping(const rte_vhost_memory& memory, const void* address, size_t bytes) noexcept;
  ~GuestMapping();
  GuestMapping(const GuestMapping&) = delete;
  GuestMapping& operator=(const GuestMapping&) = delete;

  const void* data() const noexcept { return data_; }  // nullptr: it could not be mapped

 private:
  void* pages_ = nullptr;
  size_t bytes_ = 0;
  const void* data_ = nullptr;
};

class VringLookahead {
 public:
  // The vring has a size, descriptors and an avail ring. Throws std::bad_alloc; is_usable() is false when its
  // memory cannot be mapped.
  VringLookahead(const rte_vhost_vring& vring, const rte_vhost_memory& memory);
  bool is_usable() const noexcept { return desc_ != nullptr && avail_ != nullptr; }

  // How many entries the guest has made available from `next`, a free running index, on.
  uint16_t available(uint16_t next) const noexcept {
    return static_cast<uint16_t>(__atomic_load_n(&avail_->index, __ATOMIC_ACQUIRE) - next);
  }

  // For a dequeue at once: the first bytes of the frames of `count` entries from `next` on.
  void prefetch_frames(uint16_t next, uint16_t count) const noexcept {
    const Region* region = regions_.data();
    for (uint16_t i = 0; i < count; ++i) {
      const uint64_t guest_address = desc_[avail_->ring[(next + i) & mask_] & mask_].address;
      if (guest_address - region->guest_start >= region->bytes) [[unlikely]] {
        region = find(guest_address);
        if (region == nullptr) return;
      }
      const auto* frame = reinterpret_cast<const char*>(guest_address + region->to_host);
      rte_prefetch0(frame);
      rte_prefetch0(frame + kVirtioNetHeader);
    }
  }

  // For the burst after this one: the entries from `next` on and their descriptors, which drivers mostly use
  // in order.
  void prefetch_descriptors(uint16_t next) const noexcept {
    constexpr uint16_t kBurst = 32;
    constexpr uint16_t kPerLine = 64 / sizeof(Descriptor);
    rte_prefetch0(&avail_->ring[next & mask_]);
    rte_prefetch0(&avail_->ring[(next + kBurst - 1) & mask_]);
    const uint16_t first = avail_->ring[next & mask_];
    for (uint16_t i = 0; i < kBurst; i += kPerLine) rte_prefetch0(&desc_[(first + i) & mask_]);
  }

 private:
  static constexpr size_t kVirtioNetHeader = 12;  // bytes before the frame (Virtio 1.1, 5.1.6)
  struct Descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
  };
  struct AvailRing {
    uint16_t flags;
    uint16_t index;
    uint16_t ring[];
  };
  struct Region {
    uint64_t guest_start, bytes, to_host;
  };
  const Region* find(uint64_t guest_address) const noexcept;

  GuestMapping desc_memory_, avail_memory_;
  const Descriptor* desc_;
  const AvailRing* avail_;
  uint16_t mask_;
  std::vector<Region> regions_;  // at least one
};

// Those of one device.
class VringLookaheads {
 public:
  static constexpr uint16_t kMaxVrings = 32;

  // Worker, while the device runs. nullptr: none, for a packed ring for example.
  const VringLookahead* of(uint16_t vring) const noexcept {
    return current_[vring].load(std::memory_order_acquire);
  }

  // librte_vhost's threads: a split vring got ready. Does nothing when it has one.
  void make(int vid, uint16_t vring) noexcept;
  // librte_vhost's threads: rings or memory have moved.
  void forget() noexcept;
  // No worker uses any of them, or will.
  void clear() noexcept;

 private:
  // A guest may move its rings about, and what a worker may still use stays until clear().
  static constexpr size_t kMaxMade = 16 * kMaxVrings;

  std::array<std::atomic<const VringLookahead*>, kMaxVrings> current_{};
  std::vector<std::unique_ptr<const VringLookahead>> made_;
};

}  // namespace podswitch
