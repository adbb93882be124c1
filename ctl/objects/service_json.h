// SPDX-License-Identifier: Apache-2.0
// The form of Services and EndpointSlices in the journal: short, because a cluster has a million endpoints.
// What is read has been checked before it was written; it throws Error or nlohmann::json::exception where
// that cannot be. Pure functions, any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "lb/service_spec.h"

namespace podswitch {

nlohmann::json to_json(const ServiceSpec& service);
ServiceSpec service_from_json(const nlohmann::json& json);
nlohmann::json to_json(const EndpointSlice& slice);
EndpointSlice slice_from_json(const nlohmann::json& json);

}  // namespace podswitch
