// SPDX-License-Identifier: Apache-2.0
// The kernel's links, addresses, routes and permanent neighbours as plain values, read and changed by
// rtnetlink in the network namespace of the thread that made the Rtnetlink (run_in_namespace() for another).
// Every Error says what was attempted and what the kernel answered. Control side, one thread each.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pmd/netlink.h"
#include "switch/net/address.h"
#include "switch/net/prefix.h"

namespace podswitch {

struct Link {
  unsigned index = 0;
  std::string name;
  unsigned flags = 0;  // IFF_*
  uint32_t mtu = 0;    // bytes, without the Ethernet header
  std::optional<MacAddress> mac;
  std::string kind;     // "veth", "vlan", "tun"; empty: a device without one, such as a NIC
  unsigned lower = 0;   // what it stands on, of the same namespace: a VLAN's or macvlan's device; 0: none
  unsigned master = 0;  // the bridge, bond or VRF that owns it; 0: none
  uint16_t vlan = 0;    // kind "vlan": its tag
};

struct InterfaceAddress {
  unsigned interface = 0;
  IpAddress address;
  uint8_t length = 0;             // of the prefix that is on-link
  std::optional<IpAddress> peer;  // of a point-to-point address
  std::optional<IpAddress> broadcast;
  std::string label;
  uint8_t scope = 0;                  // RT_SCOPE_*
  uint32_t flags = 0;                 // IFA_F_*
  uint32_t preferred_s = UINT32_MAX;  // lifetimes; UINT32_MAX: forever
  uint32_t valid_s = UINT32_MAX;
  uint32_t metric = 0;   // of the on-link route; 0: the default
  uint8_t protocol = 0;  // IFAPROT_*
  std::string to_string() const;
  friend bool operator==(const InterfaceAddress&, const InterfaceAddress&) = default;
};

struct RouteHop {
  unsigned interface = 0;            // 0: none, as of a blackhole
  std::optional<IpAddress> gateway;  // IPv6 also for an IPv4 route (RTA_VIA)
  uint8_t weight = 0;                // less one, as the kernel has it; of several hops
  bool is_onlink = false;
  friend bool operator==(const RouteHop&, const RouteHop&) = default;
};

struct KernelRoute {
  Prefix destination;
  std::optional<Prefix> from;  // IPv6: only for packets of these sources
  uint32_t table = 254;        // RT_TABLE_MAIN
  uint8_t protocol = 0;        // RTPROT_*
  uint8_t scope = 0;           // RT_SCOPE_*
  uint8_t type = 1;            // RTN_UNICAST
  uint8_t tos = 0;
  uint32_t metric = 0;  // IPv6: 0 is given 1024 by the kernel
  std::optional<IpAddress> source;
  std::vector<RouteHop> hops;
  std::vector<std::pair<uint16_t, uint32_t>> metrics;  // RTAX_*, such as the MTU
  std::optional<uint8_t> preference;                   // IPv6: of the router that announced it
  uint32_t expires_s = 0;                              // IPv6; 0: never
  std::vector<uint16_t> unknown;  // RTA_* that are not understood: it cannot be made anew

  bool uses(unsigned interface) const;
  std::string to_string() const;
  friend bool operator==(const KernelRoute&, const KernelRoute&) = default;
};

struct Neighbour {
  unsigned interface = 0;
  IpAddress address;
  MacAddress mac;
  uint8_t protocol = 0;  // RTPROT_*
  std::string to_string() const;
  friend bool operator==(const Neighbour&, const Neighbour&) = default;
};

// The name, or its number when it is gone.
std::string interface_name(unsigned index);

class Rtnetlink {
 public:
  Rtnetlink() : socket_(NETLINK_ROUTE) {}

  std::vector<Link> links();
  std::optional<Link> link(const std::string& name);
  std::vector<InterfaceAddress> addresses(unsigned interface);
  // Of all tables and both families, without those that the kernel makes of addresses in table "local".
  std::vector<KernelRoute> routes();
  std::vector<Neighbour> permanent_neighbours(unsigned interface);

  // False: it is there already, or was not there. Anything else that fails throws Error.
  bool add(const InterfaceAddress& address);
  bool remove(const InterfaceAddress& address);
  // Beside another route to the same destination, not in its place.
  bool add(const KernelRoute& route);
  // Only where no route of this destination, table and metric exists; false: one does, whosever.
  bool add_alone(const KernelRoute& route);
  bool remove(const KernelRoute& route);
  bool set(const Neighbour& neighbour);  // makes it permanent, replacing what is there; always true
  bool remove(const Neighbour& neighbour);
  bool set_up(unsigned interface, bool up);
  bool remove_link(unsigned interface);

 private:
  bool change_route(const KernelRoute& route, uint16_t type, uint16_t flags);

  NetlinkSocket socket_;
};

}  // namespace podswitch
