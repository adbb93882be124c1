// SPDX-License-Identifier: Apache-2.0
// From the desired Services to the table that packets use. Looks only at Services that changed since the last
// plan, gives each service port its number, and remembers who has which. A plan can be dropped: then nothing
// has changed. Configuration thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "lb/maglev_cache.h"
#include "lb/service_compiler.h"
#include "lb/service_table.h"
#include "pmd/service_ids.h"
#include "pmd/services.h"

namespace podswitch {

struct PlannedPort {
  ServicePortKey key;
  std::vector<Frontend> frontends;  // that it claims; another may have them: ServicePlanner::clashes()
  std::shared_ptr<const Service> service;
};

class ServicePlanner {
 public:
  ServicePlanner();
  ~ServicePlanner();

  class Plan;
  // Throws Error when there are more backends or service ports than have numbers.
  std::shared_ptr<const Plan> prepare(const Services& next);
  // Once; one that was made before another's commit is made anew.
  void commit(const std::shared_ptr<const Plan>& plan);

  const std::shared_ptr<const ServiceTable>& table() const { return table_; }
  const Services& services() const { return services_; }
  size_t size() const { return records_.size(); }  // Services with addresses

  // Of the last plan; empty: it has no such Service, or that has no addresses. Sorted by key.
  std::span<const PlannedPort> ports_of(const ObjectName& name) const;
  struct Named {
    ObjectName service;
    ServicePortKey key;
  };
  std::optional<Named> name_of(ServiceId id) const;  // nullopt: it is gone

  // A frontend that a second service port claims. The first one keeps it, until it goes; then that of the
  // first name gets it.
  struct Clash {
    Frontend frontend;
    Named holder, claimant;
  };
  std::vector<Clash> clashes(size_t limit) const;
  size_t clash_count() const { return waiting_.size(); }  // frontends
  // How often the table of a service port that has backends changed its size.
  uint64_t ladder_steps() const { return ladder_steps_; }
  MaglevCache::Memory choice_memory() const { return choices_.memory(); }

 private:
  using Ports = std::vector<PlannedPort>;
  using Records = std::map<ObjectName, std::shared_ptr<const Ports>>;
  using Waiting = std::map<Frontend, std::vector<ServiceId>>;  // claimants that have not got it
  class Draft;

  void update_names(const ObjectName& name, const Ports* before, const std::shared_ptr<const Ports>& after);

  Services services_;  // of the last plan
  Records records_;    // of those that have addresses
  std::vector<const Records::value_type*> by_index_;
  Waiting waiting_;
  ServiceIds ids_;
  MaglevCache choices_;
  std::shared_ptr<const ServiceTable> table_;
  std::shared_ptr<EndpointFilter> filter_;
  size_t filter_added_ = 0;
  uint64_t ladder_steps_ = 0;
  uint64_t commits_ = 0;
};

}  // namespace podswitch
