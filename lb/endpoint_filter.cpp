// SPDX-License-Identifier: Apache-2.0
#include "lb/endpoint_filter.h"

#include <algorithm>
#include <bit>

namespace podswitch {

// Eight bits for each: of others one in 20 passes when it is full, one in 70 when it is half full.
EndpointFilter::EndpointFilter(size_t endpoints)
    : capacity_(std::max<size_t>(endpoints, 8)),
      mask_(std::bit_ceil(capacity_ / 8) - 1),
      bits_(std::make_unique<std::atomic<uint64_t>[]>(mask_ + 1)) {}

bool EndpointFilter::add(uint64_t hash) noexcept {
  if (has(hash)) return false;  // a word that workers read is not written without need
  bits_[hash & mask_].fetch_or(bits_of(hash), std::memory_order_relaxed);
  return true;
}

}  // namespace podswitch
