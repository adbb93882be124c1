// SPDX-License-Identifier: Apache-2.0
// What the pipeline fuzzer's input means: these bytes, then the frame.
#pragma once

#include <cstdint>

namespace podswitch::fuzz {

enum RequestBits : uint8_t { kPartialChecksum = 1, kSuperFrame = 2 };

struct Controls {
  uint8_t port;     // modulo the rig's
  uint8_t request;  // RequestBits
  uint8_t segment_size_high;
  uint8_t segment_size_low;
  uint8_t first_cut;   // length of the first segment, 0: one segment
  uint8_t second_cut;  // of the second one
  uint8_t tailroom;    // behind each segment
  uint8_t headroom;
};
static_assert(sizeof(Controls) == 8);

}  // namespace podswitch::fuzz
