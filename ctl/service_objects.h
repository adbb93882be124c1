// SPDX-License-Identifier: Apache-2.0
// How Services and EndpointSlices come into the map of services and go again, and what must be known of all
// of them to judge one more without a look at each. Plain values. Configuration thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "pmd/services.h"

namespace podswitch {

inline constexpr size_t kMaxServices = size_t{1} << 19;
inline constexpr size_t kMaxSlices = size_t{1} << 20;
inline constexpr size_t kMaxEndpoints = size_t{1} << 23;  // of all slices

// Each puts something in the place of what has its name. An entry that is left empty goes.
void put_service(Services& services, std::shared_ptr<const ServiceSpec> spec);
void take_service(Services& services, const ObjectName& name);
void put_slice(Services& services, std::shared_ptr<const EndpointSlice> slice);
void take_slice(Services& services, const ObjectName& slice, const std::string& service);

// nullptr: not there.
const ServiceSpec* find_service(const Services& services, const ObjectName& name);
const EndpointSlice* find_slice(const Services& services, const ObjectName& slice,
                                const std::string& service);
bool same_services(const Services& a, const Services& b);  // by value

class ServiceIndex {
 public:
  // Which service a slice belongs to; nullptr: no such slice.
  const std::string* service_of(const ObjectName& slice) const;
  // Who has a cluster IP; the last one that claimed it.
  const ObjectName* owner_of(const IpAddress& ip) const;

  // An address that was claimed, and whose it was until then.
  using Contest = std::pair<IpAddress, ObjectName>;
  // Either may be nullptr: `now` is put in the place of `old`. Appends to `contests`.
  void replace(const ServiceSpec* old, const ServiceSpec* now, std::vector<Contest>& contests);
  void replace(const EndpointSlice* old, const EndpointSlice* now);

  size_t services() const { return services_; }
  size_t service_ports() const { return service_ports_; }  // times the families of their addresses
  size_t endpoints() const { return endpoints_; }
  const SharedMap<ObjectName, std::string>& slices() const { return slices_; }

 private:
  SharedMap<ObjectName, std::string> slices_;  // to the service's name
  SharedMap<IpAddress, ObjectName> addresses_;
  size_t services_ = 0, service_ports_ = 0, endpoints_ = 0;
};

ServiceIndex index_of(const Services& services);

}  // namespace podswitch
