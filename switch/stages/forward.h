// SPDX-License-Identifier: Apache-2.0
// What the stages that choose an egress port share: kinds of destinations, by FDB key. Any thread.
#pragma once

#include <cstdint>

namespace podswitch::stages {

inline bool is_group(uint64_t key) noexcept {
  return (key & 1) != 0;  // of the first byte on the wire
}

// 01:80:c2:00:00:00 to :0f, IEEE 802.1Q table 8-1, as as_u64() gives it.
inline bool is_reserved_group(uint64_t key) noexcept {
  return (key & 0xf0ff'ffff'ffffULL) == 0x0000'00c2'8001ULL;
}

}  // namespace podswitch::stages
