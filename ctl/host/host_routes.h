// SPDX-License-Identifier: Apache-2.0
// The kernel's routes from this node to what the switch reaches: pod and Service CIDRs, via the switch's
// gateway address behind the host port's interface, with a permanent neighbour entry so that nobody is asked
// for the gateway's MAC. Routes and neighbours are made with a protocol number of their own, and only those
// on the interface with that number are ever removed. In the namespace of the thread that uses it;
// configuration thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pmd/error.h"
#include "pmd/rtnetlink.h"
#include "switch/net/address.h"
#include "switch/net/prefix.h"

namespace podswitch {

// Free in iproute2's list; `echo "112 podswitch" > /etc/iproute2/rt_protos.d/podswitch.conf` gives it a name.
inline constexpr uint8_t kRouteProtocol = 112;

struct HostRoutesTarget {
  std::string ifname;
  std::optional<IpAddress> gateway_v4, gateway_v6;  // a family's prefixes need the family's gateway
  MacAddress gateway_mac;
  std::vector<Prefix> prefixes;  // any order
  std::optional<uint32_t> mtu;   // bytes, of packets to them; none: the interface's
  friend bool operator==(const HostRoutesTarget&, const HostRoutesTarget&) = default;
};

class HostRoutes {
 public:
  // Makes the kernel's routes those of `target`; nullopt: none. What cannot be done is returned, path by
  // prefix, and tried again by refresh(); the rest is done. An interface that is missing is no problem:
  // refresh() finds it when it comes.
  std::vector<Problem> set(std::optional<HostRoutesTarget> target);
  // The same target against the kernel's present state: after the interface was made anew, or someone
  // flushed its routes. Cheap enough for once a second.
  std::vector<Problem> refresh();

  bool is_interface_there() const { return is_there_; }  // when last seen

 private:
  std::vector<Problem> reconcile(const HostRoutesTarget& target, unsigned interface);
  bool adjust(const HostRoutesTarget& before);
  void remove_all(const std::string& ifname);

  Rtnetlink kernel_;
  std::optional<HostRoutesTarget> target_;
  bool is_there_ = false;
  bool is_settled_ = false;  // and the kernel had all of its routes
};

}  // namespace podswitch
