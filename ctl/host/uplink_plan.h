// SPDX-License-Identifier: Apache-2.0
// What attaching an uplink would do, worked out and judged before anything changes. In the namespace of the
// calling thread; changes nothing.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "ctl/host/uplink_state.h"

namespace podswitch {

inline constexpr const char* kUplinkPort = "uplink";
inline constexpr const char* kHostPort = "host";
inline constexpr const char* kUnderlay = "underlay";  // the network of these two ports, and of no other
inline constexpr const char* kHostInterface = "podswitch0";  // the host port's

struct UplinkRequest {
  std::string nic;
  PortKind kind = PortKind::AfPacket;
  uint16_t queues = 1;
  uint16_t vlan = 0;  // the underlay's tag; 0: untagged
};

struct UplinkPlan {
  UplinkState state;                  // with what is to be moved
  std::string device;                 // ethdev: its PCI address
  std::vector<std::string> warnings;  // what will not work any more
};

// Throws Error when it cannot be done, saying what would be right.
UplinkPlan plan_uplink(const UplinkRequest& request);
// Arguments of `port add`.
nlohmann::json uplink_port(const UplinkPlan& plan);
nlohmann::json host_port(const UplinkState& state);
// Whether the kernel would see the uplink's frames, too.
bool needs_ingress_block(PortKind kind);
// A line for each step.
std::string describe(const UplinkPlan& plan);

}  // namespace podswitch
