// SPDX-License-Identifier: Apache-2.0
// Another node of the cluster, as the control side describes it to the switch: where its tunnel ends and
// which pod addresses lie behind it. A plain value, any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "switch/net/address.h"
#include "switch/net/prefix.h"

namespace podswitch {

struct NodeSpec {
  std::string name;
  std::vector<IpAddress> vteps;  // its addresses in the underlay, at most one of each family, IPv4 first
  std::optional<MacAddress> vtep_mac;  // inner destination MAC of routed packets; derived when not given
  std::vector<Prefix> pod_cidrs;       // sorted, no two overlap
  // Flannel has a device for each family: that of IPv6, where it is not vtep_mac.
  std::optional<MacAddress> vtep_mac_v6{};
  friend bool operator==(const NodeSpec&, const NodeSpec&) = default;
};

}  // namespace podswitch
