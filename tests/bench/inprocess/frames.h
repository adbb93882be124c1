// SPDX-License-Identifier: Apache-2.0
// What a source port hands out: the first 64 bytes of UDP frames, made before anything is measured.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "switch/ids.h"

namespace podswitch::bench {

inline constexpr uint16_t kFrameBytes = 64;  // without FCS

struct alignas(64) Frame {
  static constexpr uint16_t kBytes = kFrameBytes;
  std::array<uint8_t, kFrameBytes> bytes;
};

// MAC number `index` of those that live behind `port`, which is below 256.
MacAddress mac_of(PortId port, uint32_t index);

// Frames from `from` to `to`: each flow has other addresses and ports, and flow i the MACs number i modulo
// `macs`. As many as are needed for all flows and MACs to come, in random order.
std::vector<Frame> make_frames(PortId from, PortId to, uint32_t flows, uint32_t macs);

}  // namespace podswitch::bench
