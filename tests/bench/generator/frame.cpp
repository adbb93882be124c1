// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/generator/frame.h"

namespace podswitch::bench {

uint16_t smallest_frame(Protocol protocol) {
  return with_protocol(protocol, []<Protocol kProtocol>() {
    return static_cast<uint16_t>(sizeof(typename Layout<kProtocol>::Head));
  });
}

const std::array<uint8_t, kLargestWireBytes>& payload() {
  static const auto bytes = [] {
    std::array<uint8_t, kLargestWireBytes> made{};
    for (size_t i = 0; i < made.size(); ++i) made[i] = static_cast<uint8_t>(i * 7 + i / 256);
    return made;
  }();
  return bytes;
}

}  // namespace podswitch::bench
