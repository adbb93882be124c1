// SPDX-License-Identifier: Apache-2.0
// Packets of the fuzzers: segments in heap buffers of just their size, so that AddressSanitizer sees every
// byte too far. Linking this also brings an EAL without hugepages.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/pipeline_input.h"
#include "tests/unit/pool.h"

namespace podswitch::fuzz {

void require(bool holds);

test::PacketPtr make_packet(const Controls& controls, const uint8_t* frame, size_t size);

}  // namespace podswitch::fuzz
