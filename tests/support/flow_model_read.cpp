// SPDX-License-Identifier: Apache-2.0
// How the model reads a rule, and what it refuses about it.
#include <rte_errno.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <cstring>

#include "tests/support/flow_model.h"

namespace podswitch::test {
namespace {

constexpr size_t kLongest = 16;  // pattern and actions
constexpr uint32_t kPriorities = 8;
constexpr uint64_t kRssTypes = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_SCTP;

struct Refusal {
  int code;
  rte_flow_error_type type;
  const void* cause;
  const char* message;
};

template <typename Field>
bool is_zero(const Field& field) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&field);
  return std::all_of(bytes, bytes + sizeof field, [](uint8_t byte) { return byte == 0; });
}

template <typename Field>
bool is_full(const Field& field) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&field);
  return std::all_of(bytes, bytes + sizeof field, [](uint8_t byte) { return byte == 0xff; });
}

template <typename Field>
std::vector<uint8_t> bytes_of(const Field& field) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&field);
  return {bytes, bytes + sizeof field};
}

// Reads a pattern; throws Refusal.
class PatternReader {
 public:
  PatternReader(const FlowFeatures& refused, ModelRule::Match& match) : refused_(refused), match_(match) {}

  void read(const rte_flow_item* pattern) {
    if (pattern == nullptr) throw Refusal{EINVAL, RTE_FLOW_ERROR_TYPE_ITEM_NUM, nullptr, "no pattern"};
    const rte_flow_item* item = pattern;
    for (; item->type != RTE_FLOW_ITEM_TYPE_END; ++item) {
      if (item - pattern >= static_cast<ptrdiff_t>(kLongest))
        throw Refusal{EINVAL, RTE_FLOW_ERROR_TYPE_ITEM_NUM, pattern, "no END"};
      check_shape(*item);
      take(*item);
      last_ = item->type;
    }
    if (last_ == RTE_FLOW_ITEM_TYPE_END) fail(*item, "an empty pattern matches all");
  }

 private:
  [[noreturn]] static void fail(const rte_flow_item& item, const char* message) {
    throw Refusal{ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM, &item, message};
  }
  [[noreturn]] static void fail_mask(const rte_flow_item& item, const char* message) {
    throw Refusal{ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_MASK, item.mask, message};
  }
  void need(FlowFeature feature, const rte_flow_item& item, const char* message) const {
    if (refused_.test(static_cast<size_t>(feature))) fail(item, message);
  }

  static void check_shape(const rte_flow_item& item) {
    if (item.spec == nullptr && (item.last != nullptr || item.mask != nullptr))
      throw Refusal{EINVAL, RTE_FLOW_ERROR_TYPE_ITEM_SPEC, &item, "last or mask without spec"};
    if (item.last != nullptr)
      throw Refusal{ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_LAST, item.last, "ranges are not supported"};
    if (item.spec != nullptr && item.mask == nullptr)
      throw Refusal{ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_MASK, &item, "default masks are not supported"};
  }

  // Specification and mask as values; a bit that is specified but not compared is a mistake.
  template <typename Item>
  static std::pair<Item, Item> values(const rte_flow_item& item) {
    Item spec{}, mask{};
    if (item.spec == nullptr) return {spec, mask};
    std::memcpy(&spec, item.spec, sizeof spec);
    std::memcpy(&mask, item.mask, sizeof mask);
    const auto s = bytes_of(spec), m = bytes_of(mask);
    for (size_t i = 0; i < s.size(); ++i)
      if ((s[i] & ~m[i]) != 0)
        throw Refusal{EINVAL, RTE_FLOW_ERROR_TYPE_ITEM_SPEC, item.spec, "specified, but not in the mask"};
    return {spec, mask};
  }

  void must_follow(const rte_flow_item& item, std::initializer_list<rte_flow_item_type> before) const {
    if (std::find(before.begin(), before.end(), last_) == before.end()) fail(item, "out of order");
  }

  void take(const rte_flow_item& item) {
    switch (item.type) {
      case RTE_FLOW_ITEM_TYPE_ETH:
        return take_ethernet(item);
      case RTE_FLOW_ITEM_TYPE_VLAN:
        return take_vlan(item);
      case RTE_FLOW_ITEM_TYPE_IPV4:
        return take_ipv4(item);
      case RTE_FLOW_ITEM_TYPE_IPV6:
        return take_ipv6(item);
      case RTE_FLOW_ITEM_TYPE_UDP:
        return take_udp(item);
      case RTE_FLOW_ITEM_TYPE_VXLAN:
      case RTE_FLOW_ITEM_TYPE_GENEVE:
        return take_tunnel(item);
      default:
        fail(item, "unknown item");
    }
  }

  void take_ethernet(const rte_flow_item& item) {
    must_follow(item, {RTE_FLOW_ITEM_TYPE_END});
    auto [spec, mask] = values<rte_flow_item_eth>(item);
    if (is_full(mask.hdr.dst_addr)) {
      need(FlowFeature::Mac, item, "destination MAC");
      std::memcpy(match_.mac.emplace().data(), &spec.hdr.dst_addr, 6);
      mask.hdr.dst_addr = {};
    }
    if (!is_zero(mask)) fail_mask(item, "only whole destination MACs");
  }

  void take_vlan(const rte_flow_item& item) {
    must_follow(item, {RTE_FLOW_ITEM_TYPE_ETH});
    need(FlowFeature::Vlan, item, "VLAN");
    auto [spec, mask] = values<rte_flow_item_vlan>(item);
    if (mask.hdr.vlan_tci != rte_cpu_to_be_16(0x0fff)) fail_mask(item, "only whole VLAN ids");
    match_.vlan = rte_be_to_cpu_16(spec.hdr.vlan_tci);
    mask.hdr.vlan_tci = 0;
    if (!is_zero(mask)) fail_mask(item, "only VLAN ids");
  }

  template <typename Address>
  void take_address(const rte_flow_item& item, FlowFeature feature, const Address& spec, const Address& mask,
                    std::optional<std::vector<uint8_t>>& to) {
    if (is_zero(mask)) return;
    need(feature, item, feature == FlowFeature::Source ? "source address" : "destination address");
    if (!is_full(mask)) fail_mask(item, "only whole addresses");
    to = bytes_of(spec);
  }

  void take_ipv4(const rte_flow_item& item) {
    must_follow(item, {RTE_FLOW_ITEM_TYPE_ETH, RTE_FLOW_ITEM_TYPE_VLAN});
    need(FlowFeature::Ipv4, item, "IPv4");
    match_.is_v4 = true;
    auto [spec, mask] = values<rte_flow_item_ipv4>(item);
    take_address(item, FlowFeature::Source, spec.hdr.src_addr, mask.hdr.src_addr, match_.source);
    take_address(item, FlowFeature::Destination, spec.hdr.dst_addr, mask.hdr.dst_addr, match_.destination);
    mask.hdr.src_addr = mask.hdr.dst_addr = 0;
    if (mask.hdr.fragment_offset == rte_cpu_to_be_16(0x3fff) && spec.hdr.fragment_offset == 0) {
      need(FlowFeature::Fragment, item, "fragment offset");
      match_.no_fragment = true;
      mask.hdr.fragment_offset = 0;
    }
    if (!is_zero(mask)) fail_mask(item, "unknown IPv4 field");
  }

  void take_ipv6(const rte_flow_item& item) {
    must_follow(item, {RTE_FLOW_ITEM_TYPE_ETH, RTE_FLOW_ITEM_TYPE_VLAN});
    need(FlowFeature::Ipv6, item, "IPv6");
    match_.is_v4 = false;
    auto [spec, mask] = values<rte_flow_item_ipv6>(item);
    take_address(item, FlowFeature::Source, spec.hdr.src_addr, mask.hdr.src_addr, match_.source);
    take_address(item, FlowFeature::Destination, spec.hdr.dst_addr, mask.hdr.dst_addr, match_.destination);
    std::memset(mask.hdr.src_addr, 0, sizeof mask.hdr.src_addr);
    std::memset(mask.hdr.dst_addr, 0, sizeof mask.hdr.dst_addr);
    if (mask.hdr.proto == 0xff) {
      need(FlowFeature::NextHeader, item, "next header");
      match_.next_header = spec.hdr.proto;
      mask.hdr.proto = 0;
    }
    if (mask.has_frag_ext == 1 && spec.has_frag_ext == 0) {
      need(FlowFeature::FragmentExtension, item, "fragment extension header");
      match_.no_fragment_extension = true;
      mask.has_frag_ext = 0;
    }
    if (!is_zero(mask)) fail_mask(item, "unknown IPv6 field");
  }

  void take_udp(const rte_flow_item& item) {
    must_follow(item, {RTE_FLOW_ITEM_TYPE_IPV4, RTE_FLOW_ITEM_TYPE_IPV6});
    need(FlowFeature::Udp, item, "UDP");
    if (match_.next_header && *match_.next_header != 17) fail(item, "contradicts the next header");
    auto [spec, mask] = values<rte_flow_item_udp>(item);
    match_.needs_udp = true;
    if (is_full(mask.hdr.dst_port)) match_.udp_port = rte_be_to_cpu_16(spec.hdr.dst_port);
    mask.hdr.dst_port = 0;
    if (!is_zero(mask)) fail_mask(item, "only whole destination ports");
  }

  void take_tunnel(const rte_flow_item& item) {
    must_follow(item, {RTE_FLOW_ITEM_TYPE_UDP});
    need(FlowFeature::Tunnel, item, "tunnel header");
    if (item.spec != nullptr) fail(item, "fields of the tunnel header");
    match_.tunnel = item.type == RTE_FLOW_ITEM_TYPE_VXLAN ? TunnelKind::Vxlan : TunnelKind::Geneve;
  }

  const FlowFeatures& refused_;
  ModelRule::Match& match_;
  rte_flow_item_type last_ = RTE_FLOW_ITEM_TYPE_END;
};

// Reads actions; throws Refusal.
class ActionReader {
 public:
  ActionReader(const FlowFeatures& refused, uint16_t queues, ModelRule& rule)
      : refused_(refused), queues_(queues), rule_(rule) {}

  void read(const rte_flow_action* actions) {
    if (actions == nullptr) throw Refusal{EINVAL, RTE_FLOW_ERROR_TYPE_ACTION_NUM, nullptr, "no actions"};
    const rte_flow_action* action = actions;
    for (; action->type != RTE_FLOW_ACTION_TYPE_END; ++action) {
      if (action - actions >= static_cast<ptrdiff_t>(kLongest))
        throw Refusal{EINVAL, RTE_FLOW_ERROR_TYPE_ACTION_NUM, actions, "no END"};
      take(*action);
    }
    if (fates_ != 1) fail(*action, "just one action must decide about the packet");
  }

 private:
  [[noreturn]] static void fail(const rte_flow_action& action, const char* message) {
    throw Refusal{ENOTSUP, RTE_FLOW_ERROR_TYPE_ACTION, &action, message};
  }
  [[noreturn]] static void fail_conf(const rte_flow_action& action, const char* message) {
    throw Refusal{EINVAL, RTE_FLOW_ERROR_TYPE_ACTION_CONF, action.conf, message};
  }
  void need(FlowFeature feature, const rte_flow_action& action, const char* message) const {
    if (refused_.test(static_cast<size_t>(feature))) fail(action, message);
  }

  void take(const rte_flow_action& action) {
    switch (action.type) {
      case RTE_FLOW_ACTION_TYPE_COUNT:
        need(FlowFeature::Count, action, "no counters");
        if (action.conf == nullptr || rule_.action.is_counted) fail_conf(action, "one counter");
        rule_.action.is_counted = true;
        return;
      case RTE_FLOW_ACTION_TYPE_DROP:
        need(FlowFeature::Drop, action, "drop");
        if (action.conf != nullptr) fail_conf(action, "drop has no configuration");
        rule_.action.is_drop = true;
        ++fates_;
        return;
      case RTE_FLOW_ACTION_TYPE_QUEUE:
        return take_queue(action);
      case RTE_FLOW_ACTION_TYPE_RSS:
        return take_rss(action);
      default:
        fail(action, "unknown action");
    }
  }

  void take_queue(const rte_flow_action& action) {
    need(FlowFeature::Queue, action, "queue");
    const auto* conf = static_cast<const rte_flow_action_queue*>(action.conf);
    if (conf == nullptr || conf->index >= queues_) fail_conf(action, "no such queue");
    rule_.action.queues = {conf->index};
    ++fates_;
  }

  void take_rss(const rte_flow_action& action) {
    need(FlowFeature::Rss, action, "RSS");
    const auto* conf = static_cast<const rte_flow_action_rss*>(action.conf);
    if (conf == nullptr || conf->queue_num == 0 || conf->queue_num > queues_ || conf->queue == nullptr)
      fail_conf(action, "queues");
    const std::set<uint16_t> distinct(conf->queue, conf->queue + conf->queue_num);
    if (distinct.size() != conf->queue_num || *distinct.rbegin() >= queues_) fail_conf(action, "queues");
    if ((conf->key == nullptr) != (conf->key_len == 0) || (conf->key_len != 0 && conf->key_len != 40))
      fail_conf(action, "key");
    if (conf->types == 0 || (conf->types & ~kRssTypes) != 0) fail_conf(action, "types");
    if (conf->func != RTE_ETH_HASH_FUNCTION_DEFAULT && conf->func != RTE_ETH_HASH_FUNCTION_TOEPLITZ)
      fail_conf(action, "function");
    if (conf->level > 2) fail_conf(action, "level");
    if (conf->level == 2) {
      need(FlowFeature::InnerRss, action, "RSS by inner headers");
      if (!rule_.match.tunnel) fail_conf(action, "level 2 of what is no tunnel");
    }
    rule_.action.level = conf->level;
    rule_.action.queues.assign(conf->queue, conf->queue + conf->queue_num);
    ++fates_;
  }

  const FlowFeatures& refused_;
  const uint16_t queues_;
  ModelRule& rule_;
  unsigned fates_ = 0;
};

void check_attributes(const rte_flow_attr* attr, const FlowFeatures& refused) {
  if (attr == nullptr) throw Refusal{EINVAL, RTE_FLOW_ERROR_TYPE_ATTR, nullptr, "no attributes"};
  if (attr->group != 0) throw Refusal{ENOTSUP, RTE_FLOW_ERROR_TYPE_ATTR_GROUP, attr, "groups"};
  if (attr->ingress != 1 || attr->egress != 0 || attr->transfer != 0 || attr->reserved != 0)
    throw Refusal{ENOTSUP, RTE_FLOW_ERROR_TYPE_ATTR_INGRESS, attr, "ingress only"};
  const bool has_one = refused.test(static_cast<size_t>(FlowFeature::Priority));
  if (attr->priority >= (has_one ? 1 : kPriorities))
    throw Refusal{ENOTSUP, RTE_FLOW_ERROR_TYPE_ATTR_PRIORITY, attr, "no such priority"};
}

template <typename Field>
bool differ(const std::optional<Field>& a, const std::optional<Field>& b) {
  return a && b && *a != *b;
}

bool may_overlap(const ModelRule::Match& a, const ModelRule::Match& b) {
  return !differ(a.mac, b.mac) && !differ(a.vlan, b.vlan) && !differ(a.is_v4, b.is_v4) &&
         !differ(a.source, b.source) && !differ(a.destination, b.destination) &&
         !differ(a.udp_port, b.udp_port) && !differ(a.tunnel, b.tunnel);
}

}  // namespace

// Two rules of one priority that may meet in a packet and disagree: rte_flow leaves open what happens then.
bool FlowModel::contradicts(const ModelRule& rule) const {
  return std::any_of(rules_.begin(), rules_.end(), [&](const auto& other) {
    return other->priority == rule.priority && may_overlap(other->match, rule.match) &&
           (other->match == rule.match || other->action != rule.action);
  });
}

std::optional<ModelRule> FlowModel::read(const rte_flow_attr* attr, const rte_flow_item* pattern,
                                         const rte_flow_action* actions, rte_flow_error* error) const {
  try {
    ModelRule rule;
    check_attributes(attr, refused);
    rule.priority = attr->priority;
    PatternReader(refused, rule.match).read(pattern);
    ActionReader(refused, queues_, rule).read(actions);
    if (contradicts(rule))
      throw Refusal{EEXIST, RTE_FLOW_ERROR_TYPE_ATTR_PRIORITY, attr, "contradicts another rule"};
    return rule;
  } catch (const Refusal& refusal) {
    rte_flow_error_set(error, refusal.code, refusal.type, refusal.cause, refusal.message);
    return std::nullopt;
  }
}

}  // namespace podswitch::test
