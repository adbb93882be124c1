// SPDX-License-Identifier: Apache-2.0
#include "lb/maglev_cache.h"

#include <algorithm>
#include <vector>

#include "lb/stable_hash.h"

namespace podswitch {

struct MaglevCache::Shared {
  std::vector<IpAddress> addresses;
  Maglev table;
  explicit Shared(std::vector<IpAddress> from) : addresses(std::move(from)), table(addresses) {}
};

std::shared_ptr<const Maglev> MaglevCache::get(std::span<const Backend> backends) {
  if (backends.empty()) return nullptr;
  forget_some();
  const auto has_ip = [](const IpAddress& ip, const Backend& backend) { return ip == backend.ip; };
  uint64_t hash = 0;
  for (const Backend& backend : backends) hash = stable_hash(backend.ip, hash);
  for (auto [found, end] = shared_.equal_range(hash); found != end; ++found) {
    const auto shared = found->second.lock();
    if (shared && std::equal(shared->addresses.begin(), shared->addresses.end(), backends.begin(),
                             backends.end(), has_ip))
      return {shared, &shared->table};
  }
  std::vector<IpAddress> addresses;
  addresses.reserve(backends.size());
  for (const Backend& backend : backends) addresses.push_back(backend.ip);
  // Not in one piece with its count: that stays as long as the weak reference.
  const std::shared_ptr<const Shared> made(new Shared(std::move(addresses)));
  shared_.emplace(hash, made);
  return {made, &made->table};
}

// A little with each request, so that none waits for a look at all of them.
void MaglevCache::forget_some() {
  constexpr size_t kBuckets = 8;
  for (size_t i = 0; i < kBuckets; ++i) {
    looked_at_ = (looked_at_ + 1) % shared_.bucket_count();
    std::vector<uint64_t> hashes;
    for (auto entry = shared_.begin(looked_at_); entry != shared_.end(looked_at_); ++entry)
      if (entry->second.expired()) hashes.push_back(entry->first);
    for (const uint64_t hash : hashes) {
      const auto [begin, end] = shared_.equal_range(hash);
      for (auto entry = begin; entry != end;)
        entry = entry->second.expired() ? shared_.erase(entry) : std::next(entry);
    }
  }
}

MaglevCache::Memory MaglevCache::memory() const {
  Memory memory;
  for (const auto& [hash, weak] : shared_)
    if (const auto shared = weak.lock()) {
      ++memory.tables;
      memory.bytes +=
          sizeof *shared + shared->addresses.capacity() * sizeof(IpAddress) + shared->table.memory_bytes();
    }
  return memory;
}

}  // namespace podswitch
