// SPDX-License-Identifier: Apache-2.0
// Feature bits of Virtio 1.1, sections 5.1.3 and 6. <linux/virtio_net.h> has them too, but is no C++
// ("class" is a field there). Plain values.
#pragma once

#include <cstdint>

namespace podswitch::virtio_feature {

inline constexpr uint64_t kGuestChecksum = 1ULL << 1;
inline constexpr uint64_t kGuestTso4 = 1ULL << 7;
inline constexpr uint64_t kGuestTso6 = 1ULL << 8;
inline constexpr uint64_t kGuestUfo = 1ULL << 10;
inline constexpr uint64_t kHostUfo = 1ULL << 14;
inline constexpr uint64_t kMergeableBuffers = 1ULL << 15;
inline constexpr uint64_t kMultiQueue = 1ULL << 22;
inline constexpr uint64_t kPackedRing = 1ULL << 34;

}  // namespace podswitch::virtio_feature
