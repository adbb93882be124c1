// SPDX-License-Identifier: Apache-2.0
#include "ctl/service_objects.h"

#include <algorithm>

namespace podswitch {
namespace {

using Slices = std::vector<std::shared_ptr<const EndpointSlice>>;

template <typename List>
auto place_in(List& slices, const std::string& name) {
  return std::lower_bound(slices.begin(), slices.end(), name,
                          [](const auto& slice, const std::string& n) { return slice->name.name < n; });
}

bool same(const ServiceEntry& a, const ServiceEntry& b) {
  const auto equal = [](const auto& x, const auto& y) { return x == y || (x && y && *x == *y); };
  return equal(a.spec, b.spec) &&
         std::equal(a.slices.begin(), a.slices.end(), b.slices.begin(), b.slices.end(), equal);
}

}  // namespace

void put_service(Services& services, std::shared_ptr<const ServiceSpec> spec) {
  services[spec->name].spec = spec;
}

void take_service(Services& services, const ObjectName& name) {
  const auto found = services.find(name);
  if (found == services.end() || !found->second.spec) return;
  if (found->second.slices.empty())
    services.erase(name);
  else
    services[name].spec = nullptr;
}

void put_slice(Services& services, std::shared_ptr<const EndpointSlice> slice) {
  Slices& slices = services[{slice->name.space, slice->service}].slices;
  const auto place = place_in(slices, slice->name.name);
  if (place != slices.end() && (*place)->name.name == slice->name.name)
    *place = std::move(slice);
  else
    slices.insert(place, std::move(slice));
}

void take_slice(Services& services, const ObjectName& slice, const std::string& service) {
  const ObjectName name{slice.space, service};
  if (find_slice(services, slice, service) == nullptr) return;
  ServiceEntry& entry = services[name];
  entry.slices.erase(place_in(entry.slices, slice.name));
  if (entry.slices.empty() && !entry.spec) services.erase(name);
}

const ServiceSpec* find_service(const Services& services, const ObjectName& name) {
  const auto found = services.find(name);
  return found == services.end() ? nullptr : found->second.spec.get();
}

const EndpointSlice* find_slice(const Services& services, const ObjectName& slice,
                                const std::string& service) {
  const auto found = services.find({slice.space, service});
  if (found == services.end()) return nullptr;
  const Slices& slices = found->second.slices;
  const auto place = place_in(slices, slice.name);
  return place != slices.end() && (*place)->name.name == slice.name ? place->get() : nullptr;
}

bool same_services(const Services& a, const Services& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && same(x.second, y.second);
  });
}

const std::string* ServiceIndex::service_of(const ObjectName& slice) const {
  const auto found = slices_.find(slice);
  return found == slices_.end() ? nullptr : &found->second;
}

const ObjectName* ServiceIndex::owner_of(const IpAddress& ip) const {
  const auto found = addresses_.find(ip);
  return found == addresses_.end() ? nullptr : &found->second;
}

void ServiceIndex::replace(const ServiceSpec* old, const ServiceSpec* now, std::vector<Contest>& contests) {
  if (old != nullptr) {
    --services_;
    service_ports_ -= old->ports.size() * old->cluster_ips.size();
    for (const IpAddress& ip : old->cluster_ips) {
      const bool stays = now != nullptr && std::find(now->cluster_ips.begin(), now->cluster_ips.end(), ip) !=
                                               now->cluster_ips.end();
      const ObjectName* owner = stays ? nullptr : owner_of(ip);
      if (owner != nullptr && *owner == old->name) addresses_.erase(ip);
    }
  }
  if (now == nullptr) return;
  ++services_;
  service_ports_ += now->ports.size() * now->cluster_ips.size();
  for (const IpAddress& ip : now->cluster_ips) {
    const ObjectName* owner = owner_of(ip);
    if (owner != nullptr && *owner == now->name) continue;
    if (owner != nullptr) contests.emplace_back(ip, *owner);
    addresses_[ip] = now->name;
  }
}

void ServiceIndex::replace(const EndpointSlice* old, const EndpointSlice* now) {
  if (old != nullptr) endpoints_ -= old->endpoints.size();
  if (now == nullptr) {
    if (old != nullptr) slices_.erase(old->name);
    return;
  }
  endpoints_ += now->endpoints.size();
  // Not written when it is the same: that would part it from its copies.
  if (old == nullptr || old->service != now->service) slices_[now->name] = now->service;
}

ServiceIndex index_of(const Services& services) {
  ServiceIndex index;
  std::vector<ServiceIndex::Contest> contests;  // none: they were judged when they came
  for (const auto& [name, entry] : services) {
    if (entry.spec) index.replace(nullptr, entry.spec.get(), contests);
    for (const auto& slice : entry.slices) index.replace(nullptr, slice.get());
  }
  return index;
}

}  // namespace podswitch
