// SPDX-License-Identifier: Apache-2.0
// Reads the PCI address out of a device string. Any thread but a worker.
#pragma once

#include <string>

namespace podswitch {

// In full ("0000:03:00.0"), or empty: the string names a virtual device.
std::string pci_address(const std::string& device);

}  // namespace podswitch
