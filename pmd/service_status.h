// SPDX-License-Identifier: Apache-2.0
// Services as listings show them. Plain values, any thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lb/service_compiler.h"
#include "lb/service_table.h"

namespace podswitch {

// Of a service port of one family.
struct ServiceFigures {
  uint64_t connections = 0;  // now
  uint64_t packets = 0, bytes = 0;
  std::map<Backend, uint64_t> backend_connections;  // now; those without are absent
};

struct ServiceFilter {
  std::string space;  // empty: all
};

struct ServiceStatus {
  std::shared_ptr<const ServiceSpec> spec;
  size_t ready = 0, endpoints = 0;        // by their addresses
  std::optional<ServiceFigures> figures;  // of all its ports; nullopt: not counted
};

struct ServiceEndpointStatus {
  Backend backend;
  std::string node;
  bool ready = false, serving = false, terminating = false;
  uint32_t entries = 0;                 // of the table of choices; 0: new flows do not get it
  std::optional<uint64_t> connections;  // nullopt: not counted
  bool is_gone = false;                 // no slice has it any more, but connections do
};

struct ServicePortStatus {
  ServicePortKey key;
  ServiceId id = kNoService;
  struct Claim {
    Frontend frontend;
    bool is_held = true;  // false: another Service has it
  };
  std::vector<Claim> frontends;
  uint32_t table_size = 0;  // 0: no backends
  std::vector<ServiceEndpointStatus> endpoints;
  std::optional<ServiceFigures> figures;  // nullopt: not counted
};

struct ServiceChoice {
  Frontend frontend;
  std::string port_name;
  std::optional<Backend> backend;  // nullopt: there is none, or another Service has the frontend
  bool is_held = true;
  std::string node;  // of the backend
  uint32_t hash = 0;
  uint32_t entry = 0, table_size = 0;
};

}  // namespace podswitch
