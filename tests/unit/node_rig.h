// SPDX-License-Identifier: Apache-2.0
// Two nodes whose pods talk through a tunnel: what one switch puts in, the other takes out. Port 1 is a pod,
// port 2 the uplink, port 3 the host's.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "pmd/routing.h"
#include "pmd/underlay.h"
#include "switch/net/headers.h"
#include "tests/unit/rig.h"

namespace podswitch::test {

inline constexpr std::string_view kGatewayMac = "02:00:00:00:00:fe", kPodMac = "02:00:00:00:00:01";
inline constexpr std::string_view kNicOne = "02:00:00:00:11:01", kNicTwo = "02:00:00:00:11:02";
inline constexpr PortId kPod = 1, kUplink = 2, kHost = 3;

inline IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

// A node of number 1 or 2: pods in 10.244.N.0/24 and fd00:244:N::/64, 192.0.2.N in the underlay.
class Node {
 public:
  explicit Node(int number, const OverlayOptions& overlay = {}, int vtep_family = 4, uint16_t vlan = 0,
                bool has_host = true, std::shared_ptr<const ServiceTable> services = nullptr)
      : planner_("n" + std::to_string(number), overlay, gateway_of(number)) {
    const auto subnet = [](int n) { return std::to_string(n); };
    const std::string own_number = subnet(number);
    pod_.name = "pod";
    pod_.mac = mac(kPodMac);
    pod_.ips = {ip("10.244." + own_number + ".1"), ip("fd00:244:" + own_number + "::1")};
    uplink_.name = "uplink";
    uplink_.role = PortRole::Uplink;
    uplink_.network = "underlay";
    uplink_.mac = mac(number == 1 ? kNicOne : kNicTwo);
    host_.name = "host";
    host_.role = PortRole::Host;
    host_.network = "underlay";
    host_.mac = uplink_.mac;
    const std::string mine =
        vtep_family == 4 ? "192.0.2." + own_number + "/24" : "2001:db8::" + own_number + "/64";
    uplink_.underlay = {*PrefixedAddress::parse(mine)};
    if (vlan != 0) uplink_.vlan = {VlanMode::Trunk, 0, {vlan}};
    if (vlan != 0) host_.vlan = {VlanMode::Access, vlan, {}};
    const int peer = 3 - number;
    const IpAddress peers = ip(vtep_family == 4 ? "192.0.2." + subnet(peer) : "2001:db8::" + subnet(peer));
    Nodes nodes;
    nodes["peer"] = std::make_shared<const NodeSpec>(
        NodeSpec{.name = "peer",
                 .vteps = {peers},
                 .vtep_mac = {},
                 .pod_cidrs = {*Prefix::parse("10.244." + subnet(peer) + ".0/24"),
                               *Prefix::parse("fd00:244:" + subnet(peer) + "::/64")}});
    fids_.get("default", 0);  // numbers as the rig's
    fids_.get("underlay", vlan);
    std::vector<RoutedPort> routed{{kPod, &pod_}, {kUplink, &uplink_}};
    if (has_host) routed.push_back({kHost, &host_});
    auto plan = planner_.plan(routed, nodes, {}, {}, fids_);
    underlay_.set(plan.uplink, plan.hops, 1);
    underlay_.heard(peers, mac(number == 1 ? kNicTwo : kNicOne), 1);
    plan.routing.next_hops = &table_;
    if (services) plan.routing.services = {"default", std::move(services)};
    link_fid_ = plan.uplink.fid;
    std::vector<BridgePort> ports{{.id = kPod, .mac = pod_.mac, .ips = pod_.ips},
                                  {.id = kUplink,
                                   .network = "underlay",
                                   .vlan = uplink_.vlan,
                                   .allow_spoofing = true,
                                   .is_uplink = true}};
    if (has_host) ports.push_back({.id = kHost, .network = "underlay", .vlan = host_.vlan, .mac = host_.mac});
    rig_ = std::make_unique<Rig>(ports, gateway_of(number), plan.routing);
  }

  Rig& rig() { return *rig_; }
  void resolve(const IpAddress& host, const MacAddress& to) {
    ASSERT_TRUE(rig_->snapshot().tunnel.enabled);
    rig_->link_hosts().set(link_fid_, host, to, 1);
  }
  Outcome send(PortId in, PacketPtr packet) { return rig_->send(in, std::move(packet)); }
  Outcome send(PortId in, const Packet& packet) { return rig_->send(in, packet); }

 private:
  static Gateway gateway_of(int number) {
    return {mac(kGatewayMac), {ip("10.244." + std::to_string(number) + ".254")}};
  }

  PortSpec pod_, uplink_, host_;
  FidMap fids_;
  Fid link_fid_ = kNoFid;
  RoutePlanner planner_;
  NextHopTable table_;
  NeighbourTable link_hosts_{{.capacity = 100}};
  Underlay underlay_{table_, link_hosts_, packet_pool(),
                     [](PortId, rte_mbuf* packet) { rte_pktmbuf_free(packet); }};
  std::unique_ptr<Rig> rig_;
};
inline Bytes with_mtu(uint16_t mtu, const Bytes& quoted) {
  Bytes bytes{0, 0, static_cast<uint8_t>(mtu >> 8), static_cast<uint8_t>(mtu)};
  bytes.insert(bytes.end(), quoted.begin() + 14, quoted.end());
  return bytes;
}

// A router between the nodes has a smaller link.
inline PacketPtr too_big(std::string_view source, std::string_view destination, uint16_t mtu,
                         uint16_t port = 4789, std::string_view nic = kNicOne,
                         std::string_view node = "192.0.2.1") {
  const Bytes quoted = Packet()
                           .eth(kNicOne, kNicTwo)
                           .ipv4(source, destination, {.fragment = 0x4000})
                           .udp(50000, port)
                           .payload(8)
                           .bytes();
  return Packet()
      .eth("02:00:00:00:00:99", nic)
      .ipv4("192.0.2.254", node)
      .icmp(3, 4)
      .payload(with_mtu(mtu, quoted))
      .mbuf();
}

}  // namespace podswitch::test
