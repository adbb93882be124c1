// SPDX-License-Identifier: Apache-2.0
// The rules that one device has taken, with their handles. Answers are in the driver's words. Made while the
// device runs; the caller serialises.
#pragma once

#include <rte_flow.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "pmd/flow_rules.h"

namespace podswitch {

class RuleTable {
 public:
  explicit RuleTable(uint16_t device) : device_(device) {}

  // Empty: it would be taken. Else why not.
  std::string why_not(const FlowRule& rule) const;
  // The same, and then it is there.
  std::string add(const FlowRule& rule);
  // Empty: it is gone, or never was there.
  std::string remove(const FlowRule& rule);
  // Removes all at once. Not empty: nobody knows what is left.
  std::string flush();

  bool contains(const FlowRule& rule) const { return rules_.contains(rule); }
  size_t size() const { return rules_.size(); }
  // Packets that met a rule that counts; nullopt when the driver does not say.
  std::optional<uint64_t> packets(const FlowRule& rule) const;

 private:
  const uint16_t device_;
  std::map<FlowRule, rte_flow*> rules_;
};

}  // namespace podswitch
