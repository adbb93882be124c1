// SPDX-License-Identifier: Apache-2.0
// Services for tests of what packets make of them, as the configuration thread compiles them.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "lb/service_table.h"

namespace podswitch::test {

using ServiceChanges = std::vector<ServiceTable::Change>;

inline std::shared_ptr<const Service> make_service(ServiceId id, std::vector<Backend> backends) {
  auto service = std::make_shared<Service>();
  service->id = id;
  std::sort(backends.begin(), backends.end());
  service->backends = backends;
  std::vector<IpAddress> ips;
  for (const Backend& backend : backends) ips.push_back(backend.ip);
  if (!ips.empty()) service->choice = std::make_shared<const Maglev>(ips);
  return service;
}

// A network's Services, all of them.
inline std::shared_ptr<const ServiceTable> make_table(const ServiceChanges& services) {
  auto filter = std::make_shared<EndpointFilter>(1000);
  for (const auto& change : services)
    for (const Backend& backend : change.service->backends) {
      filter->add(backend.ip, change.frontend.protocol, backend.port);
      filter->add(backend.ip);
    }
  return ServiceTable().with(services, filter);
}

}  // namespace podswitch::test
