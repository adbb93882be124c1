// SPDX-License-Identifier: Apache-2.0
#include "pmd/rule_table.h"

#include <fmt/format.h>
#include <rte_errno.h>

#include "pmd/flow_encode.h"

namespace podswitch {
namespace {

std::string message_of(const rte_flow_error& error, int code) {
  if (error.message != nullptr && *error.message != '\0') return error.message;
  return rte_strerror(code < 0 ? -code : code);
}

// "drop tunnels to 192.0.2.1: item ipv4: unsupported field"
std::string refusal(const FlowRule& rule, const RteFlowRule& encoded, const rte_flow_error& error, int code) {
  const std::string subject = encoded.subject_of(error);
  return fmt::format("{}: {}{}{}", rule.name, subject, subject.empty() ? "" : ": ", message_of(error, code));
}

}  // namespace

std::string RuleTable::why_not(const FlowRule& rule) const {
  const RteFlowRule encoded(rule);
  rte_flow_error error{};
  const int result =
      rte_flow_validate(device_, encoded.attributes(), encoded.pattern(), encoded.actions(), &error);
  return result == 0 ? std::string() : refusal(rule, encoded, error, result);
}

std::string RuleTable::add(const FlowRule& rule) {
  if (contains(rule)) return {};
  if (std::string reason = why_not(rule); !reason.empty()) return reason;
  const RteFlowRule encoded(rule);
  rte_flow_error error{};
  rte_flow* handle =
      rte_flow_create(device_, encoded.attributes(), encoded.pattern(), encoded.actions(), &error);
  if (handle == nullptr) return refusal(rule, encoded, error, rte_errno);
  rules_.emplace(rule, handle);
  return {};
}

std::string RuleTable::remove(const FlowRule& rule) {
  const auto found = rules_.find(rule);
  if (found == rules_.end()) return {};
  rte_flow_error error{};
  if (const int result = rte_flow_destroy(device_, found->second, &error); result != 0)
    return fmt::format("{}: {}", rule.name, message_of(error, result));
  rules_.erase(found);
  return {};
}

std::string RuleTable::flush() {
  rules_.clear();  // the handles are invalid either way
  rte_flow_error error{};
  const int result = rte_flow_flush(device_, &error);
  return result == 0 ? std::string() : message_of(error, result);
}

std::optional<uint64_t> RuleTable::packets(const FlowRule& rule) const {
  const auto found = rules_.find(rule);
  if (found == rules_.end() || !rule.action.is_counted) return std::nullopt;
  const RteFlowRule encoded(rule);
  rte_flow_query_count count{};
  rte_flow_error error{};
  if (rte_flow_query(device_, found->second, encoded.actions(), &count, &error) != 0 || count.hits_set == 0)
    return std::nullopt;
  return count.hits;
}

}  // namespace podswitch
