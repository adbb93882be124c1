// SPDX-License-Identifier: Apache-2.0
#include "pmd/service_planner.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "pmd/error.h"
#include "switch/snapshot.h"

namespace podswitch {
namespace {

using Specs = std::vector<ServicePort>;

IpAddress ip(const std::string& text) {
  return *IpAddress::parse(text);
}
Endpoint pod(const IpAddress& address) {
  Endpoint endpoint;
  endpoint.ip = address;
  return endpoint;
}
Endpoint pod(const std::string& address) {
  return pod(ip(address));
}
ObjectName named(const std::string& name) {
  return {"default", name};
}

ServiceEntry entry(const std::string& name, std::vector<IpAddress> vips, Specs ports) {
  ServiceSpec spec;
  spec.name = named(name);
  spec.cluster_ips = std::move(vips);
  spec.ports = std::move(ports);
  return {std::make_shared<const ServiceSpec>(spec), {}};
}

ServiceEntry with_slice(ServiceEntry entry, std::vector<Endpoint> endpoints, std::vector<SlicePort> ports) {
  EndpointSlice slice;
  slice.is_v4 = endpoints.empty() || endpoints.front().ip.is_v4();
  slice.endpoints = std::move(endpoints);
  slice.ports = std::move(ports);
  entry.slices.push_back(std::make_shared<const EndpointSlice>(slice));
  return entry;
}

// One with an IPv4 address, port 80 and `pods` endpoints.
ServiceEntry web(const std::string& name, const std::string& vip, size_t pods) {
  std::vector<Endpoint> endpoints;
  for (size_t i = 0; i < pods; ++i) endpoints.push_back(pod("10.244.0." + std::to_string(1 + i)));
  return with_slice(entry(name, {ip(vip)}, {{"http", Protocol::Tcp, 80}}), endpoints,
                    {{"http", Protocol::Tcp, 8080}});
}

const Service* find(const ServicePlanner& planner, const std::string& vip, uint16_t port = 80) {
  return planner.table()->find(ip(vip), static_cast<uint8_t>(Protocol::Tcp), port).service;
}

void apply(ServicePlanner& planner, const Services& services) {
  planner.commit(planner.prepare(services));
}

std::vector<std::string> texts(const std::vector<Backend>& backends) {
  std::vector<std::string> all;
  for (const Backend& backend : backends)
    all.push_back(backend.ip.to_string() + " " + std::to_string(backend.port));
  return all;
}

using Texts = std::vector<std::string>;

TEST(ServiceCompiler, EachSliceBringsItsOwnTargetPort) {
  ServiceEntry service =
      entry("a", {ip("10.96.0.1")}, {{"http", Protocol::Tcp, 80}, {"http", Protocol::Udp, 80}});
  service =
      with_slice(service, {pod("10.244.0.1")}, {{"http", Protocol::Tcp, 8080}, {"x", Protocol::Tcp, 9}});
  service = with_slice(service, {pod("10.244.0.2"), pod("10.244.0.1")}, {{"http", Protocol::Tcp, 9090}});
  service = with_slice(service, {pod("10.244.0.1")}, {{"http", Protocol::Tcp, 8080}});
  const auto ports = compile_service(service);
  ASSERT_EQ(ports.size(), 2u);
  EXPECT_EQ(texts(ports[0].backends), (Texts{"10.244.0.1 8080", "10.244.0.1 9090", "10.244.0.2 9090"}));
  EXPECT_EQ(ports[1].key.protocol, Protocol::Udp);
  EXPECT_TRUE(ports[1].backends.empty());
}

TEST(ServiceCompiler, FamiliesDoNotMix) {
  ServiceEntry service = entry("a", {ip("10.96.0.1"), ip("fd00:96::1")}, {{"", Protocol::Tcp, 80}});
  service = with_slice(service, {pod("10.244.0.1")}, {{"", Protocol::Tcp, 8080}});
  service = with_slice(service, {pod("fd00:244::1")}, {{"", Protocol::Tcp, 8080}});
  const auto ports = compile_service(service);
  ASSERT_EQ(ports.size(), 2u);
  for (const CompiledPort& port : ports) {
    ASSERT_EQ(port.frontends.size(), 1u);
    EXPECT_EQ(port.frontends[0].ip.is_v4(), port.key.is_v4);
    EXPECT_EQ(texts(port.backends), Texts{port.key.is_v4 ? "10.244.0.1 8080" : "fd00:244::1 8080"});
  }
}

TEST(ServiceCompiler, TerminatingEndpointsServeOnlyWhenNoneIsReady) {
  const Endpoint ready{ip("10.244.0.1"), true, true, false, ""};
  const Endpoint leaving{ip("10.244.0.2"), false, true, true, ""};
  const Endpoint gone{ip("10.244.0.3"), false, false, true, ""};
  const Endpoint starting{ip("10.244.0.4"), false, false, false, ""};
  const Endpoint idle{ip("10.244.0.5"), false, true, false, ""};
  const auto chosen = [](std::vector<Endpoint> endpoints) {
    const auto made = compile_service(with_slice(entry("a", {ip("10.96.0.1")}, {{"", Protocol::Tcp, 80}}),
                                                 std::move(endpoints), {{"", Protocol::Tcp, 80}}));
    return texts(made.at(0).backends);
  };
  EXPECT_EQ(chosen({gone, leaving, ready, starting, idle}), Texts{"10.244.0.1 80"});
  EXPECT_EQ(chosen({gone, leaving, starting, idle}), Texts{"10.244.0.2 80"});
  EXPECT_EQ(chosen({gone, starting, idle}), Texts{});
}

TEST(ServiceCompiler, HeadlessAndExternalNamesHaveNothing) {
  EXPECT_TRUE(compile_service({}).empty());
  EXPECT_TRUE(compile_service(entry("a", {}, {{"", Protocol::Tcp, 80}})).empty());
  ServiceSpec external;
  external.type = ServiceType::ExternalName;
  external.cluster_ips = {ip("10.96.0.1")};
  external.ports = {{"", Protocol::Tcp, 80}};
  EXPECT_TRUE(compile_service({std::make_shared<const ServiceSpec>(external), {}}).empty());
}

TEST(ServicePlanner, AServiceKeepsItsNumberAndItsTableFollows) {
  ServicePlanner planner;
  Services services;
  services[named("a")] = web("a", "10.96.0.1", 2);
  services[named("b")] = web("b", "10.96.0.2", 2);
  apply(planner, services);
  const ServiceId a = find(planner, "10.96.0.1")->id;
  const Service* const b = find(planner, "10.96.0.2");
  EXPECT_NE(a, b->id);
  EXPECT_EQ(find(planner, "10.96.0.1")->choice, b->choice);
  services[named("a")] = web("a", "10.96.0.1", 3);
  apply(planner, services);
  EXPECT_EQ(find(planner, "10.96.0.1")->id, a);
  EXPECT_EQ(find(planner, "10.96.0.1")->backends.size(), 3u);
  EXPECT_EQ(find(planner, "10.96.0.2"), b);
  EXPECT_EQ(planner.name_of(a)->service, named("a"));
  EXPECT_EQ(planner.name_of(a)->key.name, "http");
  services[named("a")] = web("a", "10.96.0.9", 0);
  apply(planner, services);
  EXPECT_EQ(find(planner, "10.96.0.1"), nullptr);
  EXPECT_EQ(find(planner, "10.96.0.9")->id, a);
  EXPECT_EQ(find(planner, "10.96.0.9")->choice, nullptr);
}

TEST(ServicePlanner, WhatChangesNothingMakesNoNewTable) {
  ServicePlanner planner;
  Services services;
  services[named("a")] = web("a", "10.96.0.1", 2);
  apply(planner, services);
  const auto table = planner.table();
  services[named("a")] = web("a", "10.96.0.1", 2);
  services[named("headless")] = entry("headless", {}, {{"", Protocol::Tcp, 80}});
  apply(planner, services);
  EXPECT_EQ(planner.table(), table);
}

TEST(ServicePlanner, ADroppedPlanLeavesNoTrace) {
  ServicePlanner planner;
  Services one, two;
  one[named("a")] = web("a", "10.96.0.1", 2);
  two[named("b")] = web("b", "10.96.0.2", 2);
  const auto dropped = planner.prepare(one);
  EXPECT_TRUE(planner.table()->empty());
  apply(planner, two);
  EXPECT_EQ(find(planner, "10.96.0.1"), nullptr);
  EXPECT_EQ(find(planner, "10.96.0.2")->id, 0u);
  // One from before is made anew for what there is now.
  planner.commit(dropped);
  EXPECT_EQ(find(planner, "10.96.0.2"), nullptr);
  EXPECT_EQ(find(planner, "10.96.0.1")->id, 1u);
}

TEST(ServicePlanner, ANumberRestsAndComesBackInAnotherGeneration) {
  ServicePlanner planner;
  std::map<uint32_t, ServiceId> last;
  bool came_again = false;
  for (unsigned i = 0; i < 1100; ++i) {
    Services services;
    services[named("s" + std::to_string(i))] = web("s", "10.96.0.1", 1);
    apply(planner, services);
    const ServiceId id = find(planner, "10.96.0.1")->id;
    const auto [known, is_new] = last.emplace(index_of(id), id);
    if (!is_new) {
      EXPECT_EQ(id, known->second + (1u << kServiceIndexBits));
      EXPECT_FALSE(planner.name_of(known->second));
      came_again = true;
    }
  }
  EXPECT_TRUE(came_again);
  EXPECT_LE(last.size(), 1026u);
}

TEST(ServicePlanner, TheFirstKeepsAFrontendUntilItGoes) {
  ServicePlanner planner;
  Services services;
  services[named("m")] = web("m", "10.96.0.1", 1);
  apply(planner, services);
  const ServiceId m = find(planner, "10.96.0.1")->id;
  services[named("z")] = web("z", "10.96.0.1", 2);
  services[named("a")] = web("a", "10.96.0.1", 3);
  apply(planner, services);
  EXPECT_EQ(find(planner, "10.96.0.1")->id, m);
  const auto clashes = planner.clashes(10);
  ASSERT_EQ(clashes.size(), 2u);
  EXPECT_EQ(planner.clashes(1).size(), 1u);
  EXPECT_EQ(clashes[0].holder.service, named("m"));
  EXPECT_EQ(clashes[0].claimant.service, named("a"));
  EXPECT_EQ(clashes[1].claimant.service, named("z"));
  // One that waits may change, and is still found when its turn comes.
  services[named("a")] = web("a", "10.96.0.1", 5);
  apply(planner, services);
  services.erase(named("m"));
  apply(planner, services);
  EXPECT_EQ(find(planner, "10.96.0.1")->backends.size(), 5u);
  ASSERT_EQ(planner.clashes(10).size(), 1u);
  services.erase(named("z"));
  apply(planner, services);
  EXPECT_EQ(planner.clash_count(), 0u);
  services.erase(named("a"));
  apply(planner, services);
  EXPECT_TRUE(planner.table()->empty());
}

TEST(ServicePlanner, StepsOnTheLadderAreCounted) {
  ServicePlanner planner;
  Services services;
  const auto set = [&](size_t pods) {
    services[named("a")] = web("a", "10.96.0.1", pods);
    apply(planner, services);
  };
  for (const size_t pods : {15u, 14u, 0u, 16u}) set(pods);
  EXPECT_EQ(planner.ladder_steps(), 0u);
  set(15);
  set(16);
  EXPECT_EQ(planner.ladder_steps(), 2u);
}

TEST(ServicePlanner, AllEndpointsAreInTheFilterHoweverManyCome) {
  ServicePlanner planner;
  Services services;
  const auto address = [](unsigned i) {
    return IpAddress(Ipv4Address{{10, 244, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)}});
  };
  for (unsigned i = 0; i < 5000; ++i) {
    const std::string name = "s" + std::to_string(i);
    const Endpoint starting{address(i), false, false, false, ""};
    services[named(name)] = with_slice(
        entry(name, {IpAddress(Ipv4Address{{10, 96, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)}})},
              {{"", Protocol::Udp, 53}}),
        {starting}, {{"", Protocol::Udp, 5353}});
    if (i % 500 == 499) apply(planner, services);
  }
  for (unsigned i = 0; i < 5000; ++i)
    ASSERT_TRUE(
        planner.table()->endpoints().may_contain(address(i), static_cast<uint8_t>(Protocol::Udp), 5353));
  EXPECT_GE(planner.table()->endpoints().capacity(), 5000u);
}

TEST(ServicePlanner, MoreBackendsThanAnEntryCanSayAreRefused) {
  ServicePlanner planner;
  Services services;
  std::vector<Endpoint> endpoints;
  for (uint32_t i = 0; i <= kMaxBackends; ++i)
    endpoints.push_back(pod(IpAddress(Ipv4Address{
        {10, static_cast<uint8_t>(i >> 16), static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)}})));
  services[named("a")] = with_slice(entry("a", {ip("10.96.0.1")}, {{"", Protocol::Tcp, 80}}), endpoints,
                                    {{"", Protocol::Tcp, 80}});
  EXPECT_THROW(planner.prepare(services), Error);
  EXPECT_TRUE(planner.table()->empty());
}

// All VLANs of the routed network see the Services, no other network does.
TEST(Snapshot, KnowsEachNetworkAndItsServices) {
  ServicePlanner planner;
  FidMap fids;
  Routing routing;
  const std::vector<BridgePort> ports{{.id = 0, .vlan = {VlanMode::Access, 7, {}}},
                                      {.id = 1},
                                      {.id = 2, .network = "other", .vlan = {VlanMode::Trunk, 0, {7, 8}}}};
  EXPECT_EQ(compile_snapshot(ports, {}, routing, fids)->fids[fids.get("default", 0)].services, nullptr);
  Services services;
  services[named("a")] = web("a", "10.96.0.1", 2);
  apply(planner, services);
  routing.services = {"default", planner.table()};
  const auto snapshot = compile_snapshot(ports, {}, routing, fids);
  const auto view = [&](const char* network, uint16_t vlan) {
    return snapshot->fids[fids.get(network, vlan)];
  };
  for (const uint16_t vlan : {0, 7}) {
    EXPECT_EQ(view("default", vlan).services, planner.table().get());
    EXPECT_EQ(view("default", vlan).network, fids.get("default", 0));
  }
  for (const uint16_t vlan : {7, 8}) {
    EXPECT_EQ(view("other", vlan).services, nullptr);
    EXPECT_EQ(view("other", vlan).network, fids.get("other", 0));
  }
}

}  // namespace
}  // namespace podswitch
