// SPDX-License-Identifier: Apache-2.0
// Two ports cannot share a socket, an interface, a device or, in one network, an address. Any thread.
#pragma once

#include <vector>

#include "pmd/error.h"
#include "pmd/port_spec.h"

namespace podswitch {

// Appends all that `port` takes and `other` has already, each under the option's name.
void find_conflicts(const PortSpec& port, const PortSpec& other, std::vector<Problem>& problems);

}  // namespace podswitch
