// SPDX-License-Identifier: Apache-2.0
// The pod CIDRs and VTEPs of all nodes in two sorted vectors: whether one more node clashes with any of
// thousands is known without a look at each. A plain value.
#pragma once

#include <vector>

#include "switch/net/prefix.h"
#include "switch/node.h"

namespace podswitch {

class NodeClaims {
 public:
  // A pod CIDR that overlaps, or a VTEP that is there already.
  bool clash_with(const NodeSpec& node) const;
  void add(const NodeSpec& node);
  void remove(const NodeSpec& node);

 private:
  std::vector<Prefix> cidrs_;  // sorted
  std::vector<IpAddress> vteps_;
};

}  // namespace podswitch
