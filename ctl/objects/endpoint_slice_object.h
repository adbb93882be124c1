// SPDX-License-Identifier: Apache-2.0
// Kubernetes' discovery.k8s.io/v1 EndpointSlice as an EndpointSlice and back. Pure functions, any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "lb/service_spec.h"

namespace podswitch {

// As many as Kubernetes lets through.
inline constexpr size_t kMaxSliceEndpoints = 1000;
inline constexpr size_t kMaxSlicePorts = 20000;

// Throws Error as service_from_object() does. A slice of names instead of addresses, and one that says no
// service, comes back with an empty `service`: it is of no use here, and not wrong.
EndpointSlice slice_from_object(const nlohmann::json& object, const std::string& path);
// The parts that slice_from_object() reads.
nlohmann::json relevant_slice_part(nlohmann::json object);
// An object that gives the same slice again.
nlohmann::json slice_to_object(const EndpointSlice& slice);
// "10.0.0.1 is not ready", one per difference, the first few of them.
std::vector<std::string> differences(const EndpointSlice& present, const EndpointSlice& asked);

}  // namespace podswitch
