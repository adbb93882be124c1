// SPDX-License-Identifier: Apache-2.0
#include "pmd/flow_rules.h"

#include <fmt/format.h>

#include <algorithm>

namespace podswitch {
namespace {

constexpr uint32_t kKnownTunnel = 0, kKnown = 1, kDrop = 2, kAnyTunnel = 3;

std::string_view family_name(bool is_v4) {
  return is_v4 ? "IPv4" : "IPv6";
}

FlowMatch tunnel_port_of(const TunnelFlows& flows, bool is_v4) {
  FlowMatch match;
  match.vlan = flows.vlan;
  match.is_v4 = is_v4;
  match.udp_port = flows.udp_port;
  return match;
}

FlowAction spread(FlowAction::Kind kind, const FlowQueues& queues) {
  return {.kind = kind, .is_counted = false, .queues = queues};
}

// What would become of a packet without a rule.
FlowAction usual(const FlowQueues& queues) {
  if (queues.count > 1 && queues.rss_types != 0) return spread(FlowAction::Kind::OuterRss, queues);
  return {.kind = FlowAction::Kind::FirstQueue, .is_counted = false, .queues = {}};
}

}  // namespace

bool TunnelFlows::same_ends(const TunnelFlows& other) const {
  return encapsulation == other.encapsulation && udp_port == other.udp_port && mac == other.mac &&
         vlan == other.vlan && own == other.own;
}

std::optional<TunnelFlows> tunnel_flows_of(const Routing& routing, const PortSpec& port) {
  if (port.role != PortRole::Uplink || !routing.tunnel) return std::nullopt;
  const Routing::Tunnel& tunnel = *routing.tunnel;
  TunnelFlows flows;
  flows.encapsulation = tunnel.encapsulation;
  flows.udp_port = tunnel.udp_port;
  flows.mac = tunnel.uplink_mac;
  if (port.vlan.mode == VlanMode::Trunk && port.vlan.trunk.size() == 1) flows.vlan = port.vlan.trunk.front();
  flows.own = tunnel.own_vteps;
  const auto know = [&](const IpAddress& vtep) {
    if (std::any_of(flows.own.begin(), flows.own.end(),
                    [&](const IpAddress& own) { return own.is_v4() == vtep.is_v4(); }))
      flows.known.push_back(vtep);
  };
  for (const IpAddress& vtep : tunnel.vteps) know(vtep);
  for (const auto& peer : tunnel.peers)
    for (const IpAddress& vtep : peer.vteps) know(vtep);
  std::sort(flows.known.begin(), flows.known.end());
  flows.known.erase(std::unique(flows.known.begin(), flows.known.end()), flows.known.end());
  return flows;
}

std::vector<FlowRule> inner_rss_rules(const TunnelFlows& flows, const FlowQueues& queues) {
  std::vector<FlowRule> rules;
  for (const bool is_v4 : {true, false}) {
    if (std::none_of(flows.own.begin(), flows.own.end(),
                     [&](const IpAddress& ip) { return ip.is_v4() == is_v4; }))
      continue;
    FlowMatch match = tunnel_port_of(flows, is_v4);
    match.tunnel = flows.encapsulation;
    rules.push_back({kAnyTunnel, match, spread(FlowAction::Kind::InnerRss, queues),
                     fmt::format("spread tunnels over {}", family_name(is_v4))});
  }
  return rules;
}

std::vector<FlowRule> allow_rules(const TunnelFlows& flows, const IpAddress& vtep, const FlowQueues& queues,
                                  bool has_inner_rss) {
  std::vector<FlowRule> rules;
  FlowMatch match = tunnel_port_of(flows, vtep.is_v4());
  match.source = vtep;
  rules.push_back({kKnown, match, usual(queues), fmt::format("keep packets of {}", vtep.to_string())});
  if (has_inner_rss) {
    match.tunnel = flows.encapsulation;
    rules.push_back({kKnownTunnel, match, spread(FlowAction::Kind::InnerRss, queues),
                     fmt::format("keep and spread tunnels of {}", vtep.to_string())});
  }
  return rules;
}

std::vector<FlowRule> drop_rules(const TunnelFlows& flows, const DropForm& form) {
  std::vector<FlowRule> rules;
  for (const IpAddress& own : flows.own) {
    FlowMatch match = tunnel_port_of(flows, own.is_v4());
    match.mac = flows.mac;  // the pipeline takes no tunnel out of a broadcast
    match.destination = own;
    match.is_plain = true;
    match.is_plain_twice = form.is_plain_twice && !own.is_v4();
    const FlowAction drop{.kind = FlowAction::Kind::Drop, .is_counted = form.is_counted, .queues = {}};
    rules.push_back({kDrop, match, drop, fmt::format("drop tunnels to {}", own.to_string())});
  }
  return rules;
}

}  // namespace podswitch
