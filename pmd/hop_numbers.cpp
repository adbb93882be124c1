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

std::shared_ptr<const PlannedHop> HopNumbers::shared(const PlannedHop& planned) {
  if (planned.id >= planned_.size()) planned_.resize(planned.id + 1);
  auto& known = planned_[planned.id];
  if (known == nullptr || *known != planned) known = std::make_shared<const PlannedHop>(planned);
  return known;
}

}  // namespace podswitch
