// SPDX-License-Identifier: Apache-2.0
// A node with two pods and a Service: ports 1 and 2 are the pods, 3 is another that has endpoints, all routed
// by the gateway; a.b.c.d of the pods is the same in both families.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string_view>
#include <vector>

#include "lb/service_table.h"
#include "tests/unit/rig.h"

namespace podswitch::test {

inline constexpr std::string_view kGatewayMac = "02:00:00:00:00:fe";
inline constexpr std::string_view kPodMacs[] = {"", "02:00:00:00:00:01", "02:00:00:00:00:02",
                                                "02:00:00:00:00:03"};
inline constexpr std::string_view kVip = "10.96.0.1", kVip6 = "fd00:96::1";
inline constexpr std::string_view kPods[] = {"", "10.1.0.1", "10.1.0.2", "10.1.0.3"};
inline constexpr std::string_view kPods6[] = {"", "fd00:1::1", "fd00:1::2", "fd00:1::3"};

inline IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

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

class ServiceRig {
 public:
  explicit ServiceRig(const std::vector<ServiceTable::Change>& services) {
    std::vector<Route> routes;
    std::vector<BridgePort> ports;
    for (PortId id = 1; id <= 3; ++id) {
      put(id);
      routes.push_back({Prefix::of(ip(kPods[id])), id});
      routes.push_back({Prefix::of(ip(kPods6[id])), id});
      ports.push_back({.id = id, .mac = mac(kPodMacs[id]), .ips = {ip(kPods[id]), ip(kPods6[id])}});
    }
    put_self(kSelf);
    routes.push_back({Prefix::of(ip("10.1.0.254")), kSelf});
    routes.push_back({Prefix::of(ip("fd00:1::fe")), kSelf});
    std::sort(routes.begin(), routes.end(),
              [](const Route& a, const Route& b) { return a.prefix < b.prefix; });
    auto filter = std::make_shared<EndpointFilter>(1000);
    for (const auto& change : services)
      if (change.service)
        for (const Backend& backend : change.service->backends) {
          filter->add(backend.ip, change.frontend.protocol, backend.port);
          filter->add(backend.ip);
        }
    Routing routing;
    routing.next_hops = &next_hops_;
    routing.tables["default"] = Lpm::build(routes);
    routing.services = {"default", ServiceTable().with(services, filter)};
    rig_ = std::make_unique<Rig>(ports, Gateway{mac(kGatewayMac), {ip("10.1.0.254"), ip("fd00:1::fe")}},
                                 routing);
    for (const auto& change : services)
      if (change.service) rig_->service_counters().make_room(change.service->id);
  }

  Rig& rig() { return *rig_; }
  // To the gateway, to be routed.
  static Packet from(PortId port) { return Packet().eth(kPodMacs[port], kGatewayMac); }
  // Bridged to another pod.
  static Packet between(PortId port, PortId to) { return Packet().eth(kPodMacs[port], kPodMacs[to]); }

 private:
  static constexpr NextHopId kSelf = 10;
  void put(PortId port) {
    auto hop = std::make_unique<NextHop>();
    hop->kind = NextHop::Kind::Pod;
    hop->port = port;
    hop->fid = 1;
    hop->mtu = 1500;
    const MacAddress to = mac(kPodMacs[port]), gateway = mac(kGatewayMac);
    std::copy_n(to.bytes.begin(), 6, hop->macs.begin());
    std::copy_n(gateway.bytes.begin(), 6, hop->macs.begin() + 6);
    next_hops_.set(port, std::move(hop)).reset();
  }
  void put_self(NextHopId id) {
    auto hop = std::make_unique<NextHop>();
    hop->kind = NextHop::Kind::Self;
    hop->mtu = UINT16_MAX;
    next_hops_.set(id, std::move(hop)).reset();
  }

  NextHopTable next_hops_;
  std::unique_ptr<Rig> rig_;
};

}  // namespace podswitch::test
