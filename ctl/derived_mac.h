// SPDX-License-Identifier: Apache-2.0
// Values that are made of names, and so are the same after each start. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "switch/net/address.h"

namespace podswitch {

uint64_t stable_hash(std::string_view text);    // FNV-1a
MacAddress derived_mac(std::string_view text);  // locally administered, unicast
std::string host_name();

}  // namespace podswitch
