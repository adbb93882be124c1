// SPDX-License-Identifier: Apache-2.0
// A plan of Services while it is made: the records of those that changed, then who gets which frontend. Only
// service_planner.cpp includes it. Configuration thread.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "pmd/service_planner.h"

namespace podswitch {

class ServicePlanner::Plan {
 public:
  struct Update {
    ObjectName name;
    std::shared_ptr<const Ports> before, after;  // nullptr: none
  };
  uint64_t base = 0;  // commits before it
  Services services;
  std::vector<Update> updates;  // by their names
  ServiceIds::Draft ids;
  Waiting waiting;
  std::shared_ptr<const ServiceTable> table;
  std::shared_ptr<EndpointFilter> filter;
  size_t filter_added = 0;
  uint64_t ladder_steps = 0;
};

class ServicePlanner::Draft {
 public:
  Draft(ServicePlanner& planner, const Services& next);
  std::shared_ptr<const Plan> finish();

 private:
  struct Claim {
    Frontend frontend;
    const ObjectName* name = nullptr;
    const PlannedPort* port = nullptr;
    friend bool operator<(const Claim& a, const Claim& b) {
      if (a.frontend != b.frontend) return a.frontend < b.frontend;
      return *a.name != *b.name ? *a.name < *b.name : a.port->key < b.port->key;
    }
  };

  void look_at(const ObjectName& name, const ServiceEntry* next);
  PlannedPort plan_port(const ObjectName& name, CompiledPort&& compiled, const PlannedPort* before);
  void add_endpoints(const ServiceEntry& entry, const Ports& ports);
  void replace_filter();
  void collect_claims();
  void resolve(const Frontend& frontend, std::span<const Claim> claims);
  Claim claim_of(ServiceId id, const Frontend& frontend) const;

  ServicePlanner& planner_;
  std::shared_ptr<Plan> plan_ = std::make_shared<Plan>();
  std::vector<Claim> claims_;      // of ports that are new or changed
  std::vector<Frontend> touched_;  // of those, and what ports claim no more
  std::vector<ServiceTable::Change> changes_;
};

}  // namespace podswitch
