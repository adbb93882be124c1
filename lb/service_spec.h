// SPDX-License-Identifier: Apache-2.0
// Kubernetes' v1 Service and discovery.k8s.io/v1 EndpointSlice as plain values: what podswitch reads of them,
// checked. Made by the configuration thread, immutable.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lb/protocol.h"
#include "switch/net/address.h"

namespace podswitch {

// Of a Service or an EndpointSlice.
struct ObjectName {
  std::string space;  // the Kubernetes namespace
  std::string name;
  friend auto operator<=>(const ObjectName&, const ObjectName&) = default;
};

enum class ServiceType : uint8_t { ClusterIp, NodePort, LoadBalancer, ExternalName };
constexpr std::string_view to_string(ServiceType type) {  // as Kubernetes writes it
  switch (type) {
    case ServiceType::ClusterIp:
      return "ClusterIP";
    case ServiceType::NodePort:
      return "NodePort";
    case ServiceType::LoadBalancer:
      return "LoadBalancer";
    case ServiceType::ExternalName:
      break;
  }
  return "ExternalName";
}

struct ServicePort {
  std::string name;  // may be empty where there is one only
  Protocol protocol = Protocol::Tcp;
  uint16_t port = 0;
  uint16_t node_port = 0;  // 0: none
  friend bool operator==(const ServicePort&, const ServicePort&) = default;
};

struct ServiceSpec {
  ObjectName name;
  ServiceType type = ServiceType::ClusterIp;
  std::vector<IpAddress> cluster_ips;  // empty: headless, or ExternalName
  std::vector<ServicePort> ports;
  friend bool operator==(const ServiceSpec&, const ServiceSpec&) = default;
};

struct Endpoint {
  IpAddress ip;  // the first of its addresses: Kubernetes gives the others no meaning
  bool ready = true;
  bool serving = true;
  bool terminating = false;
  std::string node;  // empty: not said
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct SlicePort {
  std::string name;
  Protocol protocol = Protocol::Tcp;
  uint16_t port = 0;
  friend bool operator==(const SlicePort&, const SlicePort&) = default;
};

struct EndpointSlice {
  ObjectName name;
  std::string service;  // by the label kubernetes.io/service-name, in the same namespace
  bool is_v4 = true;
  std::vector<Endpoint> endpoints;
  std::vector<SlicePort> ports;
  friend bool operator==(const EndpointSlice&, const EndpointSlice&) = default;
};

// A Service with its slices; either may be there without the other. All that decides how it is served.
struct ServiceEntry {
  std::shared_ptr<const ServiceSpec> spec;                   // nullptr: only slices have come
  std::vector<std::shared_ptr<const EndpointSlice>> slices;  // sorted by name
  // By identity: values are shared, and an equal one in another place is looked at anew at most once.
  friend bool operator==(const ServiceEntry&, const ServiceEntry&) = default;
};

}  // namespace podswitch
