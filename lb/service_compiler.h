// SPDX-License-Identifier: Apache-2.0
// From a Service and its EndpointSlices to what packets need: for each port and address family the frontends
// and the backends (KEP-1669 for terminating endpoints). Pure; any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "lb/service_spec.h"
#include "lb/service_table.h"

namespace podswitch {

// What tells a Service's ports apart. Unnamed ports have their number.
struct ServicePortKey {
  std::string name;
  Protocol protocol = Protocol::Tcp;
  uint16_t port = 0;
  bool is_v4 = true;
  friend auto operator<=>(const ServicePortKey&, const ServicePortKey&) = default;
};

struct CompiledPort {
  ServicePortKey key;
  std::vector<Frontend> frontends;  // sorted, each once
  std::vector<Backend> backends;    // that new flows may choose; sorted, each once
};

// Sorted by key, each once. A Service without addresses of its own has none.
std::vector<CompiledPort> compile_service(const ServiceEntry& entry);

// An endpoint as it serves one port.
struct PortEndpoint {
  Backend backend;
  const Endpoint* endpoint = nullptr;
};
// All that serve the port, chosen or not, in the order of slices; the same may come several times.
std::vector<PortEndpoint> endpoints_of(const ServiceEntry& entry, const ServicePortKey& key);

}  // namespace podswitch
