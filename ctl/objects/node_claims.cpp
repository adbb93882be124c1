// SPDX-License-Identifier: Apache-2.0
#include "ctl/objects/node_claims.h"

#include <algorithm>

namespace podswitch {
namespace {

template <typename T>
void insert(std::vector<T>& sorted, const T& value) {
  sorted.insert(std::upper_bound(sorted.begin(), sorted.end(), value), value);
}

template <typename T>
void erase(std::vector<T>& sorted, const T& value) {
  const auto found = std::lower_bound(sorted.begin(), sorted.end(), value);
  if (found != sorted.end() && *found == value) sorted.erase(found);
}

// Those that do not overlap each other: only a neighbour can overlap one more.
bool overlaps_any(const std::vector<Prefix>& sorted, const Prefix& prefix) {
  const auto next = std::lower_bound(sorted.begin(), sorted.end(), prefix);
  return (next != sorted.end() && next->overlaps(prefix)) ||
         (next != sorted.begin() && std::prev(next)->overlaps(prefix));
}

}  // namespace

bool NodeClaims::clash_with(const NodeSpec& node) const {
  return std::any_of(node.pod_cidrs.begin(), node.pod_cidrs.end(),
                     [&](const Prefix& cidr) { return overlaps_any(cidrs_, cidr); }) ||
         std::any_of(node.vteps.begin(), node.vteps.end(), [&](const IpAddress& vtep) {
           return std::binary_search(vteps_.begin(), vteps_.end(), vtep);
         });
}

void NodeClaims::add(const NodeSpec& node) {
  for (const Prefix& cidr : node.pod_cidrs) insert(cidrs_, cidr);
  for (const IpAddress& vtep : node.vteps) insert(vteps_, vtep);
}

void NodeClaims::remove(const NodeSpec& node) {
  for (const Prefix& cidr : node.pod_cidrs) erase(cidrs_, cidr);
  for (const IpAddress& vtep : node.vteps) erase(vteps_, vtep);
}

}  // namespace podswitch
