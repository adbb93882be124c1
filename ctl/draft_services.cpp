// SPDX-License-Identifier: Apache-2.0
// The draft's Services and EndpointSlices.
#include <fmt/format.h>

#include <algorithm>

#include "ctl/desired.h"
#include "ctl/objects/object_name.h"

namespace podswitch {

Draft::Outcome Draft::set_service(std::shared_ptr<const ServiceSpec> service) {
  const ServiceSpec* present = find_service(next_.state.services, service->name);
  if (present != nullptr && *present == *service) return Outcome::Unchanged;
  next_.service_index.replace(present, service.get(), contests_);
  put_service(next_.state.services, service);
  edits_.emplace_back(ServiceSet{std::move(service)});
  return Outcome::Changed;
}

void Draft::remove_service(const ObjectName& name) {
  const ServiceSpec* present = find_service(next_.state.services, name);
  if (present == nullptr) throw Error(to_string(name), "no such service");
  next_.service_index.replace(present, nullptr, contests_);
  take_service(next_.state.services, name);
  edits_.emplace_back(ServiceRemoved{name});
}

Draft::Outcome Draft::set_slice(std::shared_ptr<const EndpointSlice> slice) {
  const std::string* owner = next_.service_index.service_of(slice->name);
  const std::string service = owner == nullptr ? "" : *owner;
  const EndpointSlice* present =
      owner == nullptr ? nullptr : find_slice(next_.state.services, slice->name, service);
  if (present != nullptr && *present == *slice) return Outcome::Unchanged;
  next_.service_index.replace(present, slice.get());
  SliceSet edit{std::move(slice), service};
  apply_edit(next_.state.services, edit);
  edits_.emplace_back(std::move(edit));
  return Outcome::Changed;
}

void Draft::remove_slice(const ObjectName& name) {
  const std::string* owner = next_.service_index.service_of(name);
  if (owner == nullptr) throw Error(to_string(name), "no such endpoint slice");
  edits_.emplace_back(SliceRemoved{name, *owner});
  const std::string service = *owner;
  next_.service_index.replace(find_slice(next_.state.services, name, service), nullptr);
  take_slice(next_.state.services, name, service);
}

std::vector<AddressConflict> Draft::address_conflicts() const {
  const Services& services = next_.state.services;
  std::vector<AddressConflict> conflicts;
  // What was claimed may have been given up since.
  for (const auto& [ip, before] : contests_) {
    const ServiceSpec* other = find_service(services, before);
    const ObjectName* owner = next_.service_index.owner_of(ip);
    if (other == nullptr || owner == nullptr || *owner == before) continue;
    if (std::find(other->cluster_ips.begin(), other->cluster_ips.end(), ip) == other->cluster_ips.end())
      continue;
    const auto& own = find_service(services, *owner)->cluster_ips;
    conflicts.push_back({*owner, static_cast<size_t>(std::find(own.begin(), own.end(), ip) - own.begin()),
                         fmt::format("{} is the cluster IP of service {}: each service has its own",
                                     ip.to_string(), to_string(before))});
  }
  return conflicts;
}

}  // namespace podswitch
