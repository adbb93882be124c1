// SPDX-License-Identifier: Apache-2.0
#include "pmd/vring_lookahead.h"

#include <cstdlib>
#include <new>

namespace podswitch {

VringLookahead::VringLookahead(const rte_vhost_vring& vring, const rte_vhost_memory& memory)
    : desc_(reinterpret_cast<const Descriptor*>(vring.desc)),
      avail_(reinterpret_cast<const AvailRing*>(vring.avail)),
      mask_(static_cast<uint16_t>(vring.size - 1)) {
  for (uint32_t i = 0; i < memory.nregions; ++i) {
    const rte_vhost_mem_region& region = memory.regions[i];
    regions_.push_back({region.guest_phys_addr, region.size, region.host_user_addr - region.guest_phys_addr});
  }
  if (regions_.empty()) regions_.push_back({});
}

bool VringLookahead::is_same(const rte_vhost_vring& vring) const noexcept {
  return desc_ == reinterpret_cast<const Descriptor*>(vring.desc) &&
         avail_ == reinterpret_cast<const AvailRing*>(vring.avail) && mask_ == vring.size - 1;
}

const VringLookahead::Region* VringLookahead::find(uint64_t guest_address) const noexcept {
  for (const Region& region : regions_)
    if (guest_address - region.guest_start < region.bytes) return &region;
  return nullptr;
}

void VringLookaheads::update(int vid, uint16_t vring) noexcept {
  rte_vhost_vring ring{};
  if (rte_vhost_get_vhost_vring(vid, vring, &ring) != 0) return;
  if (const VringLookahead* current = of(vring); current != nullptr && current->is_same(ring)) return;
  current_[vring].store(nullptr, std::memory_order_release);
  rte_vhost_memory* memory = nullptr;
  if (ring.desc == nullptr || ring.avail == nullptr || ring.size == 0 || made_.size() == kMaxMade ||
      rte_vhost_get_mem_table(vid, &memory) != 0)
    return;
  try {
    made_.push_back(std::make_unique<const VringLookahead>(ring, *memory));
    current_[vring].store(made_.back().get(), std::memory_order_release);
  } catch (const std::bad_alloc&) {  // slower, not wrong
  }
  std::free(memory);
}

void VringLookaheads::clear() noexcept {
  for (auto& current : current_) current.store(nullptr, std::memory_order_relaxed);
  made_.clear();
}

}  // namespace podswitch
