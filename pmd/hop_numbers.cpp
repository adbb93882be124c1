// SPDX-License-Identifier: Apache-2.0
#include "pmd/hop_numbers.h"

#include <fmt/format.h>

#include <utility>

#include "pmd/error.h"

namespace podswitch {

NextHopId HopNumbers::take(const std::string& name) {
  const auto [entry, is_new] = ids_.try_emplace(name);
  Use& use = entry->second;
  ++use.count;
  if (!is_new) return use.id;
  if (!free_.empty()) {
    use.id = free_.back();
    free_.pop_back();
  } else if (next_ < kMaxNextHops) {
    use.id = next_++;
  } else {
    ids_.erase(entry);
    throw Error("", fmt::format("more than {} next hops: pods' networks, nodes and gateways", kMaxNextHops));
  }
  return use.id;
}

void HopNumbers::give_back(const std::string& name) {
  const auto entry = ids_.find(name);
  if (--entry->second.count != 0) return;
  soon_free_.push_back(entry->second.id);
  planned_.erase(entry->second.id);
  ids_.erase(entry);
}

void HopNumbers::recycle() {
  for (const NextHopId id : std::exchange(soon_free_, {})) free_.push_back(id);
}

std::map<NextHopId, std::string> HopNumbers::names() const {
  std::map<NextHopId, std::string> names;
  for (const auto& [name, use] : ids_) names[use.id] = name;
  return names;
}

void HopNumbers::set(const PlannedHop& planned) {
  const auto known = planned_.find(planned.id);
  if (known != planned_.end() && *known->second == planned) return;
  if (known != planned_.end()) before_.push_back(known->second);
  planned_.insert_or_assign(planned.id, std::make_shared<const PlannedHop>(planned));
}

void HopNumbers::undo_changes() {
  for (auto hop = before_.rbegin(); hop != before_.rend(); ++hop)
    if (planned_.contains((*hop)->id)) planned_.insert_or_assign((*hop)->id, *hop);
  before_.clear();
}

}  // namespace podswitch
