// SPDX-License-Identifier: Apache-2.0
// The desired Services of the node.
#pragma once

#include "lb/service_spec.h"
#include "pmd/shared_map.h"

namespace podswitch {

// By the Service's name, which its slices state. With a million endpoints copies must share.
using Services = SharedMap<ObjectName, ServiceEntry>;

}  // namespace podswitch
