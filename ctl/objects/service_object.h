// SPDX-License-Identifier: Apache-2.0
// Kubernetes' v1 Service as a ServiceSpec and back. Policies, affinity, external addresses and the load
// balancer's are not read: nothing serves them as yet. Pure functions, any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "lb/service_spec.h"

namespace podswitch {

// Throws Error with all that is wrong, each under `path` + "." + where (just where when `path` is empty).
ServiceSpec service_from_object(const nlohmann::json& object, const std::string& path);
// The parts that service_from_object() reads.
nlohmann::json relevant_service_part(nlohmann::json object);
// An object that gives the same service again.
nlohmann::json service_to_object(const ServiceSpec& service);
// "type is ClusterIP, asked for NodePort", one per value that differs.
std::vector<std::string> differences(const ServiceSpec& present, const ServiceSpec& asked);

}  // namespace podswitch
