// SPDX-License-Identifier: Apache-2.0
// Kubernetes' v1 Node, with what Flannel writes on it, as a ClusterNode and back. Pure functions, any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "ctl/objects/cluster_node.h"

namespace podswitch {

// Throws Error with all that is wrong, each under `path` + "." + where (just where when `path` is empty),
// such as "spec.podCIDRs[0]". A node that has no pod CIDR or address as yet is none that is wrong.
ClusterNode node_from_object(const nlohmann::json& object, const std::string& path);
// The parts that node_from_object() reads.
nlohmann::json relevant_node_part(nlohmann::json object);
// An object that gives the same node again.
nlohmann::json node_to_object(const ClusterNode& node);
// Where in `object`, which is good by itself, the value stands that clashes.
std::string place_of(const nlohmann::json& object, const NodeConflict& conflict);

}  // namespace podswitch
