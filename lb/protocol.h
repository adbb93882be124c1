// SPDX-License-Identifier: Apache-2.0
// The transport protocols of Services, by their IP protocol numbers. Plain data, any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace podswitch {

enum class Protocol : uint8_t { Tcp = 6, Udp = 17, Sctp = 132 };

constexpr std::string_view to_string(Protocol protocol) {
  return protocol == Protocol::Tcp ? "TCP" : protocol == Protocol::Udp ? "UDP" : "SCTP";
}

}  // namespace podswitch
