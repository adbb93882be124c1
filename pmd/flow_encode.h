// SPDX-License-Identifier: Apache-2.0
// A FlowRule the way rte_flow wants it: attributes, pattern and actions that point into this object, which
// therefore stays where it was made. Any thread.
#pragma once

#include <rte_flow.h>

#include <array>
#include <string>
#include <vector>

#include "pmd/flow_rules.h"

namespace podswitch {

class RteFlowRule {
 public:
  explicit RteFlowRule(const FlowRule& rule);
  RteFlowRule(const RteFlowRule&) = delete;
  RteFlowRule& operator=(const RteFlowRule&) = delete;

  const rte_flow_attr* attributes() const { return &attributes_; }
  const rte_flow_item* pattern() const { return items_.data(); }
  const rte_flow_action* actions() const { return actions_.data(); }
  // What an error is about, in words: "item ipv4", "action rss", "priority"; empty when it does not say.
  std::string subject_of(const rte_flow_error& error) const;

 private:
  void add_ethernet(const FlowMatch& match);
  void add_vlan(const FlowMatch& match);
  void add_ipv4(const FlowMatch& match);
  void add_ipv6(const FlowMatch& match);
  void add_udp(const FlowMatch& match);
  void add_tunnel(net::Encapsulation encapsulation);
  void add_actions(const FlowAction& action);
  void add_item(rte_flow_item_type type, const void* spec, const void* mask);
  void add_action(rte_flow_action_type type, const void* conf);
  std::string item_name(const void* cause) const;
  std::string action_name(const void* cause) const;

  template <typename Item>
  struct Pair {
    Item spec{}, mask{};
  };
  rte_flow_attr attributes_{};
  Pair<rte_flow_item_eth> ethernet_;
  Pair<rte_flow_item_vlan> vlan_;
  Pair<rte_flow_item_ipv4> ipv4_;
  Pair<rte_flow_item_ipv6> ipv6_;
  Pair<rte_flow_item_udp> udp_;
  rte_flow_action_count count_{};
  rte_flow_action_queue queue_{};
  rte_flow_action_rss rss_{};
  std::vector<uint16_t> queues_;
  std::vector<rte_flow_item> items_;
  std::vector<rte_flow_action> actions_;
};

}  // namespace podswitch
