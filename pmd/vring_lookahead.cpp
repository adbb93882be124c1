// SPDX-License-Identifier: Apache-2.0
#include "pmd/vring_lookahead.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cstdlib>
#include <new>

namespace podswitch {

GuestMapping::GuestMapping(const rte_vhost_memory& memory, const void* address, size_t bytes) noexcept {
  const auto wanted = reinterpret_cast<uint64_t>(address);
  for (uint32_t i = 0; i < memory.nregions; ++i) {
    const rte_vhost_mem_region& region = memory.regions[i];
    if (wanted - region.host_user_addr >= region.size) continue;
    struct stat file {};
    if (bytes > region.size - (wanted - region.host_user_addr) || fstat(region.fd, &file) != 0) return;
    // Huge pages want to be mapped whole.
    const auto page = static_cast<uint64_t>(file.st_blksize);
    const uint64_t in_file = wanted - reinterpret_cast<uint64_t>(region.mmap_addr);
    const uint64_t start = in_file / page * page;
    bytes_ = (in_file + bytes + page - 1) / page * page - start;
    void* pages = mmap(nullptr, bytes_, PROT_READ, MAP_SHARED, region.fd, static_cast<off_t>(start));
    if (pages == MAP_FAILED) return;
    pages_ = pages;
    data_ = static_cast<const char*>(pages) + (in_file - start);
    return;
  }
}

GuestMapping::~GuestMapping() {
  if (pages_ != nullptr) munmap(pages_, bytes_);
}

VringLookahead::VringLookahead(const rte_vhost_vring& vring, const rte_vhost_memory& memory)
    : desc_memory_(memory, vring.desc, vring.size * sizeof(Descriptor)),
      avail_memory_(memory, vring.avail, sizeof(AvailRing) + vring.size * sizeof(uint16_t)),
      desc_(static_cast<const Descriptor*>(desc_memory_.data())),
      avail_(static_cast<const AvailRing*>(avail_memory_.data())),
      mask_(static_cast<uint16_t>(vring.size - 1)) {
  for (uint32_t i = 0; i < memory.nregions; ++i) {
    const rte_vhost_mem_region& region = memory.regions[i];
    regions_.push_back({region.guest_phys_addr, region.size, region.host_user_addr - region.guest_phys_addr});
  }
  if (regions_.empty()) regions_.push_back({});
}

const VringLookahead::Region* VringLookahead::find(uint64_t guest_address) const noexcept {
  for (const Region& region : regions_)
    if (guest_address - region.guest_start < region.bytes) return &region;
  return nullptr;
}

void VringLookaheads::make(int vid, uint16_t vring) noexcept {
  rte_vhost_vring ring{};
  rte_vhost_memory* memory = nullptr;
  if (of(vring) != nullptr || made_.size() == kMaxMade || rte_vhost_get_vhost_vring(vid, vring, &ring) != 0 ||
      ring.desc == nullptr || ring.avail == nullptr || ring.size == 0 ||
      rte_vhost_get_mem_table(vid, &memory) != 0)
    return;
  try {
    auto lookahead = std::make_unique<const VringLookahead>(ring, *memory);
    if (lookahead->is_usable()) {
      made_.push_back(std::move(lookahead));
      current_[vring].store(made_.back().get(), std::memory_order_release);
    }
  } catch (const std::bad_alloc&) {  // slower, not wrong
  }
  std::free(memory);
}

void VringLookaheads::forget() noexcept {
  for (auto& current : current_) current.store(nullptr, std::memory_order_release);
}

void VringLookaheads::clear() noexcept {
  forget();
  made_.clear();
}

}  // namespace podswitch
