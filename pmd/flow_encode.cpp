// SPDX-License-Identifier: Apache-2.0
#include "pmd/flow_encode.h"

#include <fmt/format.h>

#include <cstring>
#include <numeric>

#include "switch/net/headers.h"

namespace podswitch {
namespace {

constexpr uint16_t kVlanId = 0x0fff;
constexpr uint16_t kMoreOrOffset = 0x3fff;  // of IPv4's fragment field

rte_be16_t big(uint16_t value) {
  return rte_cpu_to_be_16(value);
}

std::string_view name_of(rte_flow_item_type type) {
  switch (type) {
    case RTE_FLOW_ITEM_TYPE_ETH:
      return "eth";
    case RTE_FLOW_ITEM_TYPE_VLAN:
      return "vlan";
    case RTE_FLOW_ITEM_TYPE_IPV4:
      return "ipv4";
    case RTE_FLOW_ITEM_TYPE_IPV6:
      return "ipv6";
    case RTE_FLOW_ITEM_TYPE_UDP:
      return "udp";
    case RTE_FLOW_ITEM_TYPE_VXLAN:
      return "vxlan";
    case RTE_FLOW_ITEM_TYPE_GENEVE:
      return "geneve";
    default:
      return "end";
  }
}

std::string_view name_of(rte_flow_action_type type) {
  switch (type) {
    case RTE_FLOW_ACTION_TYPE_COUNT:
      return "count";
    case RTE_FLOW_ACTION_TYPE_DROP:
      return "drop";
    case RTE_FLOW_ACTION_TYPE_QUEUE:
      return "queue";
    case RTE_FLOW_ACTION_TYPE_RSS:
      return "rss";
    default:
      return "end";
  }
}

}  // namespace

RteFlowRule::RteFlowRule(const FlowRule& rule) {
  attributes_.priority = rule.priority;
  attributes_.ingress = 1;
  add_ethernet(rule.match);
  if (rule.match.vlan) add_vlan(rule.match);
  if (rule.match.is_v4)
    add_ipv4(rule.match);
  else
    add_ipv6(rule.match);
  add_udp(rule.match);
  if (rule.match.tunnel) add_tunnel(*rule.match.tunnel);
  add_item(RTE_FLOW_ITEM_TYPE_END, nullptr, nullptr);
  add_actions(rule.action);
  add_action(RTE_FLOW_ACTION_TYPE_END, nullptr);
}

// An item without any field to match has neither specification nor mask.
void RteFlowRule::add_item(rte_flow_item_type type, const void* spec, const void* mask) {
  items_.push_back({type, spec, nullptr, mask});
}

void RteFlowRule::add_action(rte_flow_action_type type, const void* conf) {
  actions_.push_back({type, conf});
}

void RteFlowRule::add_ethernet(const FlowMatch& match) {
  if (!match.mac) return add_item(RTE_FLOW_ITEM_TYPE_ETH, nullptr, nullptr);
  std::memcpy(&ethernet_.spec.hdr.dst_addr, match.mac->bytes.data(), match.mac->bytes.size());
  std::memset(&ethernet_.mask.hdr.dst_addr, 0xff, sizeof ethernet_.mask.hdr.dst_addr);
  add_item(RTE_FLOW_ITEM_TYPE_ETH, &ethernet_.spec, &ethernet_.mask);
}

void RteFlowRule::add_vlan(const FlowMatch& match) {
  vlan_.spec.hdr.vlan_tci = big(*match.vlan);
  vlan_.mask.hdr.vlan_tci = big(kVlanId);
  add_item(RTE_FLOW_ITEM_TYPE_VLAN, &vlan_.spec, &vlan_.mask);
}

void RteFlowRule::add_ipv4(const FlowMatch& match) {
  if (!match.source && !match.destination && !match.is_plain)
    return add_item(RTE_FLOW_ITEM_TYPE_IPV4, nullptr, nullptr);
  if (match.source) {
    ipv4_.spec.hdr.src_addr = match.source->v4().raw();
    ipv4_.mask.hdr.src_addr = UINT32_MAX;
  }
  if (match.destination) {
    ipv4_.spec.hdr.dst_addr = match.destination->v4().raw();
    ipv4_.mask.hdr.dst_addr = UINT32_MAX;
  }
  if (match.is_plain) ipv4_.mask.hdr.fragment_offset = big(kMoreOrOffset);
  add_item(RTE_FLOW_ITEM_TYPE_IPV4, &ipv4_.spec, &ipv4_.mask);
}

void RteFlowRule::add_ipv6(const FlowMatch& match) {
  if (!match.source && !match.destination && !match.is_plain)
    return add_item(RTE_FLOW_ITEM_TYPE_IPV6, nullptr, nullptr);
  if (match.source) {
    std::memcpy(ipv6_.spec.hdr.src_addr, match.source->v6.bytes.data(), sizeof ipv6_.spec.hdr.src_addr);
    std::memset(ipv6_.mask.hdr.src_addr, 0xff, sizeof ipv6_.mask.hdr.src_addr);
  }
  if (match.destination) {
    std::memcpy(ipv6_.spec.hdr.dst_addr, match.destination->v6.bytes.data(), sizeof ipv6_.spec.hdr.dst_addr);
    std::memset(ipv6_.mask.hdr.dst_addr, 0xff, sizeof ipv6_.mask.hdr.dst_addr);
  }
  if (match.is_plain) {
    ipv6_.spec.hdr.proto = net::kProtoUdp;
    ipv6_.mask.hdr.proto = 0xff;
  }
  if (match.is_plain_twice) ipv6_.mask.has_frag_ext = 1;
  add_item(RTE_FLOW_ITEM_TYPE_IPV6, &ipv6_.spec, &ipv6_.mask);
}

void RteFlowRule::add_udp(const FlowMatch& match) {
  udp_.spec.hdr.dst_port = big(match.udp_port);
  udp_.mask.hdr.dst_port = UINT16_MAX;
  add_item(RTE_FLOW_ITEM_TYPE_UDP, &udp_.spec, &udp_.mask);
}

void RteFlowRule::add_tunnel(net::Encapsulation encapsulation) {
  add_item(encapsulation == net::Encapsulation::Vxlan ? RTE_FLOW_ITEM_TYPE_VXLAN : RTE_FLOW_ITEM_TYPE_GENEVE,
           nullptr, nullptr);
}

void RteFlowRule::add_actions(const FlowAction& action) {
  using Kind = FlowAction::Kind;
  if (action.is_counted) add_action(RTE_FLOW_ACTION_TYPE_COUNT, &count_);
  if (action.kind == Kind::Drop) return add_action(RTE_FLOW_ACTION_TYPE_DROP, nullptr);
  if (action.kind == Kind::FirstQueue) return add_action(RTE_FLOW_ACTION_TYPE_QUEUE, &queue_);
  queues_.resize(action.queues.count);
  std::iota(queues_.begin(), queues_.end(), uint16_t{0});
  rss_.func = RTE_ETH_HASH_FUNCTION_DEFAULT;
  rss_.level = action.kind == Kind::InnerRss ? 2 : 0;
  rss_.types = action.queues.rss_types;
  rss_.queue_num = action.queues.count;
  rss_.queue = queues_.data();
  add_action(RTE_FLOW_ACTION_TYPE_RSS, &rss_);
}

// Drivers name an item by its own address, or by that of its specification or mask.
std::string RteFlowRule::item_name(const void* cause) const {
  for (const rte_flow_item& item : items_)
    if (cause != nullptr && (cause == &item || cause == item.spec || cause == item.mask))
      return fmt::format("item {}", name_of(item.type));
  return "pattern";
}

std::string RteFlowRule::action_name(const void* cause) const {
  for (const rte_flow_action& action : actions_)
    if (cause != nullptr && (cause == &action || cause == action.conf))
      return fmt::format("action {}", name_of(action.type));
  return "actions";
}

std::string RteFlowRule::subject_of(const rte_flow_error& error) const {
  switch (error.type) {
    case RTE_FLOW_ERROR_TYPE_ATTR_GROUP:
    case RTE_FLOW_ERROR_TYPE_ATTR_INGRESS:
    case RTE_FLOW_ERROR_TYPE_ATTR:
      return "attributes";
    case RTE_FLOW_ERROR_TYPE_ATTR_PRIORITY:
      return fmt::format("priority {}", attributes_.priority);
    case RTE_FLOW_ERROR_TYPE_ITEM_NUM:
    case RTE_FLOW_ERROR_TYPE_ITEM_SPEC:
    case RTE_FLOW_ERROR_TYPE_ITEM_LAST:
    case RTE_FLOW_ERROR_TYPE_ITEM_MASK:
    case RTE_FLOW_ERROR_TYPE_ITEM:
      return item_name(error.cause);
    case RTE_FLOW_ERROR_TYPE_ACTION_NUM:
    case RTE_FLOW_ERROR_TYPE_ACTION_CONF:
    case RTE_FLOW_ERROR_TYPE_ACTION:
      return action_name(error.cause);
    default:
      return {};
  }
}

}  // namespace podswitch
