// SPDX-License-Identifier: Apache-2.0
// Networks stretched over nodes, as the control side judges them: which may live beside the routed network,
// beside each other and beside the ports. Touches nothing outside its arguments. Configuration thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/desired.h"
#include "pmd/error.h"

namespace podswitch {

inline constexpr size_t kMaxNetworks = 4096;
inline constexpr size_t kMaxRemoteEntries = 16384;

// Throws Error("", message): decimal, 1 to 16777215.
uint32_t parse_vni(std::string_view text);

// Appends what keeps `name` from being stretched as `vni`, under the paths "name" and "vni". One of this name
// in `state` is no obstacle.
void check_network(const std::string& name, uint32_t vni, const DesiredState& state,
                   const RoutedNetwork& routed, std::vector<Problem>& problems);

// Adds the networks and the entries that the start brings. A journalled network that cannot be is left out
// with a line in `warnings`. Throws Error when the config file's own cannot, under "network.NAME".
void merge_networks(Desired& desired, const Networks& static_networks, const StoredState& stored,
                    const RoutedNetwork& routed, std::vector<std::string>& warnings);

}  // namespace podswitch
