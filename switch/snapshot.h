// SPDX-License-Identifier: Apache-2.0
// What the stages read: every port's bridging rules, the members of each filtering id, the addresses
// that the switch answers for. Compiled on the configuration thread, immutable once published, read by
// the workers, freed after a grace period.
#pragma once

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include <array>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "lb/service_table.h"
#include "switch/ids.h"
#include "switch/lpm.h"
#include "switch/net/address.h"
#include "switch/next_hop.h"
#include "switch/vtep_table.h"

namespace podswitch {

inline constexpr uint16_t kVlanCount = 4096;

enum class VlanMode : uint8_t {
  Untagged,  // tagged frames are dropped
  Access,    // as Untagged, inside the VLAN
  Trunk,     // only frames tagged with a VLAN of the list
};

struct VlanConfig {
  VlanMode mode = VlanMode::Untagged;
  uint16_t access = 0;               // Access: 1..4094
  std::vector<uint16_t> trunk = {};  // Trunk: 1..4094, sorted, unique
  friend bool operator==(const VlanConfig&, const VlanConfig&) = default;
};

// Calls `visit` with each VLAN that a port is a member of; 0 stands for untagged.
template <typename Visit>
void for_each_vlan(const VlanConfig& vlan, Visit&& visit) {
  if (vlan.mode == VlanMode::Untagged) visit(uint16_t{0});
  if (vlan.mode == VlanMode::Access) visit(vlan.access);
  if (vlan.mode == VlanMode::Trunk)
    for (const uint16_t id : vlan.trunk) visit(id);
}

// One port as the configuration thread describes it to the compiler.
struct BridgePort {
  PortId id = kNoPort;
  std::string network = "default";
  VlanConfig vlan = {};
  std::optional<MacAddress> mac = {};
  std::vector<IpAddress> ips = {};
  uint16_t mtu = 1500;  // bytes of layer 3
  bool allow_spoofing = false;
  bool is_uplink = false;
  uint16_t advertised_mtu = 0;  // by router advertisements; 0: the port hears none
};

// What a port with addresses may send from.
struct Guard {
  uint64_t mac = 0;  // as_u64(), 0: any
  bool check_ip = false;
  std::vector<Ipv4Address> v4;
  std::vector<Ipv6Address> v6;  // the link-local address made of the MAC included
};

struct PortView {
  bool present = false;
  VlanMode vlan_mode = VlanMode::Untagged;
  bool owns_mac = false;  // all its frames carry its one static MAC, so there is nothing to learn
  bool allow_spoofing = false;
  bool is_uplink = false;
  Fid fid = kNoFid;  // Untagged and Access
  uint16_t mtu = 0;
  uint16_t advertised_mtu = 0;      // as BridgePort's
  const Guard* guard = nullptr;     // nullptr: not guarded
  const Fid* trunk_fids = nullptr;  // Trunk: by VLAN id, kNoFid where not allowed
};
static_assert(sizeof(PortView) <= 32);

struct FidView {
  uint16_t vlan = 0;                       // the tag that trunk members see
  uint16_t network = kNoFid;               // the same for all VLANs of it: the Fid of its untagged frames
  uint32_t vni = 0;                        // stretched over nodes as this one; 0: of this node alone
  const Lpm* routes = nullptr;             // of the network; nullptr: it has none
  const ServiceTable* services = nullptr;  // of the network; nullptr: it has none
  std::vector<PortId> members;
};

// Addresses the switch answers ARP and neighbour solicitations for. Open addressing, built once.
class AddressTable {
 public:
  struct Owner {
    MacAddress mac;
    PortId port;  // kNoPort: the switch itself
  };
  void build(const std::vector<std::tuple<Fid, IpAddress, Owner>>& entries);
  const Owner* find(Fid fid, const IpAddress& ip) const noexcept;
  size_t size() const { return size_; }

 private:
  struct Slot {
    IpAddress ip;
    Fid fid = kNoFid;  // kNoFid: free
    Owner owner{};
  };
  static uint64_t hash(Fid fid, const IpAddress& ip) noexcept {
    const auto product = static_cast<unsigned __int128>(ip.v6.word(8) ^ 0x9e3779b97f4a7c15ULL) *
                         ((ip.v6.word(0) ^ uint64_t{fid} << 48) * 2 + 0xbf58476d1ce4e5b9ULL);
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }
  std::vector<Slot> slots_;  // size is a power of two, at most half full
  size_t size_ = 0;
};

// Networks that are stretched over nodes, by VNI. Open addressing, built once.
class VniTable {
 public:
  void build(const std::vector<std::pair<uint32_t, Fid>>& entries);
  Fid find(uint32_t vni) const noexcept {  // kNoFid: none has it
    for (size_t i = vni & mask_; slots_[i].first != 0; i = (i + 1) & mask_)
      if (slots_[i].first == vni) return slots_[i].second;
    return kNoFid;
  }
  bool empty() const { return slots_.size() == 1; }

 private:
  std::vector<std::pair<uint32_t, Fid>> slots_{{0, kNoFid}};  // 0: free; a power of two, at most half full
  size_t mask_ = 0;
};

// How packets come out of tunnels on this node, and where bridged frames go into them.
struct TunnelView {
  bool enabled = false;
  net::Encapsulation encapsulation = net::Encapsulation::Vxlan;
  uint16_t udp_port = 0;
  uint32_t vni = 0;
  Fid fid = kNoFid;       // of the network that the VNI stands for
  uint64_t vtep_mac = 0;  // inner destination of what is for us
  uint64_t uplink_mac = 0;
  VtepTable own_vteps;  // where our tunnels end
  VtepTable vteps;      // where the other nodes' do
  VniTable stretched;
  std::vector<NextHopId> peers;  // all VTEPs that take part in the stretched networks
};

struct Snapshot {
  MacAddress gateway_mac;    // the switch's own
  bool has_gateway = false;  // some gateway address is configured
  bool has_trunks = false;
  bool answers_underlay = false;  // for its own addresses there, which are among `addresses`
  std::vector<PortView> ports;    // kMaxPorts of them, by PortId
  std::vector<FidView> fids;      // by Fid
  AddressTable addresses;
  const NextHopTable* next_hops = nullptr;  // what routes name; outlives the snapshot
  uint32_t routes_version = 1;              // another one: flows look for their next hops anew; never 0
  std::optional<IpAddress> icmp_source_v4;  // of errors about packets that are routed
  std::optional<IpAddress> icmp_source_v6;
  uint16_t router_lifetime_seconds = 0;  // in router advertisements
  TunnelView tunnel;
  // What FidView points into.
  std::vector<std::shared_ptr<const Lpm>> tables;
  std::shared_ptr<const ServiceTable> services;
  // What PortView points into.
  std::vector<std::unique_ptr<Guard>> guards;
  std::vector<std::unique_ptr<std::array<Fid, kVlanCount>>> trunk_tables;
};

// The tag control information that a trunk member sees: the VLAN, and the priority that the frame had
// (parse keeps it in vlan_tci; 0 when it came untagged).
inline uint16_t trunk_tag(const rte_mbuf& packet, const FidView& fid) noexcept {
  constexpr uint16_t kPriorityMask = 0xf000;  // PCP and DEI
  return static_cast<uint16_t>(fid.vlan | (packet.vlan_tci & kPriorityMask));
}

// Gives networks and (network, VLAN) pairs their numbers and keeps them for the daemon's life, because
// FDB entries name them. Configuration thread only.
class FidMap {
 public:
  // Throws std::length_error when all 65,534 are taken.
  Fid get(const std::string& network, uint16_t vlan);
  // The number of VLAN 0 of the same network.
  Fid network_of(Fid fid) const { return fids_.at({names_.at(fid).first, 0}); }
  // The network and VLAN behind a number that get() gave out.
  const std::pair<std::string, uint16_t>& name(Fid fid) const { return names_.at(fid); }
  size_t size() const { return names_.size(); }

 private:
  std::map<std::pair<std::string, uint16_t>, Fid> fids_;
  std::vector<std::pair<std::string, uint16_t>> names_{
      {"", 0}};  // 0 is never given out: an FDB key of 0 is free
};

struct Gateway {
  MacAddress mac;
  std::vector<IpAddress> ips;
  enum class Advertisements : uint8_t {
    Off,
    Mtu,            // routers' advertisements that tell the MTU and claim no more
    DefaultRouter,  // and that the gateway is a default router
  };
  Advertisements advertisements = Advertisements::Off;

  bool has_v6() const;
  uint16_t router_lifetime_seconds() const;
};

// Where routed packets go, as the configuration thread describes it to the compiler.
struct Routing {
  const NextHopTable* next_hops = nullptr;
  std::map<std::string, std::shared_ptr<const Lpm>> tables;  // by network
  uint32_t version = 1;                                      // of the tables; not 0
  struct Services {
    std::string network;
    std::shared_ptr<const ServiceTable> table;  // nullptr: nobody looks for flows
  };
  Services services;
  struct Tunnel {
    net::Encapsulation encapsulation = net::Encapsulation::Vxlan;
    uint16_t udp_port = 0;
    uint32_t vni = 0;
    MacAddress vtep_mac, uplink_mac;
    std::string network;  // that the VNI stands for
    std::vector<IpAddress> own_vteps, vteps;
    // Without a host port nobody else answers for own_vteps on the link.
    struct Link {
      std::string network;
      uint16_t vlan = 0;  // 0: its frames come untagged
    };
    std::optional<Link> answered_on;
    std::map<std::string, uint32_t> stretched;  // networks, and the VNI of each
    struct Peer {
      NextHopId hop = kNoNextHop;  // bridged
      std::vector<IpAddress> vteps;
    };
    std::vector<Peer> peers;
  };
  std::optional<Tunnel> tunnel;
};

// Configuration thread. Ports' ids are unique and below kMaxPorts.
std::unique_ptr<Snapshot> compile_snapshot(const std::vector<BridgePort>& ports, const Gateway& gateway,
                                           const Routing& routing, FidMap& fids);

}  // namespace podswitch
