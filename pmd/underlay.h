// SPDX-License-Identifier: Apache-2.0
// The switch as a host of the underlay: finds the MACs of next hops by ARP (RFC 826) and neighbour
// discovery (RFC 4861 section 7), asks again before they grow old, notes what fits on the way to other tunnel
// ends (RFC 1191, RFC 8201), and writes the next-hop table, whose only writer it is. Housekeeping thread.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "pmd/link_hosts.h"
#include "pmd/shared_map.h"
#include "switch/net/address.h"
#include "switch/next_hop.h"

namespace podswitch {

// A next hop as the configuration thread plans it.
struct PlannedHop {
  NextHopId id = 0;
  NextHop hop;                       // whole, but for the underlay's destination MAC when there is a `via`
  std::optional<IpAddress> via;      // the neighbour in the underlay
  std::optional<TunnelSpec> tunnel;  // Tunnel: what the template is made of
  friend bool operator==(const PlannedHop& a, const PlannedHop& b) {  // there is no template yet
    const auto fields = [](const PlannedHop& p) {
      return std::tie(p.id, p.hop.kind, p.hop.port, p.hop.fid, p.hop.mtu, p.hop.macs, p.via, p.tunnel);
    };
    return fields(a) == fields(b);
  }
};
// By id. The same object as before: the same next hop.
using PlannedHops = SharedMap<NextHopId, std::shared_ptr<const PlannedHop>>;

class Underlay {
 public:
  struct Uplink {
    PortId port = kNoPort;  // kNoPort: there is none
    Fid fid = kNoFid;       // of the underlay
    uint16_t vlan = 0;      // the tag that its frames have out there; 0: none
    MacAddress mac;
    std::optional<Ipv4Address> v4;  // what the switch asks from
    std::optional<Ipv6Address> v6;
    friend bool operator==(const Uplink&, const Uplink&) = default;
  };
  struct Neighbour {  // for listings
    IpAddress ip;
    std::optional<MacAddress> mac;
    uint32_t age_seconds = 0;  // since it was last heard
    size_t next_hops = 0;      // 0: a host on the link
  };
  // Takes the packet, which is for the uplink.
  using Send = std::function<void(PortId, rte_mbuf*)>;
  using Replaced = std::vector<NextHopTable::Replaced>;  // what may be freed after a grace period

  Underlay(NextHopTable& table, NeighbourTable& link_hosts, rte_mempool& pool, Send send);

  // The next hops from now on; what is not among them is emptied.
  Replaced set(const Uplink& uplink, const PlannedHops& hops, uint32_t now);
  // Somebody says to be `ip`.
  Replaced heard(const IpAddress& ip, const MacAddress& mac, uint32_t now);
  // A packet for a host on the link was dropped, because its MAC is not known.
  void wanted(const IpAddress& ip, uint32_t now);
  // A router says that no more than `mtu` bytes fit on the way to this tunnel end.
  Replaced too_big(const IpAddress& vtep, uint16_t mtu, uint32_t now);
  // Once a second, of every port: how often its frames have begun to leave by another way, or again. Of the
  // uplink's, switches in the underlay then hear where its MAC is.
  void follow_way(PortId port, uint64_t changes);
  // Once a second: asks for who is unknown or was silent for long, gives up on who does not answer.
  Replaced every_second(uint32_t now);

  std::vector<Neighbour> neighbours(uint32_t now) const;
  // Of tunnel ends to which less fits than the uplink takes: bytes of the outer packet.
  std::map<IpAddress, uint16_t> path_mtus() const;

 private:
  struct Entry {
    std::optional<MacAddress> mac;
    uint32_t heard = 0;     // second of the switch's clock; 0: never
    uint32_t ask_at = 0;    // while it is unknown
    uint32_t patience = 1;  // seconds until it is asked again
    int unanswered = 0;     // questions in a row
    bool is_silent() const { return !mac && unanswered > kMaxQuestions; }
    std::set<NextHopId> hops;
  };
  struct Vtep {
    std::set<NextHopId> hops;
    uint16_t path_mtu = UINT16_MAX;
    uint32_t until = 0;  // forgets path_mtu
  };
  void change_uplink(const Uplink& uplink);
  void add(const PlannedHop& planned, uint32_t now);
  void drop(const PlannedHop& planned, bool is_last);
  void write(const PlannedHop& planned);
  void write_all(const std::set<NextHopId>& hops);
  void keep(NextHopTable::Replaced old);
  void ask_the_silent(uint32_t now);
  void ask_if_due(const IpAddress& ip, Entry& entry, uint32_t now);
  void ask(const IpAddress& ip, const std::optional<MacAddress>& known);
  void announce();
  void send(rte_mbuf* packet);

  NextHopTable& table_;
  rte_mempool& pool_;
  const Send send_;
  Uplink uplink_;
  uint64_t way_changes_ = 0;
  LinkHosts link_hosts_;
  PlannedHops planned_;
  std::map<IpAddress, Entry> entries_;
  std::map<IpAddress, Vtep> vteps_;
  Replaced replaced_;
};

}  // namespace podswitch
