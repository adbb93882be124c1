// SPDX-License-Identifier: Apache-2.0
// What a NIC's flow engine is asked to do for the tunnels that end here, as plain values: spread their
// packets by the inner headers, drop what no node sent. A rule may drop only what the pipeline would drop as
// well, so that it does not matter to a packet where it meets its fate. Pure functions, any thread.
// Priorities, 0 first: a known node's tunnel packets (by inner headers), all else that it sends to the
// tunnel port, the drop, all other tunnel packets (by inner headers).
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pmd/port_spec.h"
#include "switch/net/address.h"
#include "switch/net/tunnel.h"
#include "switch/snapshot.h"

namespace podswitch {

// The tunnels that end behind one uplink.
struct TunnelFlows {
  net::Encapsulation encapsulation = net::Encapsulation::Vxlan;
  uint16_t udp_port = 0;
  MacAddress mac;                // of the uplink
  std::optional<uint16_t> vlan;  // the underlay's tag on the wire
  std::vector<IpAddress> own;    // where tunnels end
  std::vector<IpAddress> known;  // where they may come from; sorted, unique, of the families of `own`

  bool same_ends(const TunnelFlows& other) const;  // all but `known`
  friend bool operator==(const TunnelFlows&, const TunnelFlows&) = default;
};

// nullopt: no tunnel ends behind this port.
std::optional<TunnelFlows> tunnel_flows_of(const Routing& routing, const PortSpec& port);

// The device's receive queues, and the RTE_ETH_RSS_* by which it spreads packets over them; 0: it does not.
struct FlowQueues {
  uint16_t count = 1;
  uint64_t rss_types = 0;
  friend auto operator<=>(const FlowQueues&, const FlowQueues&) = default;
};

// Ethernet, perhaps VLAN, IP, UDP, perhaps the tunnel's header.
struct FlowMatch {
  std::optional<MacAddress> mac;  // destination
  std::optional<uint16_t> vlan;
  bool is_v4 = true;
  std::optional<IpAddress> source, destination;
  // Not a fragment, and UDP right behind the IPv6 header.
  bool is_plain = false;
  // Says so twice, for NICs that take the last extension header's word for the IPv6 header's own.
  bool is_plain_twice = false;
  uint16_t udp_port = 0;  // destination
  std::optional<net::Encapsulation> tunnel;
  friend auto operator<=>(const FlowMatch&, const FlowMatch&) = default;
};

struct FlowAction {
  enum class Kind : uint8_t { Drop, FirstQueue, OuterRss, InnerRss };
  Kind kind = Kind::Drop;
  bool is_counted = false;
  FlowQueues queues;  // of the RSS kinds
  friend auto operator<=>(const FlowAction&, const FlowAction&) = default;
};

struct FlowRule {
  uint32_t priority = 0;
  FlowMatch match;
  FlowAction action;
  std::string name;  // for people
  friend auto operator<=>(const FlowRule&, const FlowRule&) = default;
};

// A NIC's tables are finite, and every change waits for the driver: beyond so many known VTEPs their packets
// are sorted out in software alone.
inline constexpr size_t kMaxFlowVteps = 1024;

// One per family of `own`.
std::vector<FlowRule> inner_rss_rules(const TunnelFlows& flows, const FlowQueues& queues);
// That the drop leaves `vtep` alone. A NIC that does not see a tunnel where the switch sees one must not
// drop it: what is not spread by inner headers needs a rule of its own.
std::vector<FlowRule> allow_rules(const TunnelFlows& flows, const IpAddress& vtep, const FlowQueues& queues,
                                  bool has_inner_rss);

struct DropForm {
  bool is_counted = false;
  bool is_plain_twice = false;
};
// One per address of `own`; only after all of allow_rules().
std::vector<FlowRule> drop_rules(const TunnelFlows& flows, const DropForm& form);

}  // namespace podswitch
