// SPDX-License-Identifier: Apache-2.0
#include "tests/support/flow_model.h"

#include <rte_errno.h>

#include <algorithm>
#include <cstdio>

namespace podswitch::test {
namespace {

FlowModel* g_current = nullptr;

std::string hex(const std::vector<uint8_t>& bytes) {
  std::string text;
  for (const uint8_t byte : bytes) {
    std::array<char, 3> two{};
    std::snprintf(two.data(), two.size(), "%02x", byte);
    text += two.data();
  }
  return text;
}

bool matches(const ModelRule::Match& match, const FrameHeaders& headers, const ParserHabits& habits) {
  if (match.mac && *match.mac != headers.mac) return false;
  if (match.vlan && match.vlan != headers.vlan) return false;
  if (!match.vlan && headers.vlan && !habits.sees_through_tags) return false;
  if (match.is_v4 && match.is_v4 != headers.is_v4) return false;
  if (match.source && *match.source != headers.source) return false;
  if (match.destination && *match.destination != headers.destination) return false;
  if (match.no_fragment && headers.is_fragment) return false;
  if (match.no_fragment_extension && headers.has_fragment_extension) return false;
  if (match.next_header && *match.next_header != headers.next_header) return false;
  if (match.needs_udp && !headers.has_udp) return false;
  if (match.udp_port && match.udp_port != headers.destination_port) return false;
  return !match.tunnel || match.tunnel == headers.tunnel;
}

}  // namespace

FlowModel::FlowModel(uint16_t queues) : queues_(queues) {
  g_current = this;
}

FlowModel::~FlowModel() {
  g_current = nullptr;
}

FlowModel* FlowModel::current() {
  return g_current;
}

void FlowModel::changed() {
  if (after_change) after_change();
}

FlowModel::Fate FlowModel::receive(const std::vector<uint8_t>& frame) {
  const FrameHeaders headers = read_headers(frame, 0, habits);
  ModelRule* best = nullptr;
  for (const auto& rule : rules_)
    if ((best == nullptr || rule->priority < best->priority) && matches(rule->match, headers, habits))
      best = rule.get();
  const auto queue_of = [](const FrameHeaders& by, const std::vector<uint16_t>& queues) {
    return queues.empty() ? uint16_t{0} : queues[rss_hash(by) % queues.size()];
  };
  if (best == nullptr) {
    const auto queue = static_cast<uint16_t>(headers.is_v4 ? rss_hash(headers) % queues_ : 0);
    return {false, queue};
  }
  if (best->action.is_counted) ++best->hits;
  if (best->action.is_drop) return {true, 0};
  if (best->action.level == 2 && headers.tunnel)
    return {false, queue_of(read_headers(frame, headers.inner_offset, habits), best->action.queues)};
  return {false, queue_of(headers, best->action.queues)};
}

int FlowModel::validate(const rte_flow_attr* attr, const rte_flow_item* pattern,
                        const rte_flow_action* actions, rte_flow_error* error) {
  return read(attr, pattern, actions, error) ? 0 : -rte_errno;
}

rte_flow* FlowModel::create(const rte_flow_attr* attr, const rte_flow_item* pattern,
                            const rte_flow_action* actions, rte_flow_error* error) {
  std::optional<ModelRule> rule = read(attr, pattern, actions, error);
  if (!rule) return nullptr;
  if (fails_create_at == creates_++ || rules_.size() >= capacity) {
    rte_flow_error_set(error, ENOSPC, RTE_FLOW_ERROR_TYPE_HANDLE, nullptr, "the table is full");
    return nullptr;
  }
  rules_.push_back(std::make_unique<ModelRule>(std::move(*rule)));
  auto* handle = reinterpret_cast<rte_flow*>(rules_.back().get());
  changed();
  return handle;
}

int FlowModel::destroy(rte_flow* flow, rte_flow_error* error) {
  const auto found = std::find_if(rules_.begin(), rules_.end(), [&](const auto& rule) {
    return reinterpret_cast<rte_flow*>(rule.get()) == flow;
  });
  if (found == rules_.end())
    return rte_flow_error_set(error, ENOENT, RTE_FLOW_ERROR_TYPE_HANDLE, flow, "no such rule");
  if (fails_destroy_at == destroys_++)
    return rte_flow_error_set(error, EBUSY, RTE_FLOW_ERROR_TYPE_HANDLE, flow, "the NIC does not answer");
  rules_.erase(found);
  changed();
  return 0;
}

int FlowModel::flush(rte_flow_error* error) {
  if (fails_flush)
    return rte_flow_error_set(error, EIO, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, nullptr, "the NIC is stuck");
  while (!rules_.empty()) {  // the first goes first: as bad as may be for who relies on another order
    rules_.erase(rules_.begin());
    changed();
  }
  return 0;
}

int FlowModel::query(rte_flow* flow, const rte_flow_action* action, void* data, rte_flow_error* error) {
  const auto* rule = reinterpret_cast<const ModelRule*>(flow);
  if (action->type != RTE_FLOW_ACTION_TYPE_COUNT || !rule->action.is_counted)
    return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, action, "nothing to query");
  auto* count = static_cast<rte_flow_query_count*>(data);
  count->hits_set = counts_silently ? 0 : 1;
  count->hits = rule->hits;
  return 0;
}

int FlowModel::set_tunnel_port(uint16_t port, bool is_vxlan, bool is_there) {
  const std::pair entry{port, is_vxlan ? TunnelKind::Vxlan : TunnelKind::Geneve};
  if (is_there ? !habits.tunnel_ports.insert(entry).second : habits.tunnel_ports.erase(entry) == 0)
    return -EINVAL;
  return 0;
}

std::string ModelRule::to_string() const {
  std::string text = std::to_string(priority) + ":";
  if (match.mac) text += " mac " + hex({match.mac->begin(), match.mac->end()});
  if (match.vlan) text += " vlan " + std::to_string(*match.vlan);
  if (match.is_v4) text += *match.is_v4 ? " ipv4" : " ipv6";
  if (match.source) text += " from " + hex(*match.source);
  if (match.destination) text += " to " + hex(*match.destination);
  if (match.no_fragment || match.no_fragment_extension) text += " whole";
  if (match.next_header) text += " next " + std::to_string(*match.next_header);
  if (match.udp_port) text += " port " + std::to_string(*match.udp_port);
  if (match.tunnel) text += *match.tunnel == TunnelKind::Vxlan ? " vxlan" : " geneve";
  text += action.is_counted ? " => count," : " =>";
  if (action.is_drop) return text + " drop";
  return text + " level " + std::to_string(action.level) + " over " + std::to_string(action.queues.size());
}

std::string FlowModel::dump() const {
  std::set<std::string> lines;
  for (const auto& rule : rules_) lines.insert(rule->to_string());
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

}  // namespace podswitch::test
