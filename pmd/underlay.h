// SPDX-License-Identifier: Apache-2.0
// The switch as a host of the underlay: finds the MACs of next hops by ARP (RFC 826) and neighbour
// discovery (RFC 4861 section 7), asks again before they grow old, and writes the next-hop table, whose only
// writer it is. Housekeeping thread.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "switch/net/address.h"
#include "switch/next_hop.h"

namespace podswitch {

// A next hop as the configuration thread plans it.
struct PlannedHop {
  NextHopId id = 0;
  NextHop hop;                       // whole, but for the underlay's destination MAC when there is a `via`
  std::optional<IpAddress> via;      // the neighbour in the underlay
  std::optional<TunnelSpec> tunnel;  // Tunnel: what the template is made of
};

class Underlay {
 public:
  struct Uplink {
    PortId port = kNoPort;  // kNoPort: there is none
    MacAddress mac;
    std::optional<Ipv4Address> v4;  // what the switch asks from
    std::optional<Ipv6Address> v6;
    friend bool operator==(const Uplink&, const Uplink&) = default;
  };
  struct Neighbour {  // for listings
    IpAddress ip;
    std::optional<MacAddress> mac;
    uint32_t age_seconds = 0;  // since it was last heard
    size_t next_hops = 0;
  };
  // Takes the packet, which is for the uplink.
  using Send = std::function<void(PortId, rte_mbuf*)>;

  Underlay(NextHopTable& table, rte_mempool& pool, Send send)
      : table_(table), pool_(pool), send_(std::move(send)) {}

  // The next hops from now on; what is not among them is emptied. Returns what may be freed after a grace
  // period.
  std::vector<NextHopTable::Replaced> set(const Uplink& uplink, const std::vector<PlannedHop>& hops,
                                          uint32_t now);
  // Somebody says to be `ip`. Returns what may be freed after a grace period.
  std::vector<NextHopTable::Replaced> heard(const IpAddress& ip, const MacAddress& mac, uint32_t now);
  // Once a second: asks for who is unknown or was silent for long, gives up on who does not answer.
  std::vector<NextHopTable::Replaced> every_second(uint32_t now);

  std::vector<Neighbour> neighbours(uint32_t now) const;

 private:
  struct Entry {
    std::optional<MacAddress> mac;
    uint32_t heard = 0;  // second of the switch's clock; 0: never
    std::vector<PlannedHop> hops;
  };
  void write(const PlannedHop& planned, const std::optional<MacAddress>& mac);
  void keep(NextHopTable::Replaced old);
  void write_all(const Entry& entry);
  void ask_the_silent(uint32_t now);
  void ask(const IpAddress& ip, const std::optional<MacAddress>& known);
  void announce();

  NextHopTable& table_;
  rte_mempool& pool_;
  const Send send_;
  Uplink uplink_;
  std::map<IpAddress, Entry> entries_;
  std::vector<NextHopId> written_;
  std::vector<NextHopTable::Replaced> replaced_;
};

}  // namespace podswitch
