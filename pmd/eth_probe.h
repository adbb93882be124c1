// SPDX-License-Identifier: Apache-2.0
// DPDK's network devices by the strings that name them. Configuration or housekeeping thread.
#pragma once

#include <cstdint>
#include <string>

namespace podswitch {

// The device's number. Throws Error, about the port's `option`.
uint16_t probe_device(const std::string& devargs, const std::string& option);

// Closes a stopped device and gives it back.
void close_device(uint16_t id);

}  // namespace podswitch
