// SPDX-License-Identifier: Apache-2.0
// What the tests of the flow engine share: a node's tunnels, as its routing describes them, and the rig of
// the pipeline that belongs to them. Port 1 is a pod, port 2 the uplink, port 3 the host's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pmd/flow_rules.h"
#include "pmd/routing.h"
#include "pmd/underlay.h"
#include "tests/unit/rig.h"

namespace podswitch::test {

inline IpAddress flow_ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

// This node is 192.0.2.1 and 2001:db8::1; its only pod 10.244.1.1.
class FlowNode {
 public:
  static constexpr PortId kPod = 1, kUplink = 2, kHost = 3;
  static constexpr std::string_view kNic = "02:00:00:00:11:01", kGateway = "02:00:00:00:00:fe",
                                    kPodMac = "02:00:00:00:00:01";

  FlowNode(net::Encapsulation encapsulation, const std::vector<std::string>& vteps, bool is_tagged = false)
      : planner_("own", overlay_of(encapsulation), Gateway{mac(kGateway), {}}) {
    pod_.name = "pod";
    pod_.mac = mac(kPodMac);
    pod_.ips = {flow_ip("10.244.1.1")};
    uplink_.name = "uplink";
    uplink_.role = PortRole::Uplink;
    uplink_.network = host_.network = "underlay";
    uplink_.mac = host_.mac = mac(kNic);
    uplink_.underlay = {*PrefixedAddress::parse("192.0.2.1/24"), *PrefixedAddress::parse("2001:db8::1/64")};
    if (is_tagged) uplink_.vlan = {VlanMode::Trunk, 0, {5}};
    if (is_tagged) host_.vlan = {VlanMode::Access, 5, {}};
    host_.name = "host";
    host_.role = PortRole::Host;
    Nodes nodes;
    for (size_t i = 0; i < vteps.size(); ++i) {
      const std::string name = "n" + std::to_string(i);
      nodes[name] = std::make_shared<const NodeSpec>(
          NodeSpec{.name = name,
                   .vteps = {flow_ip(vteps[i])},
                   .vtep_mac = {},
                   .pod_cidrs = {*Prefix::parse("10.244." + std::to_string(i + 2) + ".0/24")}});
    }
    auto plan = planner_.plan({{kPod, &pod_}, {kUplink, &uplink_}, {kHost, &host_}}, nodes, {}, {}, fids_);
    underlay_.set(plan.uplink, plan.hops, 1);
    plan.routing.next_hops = &table_;
    flows_ = tunnel_flows_of(plan.routing, uplink_).value();
    const std::vector<BridgePort> ports{
        {.id = kPod, .mac = pod_.mac, .ips = pod_.ips},
        {.id = kUplink,
         .network = "underlay",
         .vlan = uplink_.vlan,
         .allow_spoofing = true,
         .is_uplink = true},
        {.id = kHost, .network = "underlay", .vlan = host_.vlan, .mac = host_.mac}};
    rig_ = std::make_unique<Rig>(ports, Gateway{mac(kGateway), {flow_ip("10.244.1.254")}}, plan.routing);
  }

  const TunnelFlows& flows() const { return flows_; }
  // The verdict of the pipeline on what arrives at the uplink.
  std::string fate(const Bytes& frame) { return rig_->send(kUplink, make_mbuf(frame)).verdict(); }
  bool drops(const Bytes& frame) {
    return rig_->send(kUplink, make_mbuf(frame)).meta.verdict == Verdict::Drop;
  }

 private:
  static OverlayOptions overlay_of(net::Encapsulation encapsulation) {
    OverlayOptions overlay;
    overlay.encapsulation = encapsulation;
    return overlay;
  }

  PortSpec pod_, uplink_, host_;
  FidMap fids_;
  RoutePlanner planner_;
  NextHopTable table_;
  NeighbourTable link_hosts_{{.capacity = 64}};
  Underlay underlay_{table_, link_hosts_, packet_pool(),
                     [](PortId, rte_mbuf* packet) { rte_pktmbuf_free(packet); }};
  TunnelFlows flows_;
  std::unique_ptr<Rig> rig_;
};

// A tunnel packet for this node's pod, from `source` (of either family).
inline Packet tunnel_packet(const std::string& source, net::Encapsulation encapsulation,
                            uint16_t inner_port = 1000, uint16_t outer_port = 50000) {
  const bool is_v4 = flow_ip(source).is_v4();
  const bool is_vxlan = encapsulation == net::Encapsulation::Vxlan;
  Packet packet;
  packet.eth("02:00:00:00:22:02", FlowNode::kNic);
  if (is_v4)
    packet.ipv4(source, "192.0.2.1");
  else
    packet.ipv6(source, "2001:db8::1");
  packet.udp(outer_port, is_vxlan ? net::kVxlanPort : net::kGenevePort).no_checksum();
  if (is_vxlan)
    packet.vxlan(1);
  else
    packet.geneve(1);
  const std::string vtep_mac = derived_vtep_mac(flow_ip("192.0.2.1")).to_string();
  return packet.payload(Packet()
                            .eth("02:70:00:00:00:02", vtep_mac)
                            .ipv4("10.244.2.1", "10.244.1.1")
                            .udp(inner_port, 53)
                            .payload(40)
                            .bytes());
}

}  // namespace podswitch::test
