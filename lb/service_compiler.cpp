// SPDX-License-Identifier: Apache-2.0
#include "lb/service_compiler.h"

#include <algorithm>

namespace podswitch {
namespace {

template <typename T>
void sort_unique(std::vector<T>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

// Each slice brings its own target port, which may differ between slices (a named target port).
template <typename Visit>
void for_each_endpoint(const ServiceEntry& entry, const ServicePortKey& key, Visit&& visit) {
  for (const auto& slice : entry.slices) {
    if (slice->is_v4 != key.is_v4) continue;
    for (const SlicePort& port : slice->ports) {
      if (port.name != key.name || port.protocol != key.protocol || port.port == 0) continue;
      for (const Endpoint& endpoint : slice->endpoints)
        if (endpoint.ip.is_v4() == key.is_v4) visit(Backend{endpoint.ip, port.port}, endpoint);
    }
  }
}

// Ready ones; when there is none, those that still serve while they terminate.
std::vector<Backend> backends_of(const ServiceEntry& entry, const ServicePortKey& key) {
  std::vector<Backend> ready, terminating;
  for_each_endpoint(entry, key, [&](const Backend& backend, const Endpoint& endpoint) {
    if (endpoint.ready)
      ready.push_back(backend);
    else if (endpoint.serving && endpoint.terminating)
      terminating.push_back(backend);
  });
  std::vector<Backend>& chosen = ready.empty() ? terminating : ready;
  sort_unique(chosen);
  return std::move(chosen);
}

}  // namespace

std::vector<PortEndpoint> endpoints_of(const ServiceEntry& entry, const ServicePortKey& key) {
  std::vector<PortEndpoint> all;
  for_each_endpoint(entry, key, [&](const Backend& backend, const Endpoint& endpoint) {
    all.push_back({backend, &endpoint});
  });
  return all;
}

std::vector<CompiledPort> compile_service(const ServiceEntry& entry) {
  std::vector<CompiledPort> compiled;
  if (!entry.spec || entry.spec->type == ServiceType::ExternalName) return compiled;
  const std::vector<IpAddress>& ips = entry.spec->cluster_ips;
  for (const ServicePort& port : entry.spec->ports)
    for (const bool is_v4 : {true, false}) {
      CompiledPort made{{port.name, port.protocol, port.port, is_v4}, {}, {}};
      for (const IpAddress& ip : ips)
        if (ip.is_v4() == is_v4) made.frontends.push_back({ip, port.port, port.protocol});
      if (made.frontends.empty()) continue;
      sort_unique(made.frontends);
      made.backends = backends_of(entry, made.key);
      compiled.push_back(std::move(made));
    }
  std::sort(compiled.begin(), compiled.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  const auto same = [](const CompiledPort& a, const CompiledPort& b) { return a.key == b.key; };
  compiled.erase(std::unique(compiled.begin(), compiled.end(), same), compiled.end());
  return compiled;
}

}  // namespace podswitch
