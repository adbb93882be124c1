// SPDX-License-Identifier: Apache-2.0
#include "ctl/desired.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ctl/static_route.h"

namespace podswitch {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

const Gateway kGateway{*MacAddress::parse("02:ff:00:00:00:01"), {*IpAddress::parse("10.0.0.254")}};

PortSpec tap(const std::string& name, const char* mac = nullptr, const char* ip = nullptr) {
  PortSpec spec;
  spec.name = name;
  spec.kind = PortKind::Tap;
  spec.ifname = name;
  if (mac != nullptr) spec.mac = MacAddress::parse(mac);
  if (ip != nullptr) spec.ips = {*IpAddress::parse(ip)};
  return spec;
}

template <typename Work>
std::string error_of(Work&& work) {
  try {
    work();
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

// What adding `second` beside `first` is refused for.
std::string clash(const PortSpec& first, const PortSpec& second) {
  Draft draft{Desired{}};
  draft.add(first, "");
  draft.add(second, "");
  return error_of([&] { draft.check(kGateway); });
}

TEST(Draft, TakesTheSamePortAgainAndNoOther) {
  Draft draft{Desired{}};
  EXPECT_EQ(draft.add(tap("a"), ""), Draft::Outcome::Changed);
  EXPECT_EQ(draft.add(tap("a"), ""), Draft::Outcome::Unchanged);
  EXPECT_EQ(draft.edits().size(), 1U);
  PortSpec other = tap("a");
  other.mtu = 9000;
  const std::string error = error_of([&] { draft.add(other, ""); });
  EXPECT_THAT(error, HasSubstr("mtu is 1500, asked for 9000"));
}

TEST(Draft, RefusesWhatBelongsToAnotherPort) {
  constexpr const char* kMac = "02:00:00:00:00:01";
  EXPECT_THAT(clash(tap("a", kMac), tap("b", kMac)), HasSubstr("mac: 02:00:00:00:00:01"));
  EXPECT_THAT(clash(tap("a", nullptr, "10.0.0.1"), tap("b", nullptr, "10.0.0.1")), HasSubstr("10.0.0.1"));
  PortSpec elsewhere = tap("b", kMac, "10.0.0.1");
  elsewhere.network = "blue";
  EXPECT_EQ(clash(tap("a", kMac, "10.0.0.1"), elsewhere), "");
  PortSpec same_interface = tap("b");
  same_interface.ifname = "a";
  EXPECT_THAT(clash(tap("a"), same_interface), HasSubstr("ifname"));
  same_interface.netns = "/run/netns/x";
  EXPECT_EQ(clash(tap("a"), same_interface), "");
}

TEST(Draft, ComparesAddressesWithinAVlan) {
  PortSpec a = tap("a", nullptr, "10.0.0.1"), b = tap("b", nullptr, "10.0.0.1");
  a.vlan = {VlanMode::Access, 10, {}};
  EXPECT_EQ(clash(a, b), "");
  b.vlan = {VlanMode::Trunk, 0, {10, 20}};
  EXPECT_NE(clash(a, b), "");
  b.vlan.trunk = {20, 30};
  EXPECT_EQ(clash(a, b), "");
}

TEST(Draft, RefusesTheGatewaysAddresses) {
  EXPECT_THAT(clash(tap("a"), tap("b", "02:ff:00:00:00:01")),
              HasSubstr("mac: 02:ff:00:00:00:01 is the gateway's"));
  EXPECT_THAT(clash(tap("a"), tap("b", nullptr, "10.0.0.254")), HasSubstr("ip: 10.0.0.254 is the gateway's"));
}

TEST(Draft, RemovesAPortWithItsPinsButNoStaticOne) {
  Desired base;
  base.state.ports["fixed"] = std::make_shared<const PortSpec>(tap("fixed"));
  base.static_ports = {"fixed"};
  Draft draft(base);
  draft.add(tap("a"), "");
  EXPECT_EQ(draft.pin({"a", 0}, 1), Draft::Outcome::Changed);
  draft.remove("a", {});
  EXPECT_EQ(draft.next().state.ports.count("a"), 0U);
  EXPECT_THAT(draft.next().state.pins, IsEmpty());
  EXPECT_THAT(error_of([&] { draft.remove("fixed", {}); }), HasSubstr("defined in the config file"));
  EXPECT_THAT(error_of([&] { draft.remove("a", {}); }), HasSubstr("no such port"));
}

TEST(Draft, PinsOnlyQueuesThatExist) {
  Desired base;
  base.static_pins[{"a", 1}] = 5;
  base.state.pins = base.static_pins;
  Draft draft(base);
  PortSpec spec = tap("a");
  spec.queues = 2;
  draft.add(spec, "");
  EXPECT_EQ(draft.pin({"a", 0}, 3), Draft::Outcome::Changed);
  EXPECT_EQ(draft.pin({"a", 0}, 3), Draft::Outcome::Unchanged);
  EXPECT_EQ(draft.pin({"a", 1}, 5), Draft::Outcome::Unchanged);
  EXPECT_THAT(error_of([&] { draft.pin({"a", 1}, 3); }), HasSubstr("pinned to core 5 in the config file"));
  EXPECT_THAT(error_of([&] { draft.pin({"a", 2}, 3); }), HasSubstr("has 2 queues"));
  EXPECT_THAT(error_of([&] { draft.pin({"b", 0}, 3); }), HasSubstr("no port b"));
}

std::shared_ptr<const ClusterNode> node(const std::string& name, const char* cidr) {
  ClusterNode node;
  node.spec.name = name;
  node.spec.pod_cidrs = {*Prefix::parse(cidr)};
  return std::make_shared<const ClusterNode>(node);
}

TEST(Draft, SetsAndRemovesNodes) {
  Draft draft{Desired{}};
  EXPECT_EQ(draft.set_node(*node("a", "10.1.0.0/16")), Draft::Outcome::Changed);
  EXPECT_EQ(draft.set_node(*node("a", "10.1.0.0/16")), Draft::Outcome::Unchanged);
  EXPECT_EQ(draft.edits().size(), 1U);
  EXPECT_EQ(draft.set_node(*node("b", "10.1.1.0/24")), Draft::Outcome::Changed);
  EXPECT_EQ(draft.node_conflicts().size(), 1U);
  EXPECT_EQ(draft.set_node(*node("b", "10.2.0.0/16")), Draft::Outcome::Changed);
  EXPECT_EQ(draft.node_conflicts().size(), 0U);
  EXPECT_EQ(draft.next().state.nodes.at("b")->pod_cidrs.front().to_string(), "10.2.0.0/16");
  draft.remove_node("a");
  EXPECT_EQ(draft.next().state.nodes.size(), 1U);
  EXPECT_THAT(error_of([&] { draft.remove_node("a"); }), HasSubstr("a: no such node"));
}

TEST(Draft, AddsAndRemovesStaticRoutes) {
  Draft draft{Desired{}};
  const StaticRoute route = make_static_route("", "172.16.0.0/12", "10.1.0.7");
  EXPECT_EQ(draft.add_route(route), Draft::Outcome::Changed);
  EXPECT_EQ(draft.add_route(route), Draft::Outcome::Unchanged);
  EXPECT_EQ(draft.add_route(make_static_route("blue", "172.16.0.0/12", "")), Draft::Outcome::Changed);
  EXPECT_EQ(draft.edits().size(), 2U);
  EXPECT_THAT(error_of([&] { draft.add_route(make_static_route("", "172.16.0.0/12", "10.1.0.8")); }),
              HasSubstr("via: the route to 172.16.0.0/12 in network default exists, via 10.1.0.7"));
  draft.remove_route(name_of(route));
  EXPECT_THAT(error_of([&] { draft.remove_route(name_of(route)); }), HasSubstr("prefix: no static route to"));
  EXPECT_EQ(draft.next().state.routes.size(), 1U);
}

TEST(StaticRoutes, AreChecked) {
  EXPECT_THAT(error_of([] { make_static_route("", "172.16.0.1/12", "10.1.0.7"); }), HasSubstr("prefix: "));
  EXPECT_THAT(error_of([] { make_static_route("", "172.16.0.0/12", "fd00::1"); }),
              HasSubstr("via: fd00::1 is not of the family of 172.16.0.0/12"));
  EXPECT_THAT(error_of([] { make_static_route("", "172.16.0.0/12", "224.0.0.1"); }), HasSubstr("via: "));
  EXPECT_THAT(error_of([] { make_static_route("", "x", "y"); }), HasSubstr("via: "));
}

TEST(Merge, BringsBackNodesAndWhatCameByApply) {
  StoredState stored;
  stored.nodes["a"] = node("a", "10.1.0.0/16");
  stored.ports["web"] = tap("web");
  stored.ports["fixed"] = tap("other");
  stored.applied_ports = {"web", "fixed"};
  std::vector<std::string> warnings;
  const Desired desired = merge({tap("fixed")}, {}, stored, {1}, kGateway, warnings);
  EXPECT_EQ(desired.nodes.size(), 1U);
  EXPECT_EQ(desired.state.nodes.at("a").get(), &desired.nodes.at("a")->spec);
  EXPECT_THAT(desired.applied_ports, ElementsAre("web"));
}

TEST(Merge, PrefersTheConfigFile) {
  StoredState stored;
  PortSpec other = tap("a");
  other.mtu = 9000;
  stored.ports["a"] = other;
  stored.ports["b"] = tap("b", "02:00:00:00:00:01");
  stored.ports["c"] = tap("c");
  stored.pins[{"c", 0}] = 2;
  stored.pins[{"b", 0}] = 7;
  std::vector<std::string> warnings;
  const Desired desired = merge({tap("a", "02:00:00:00:00:01")}, {}, stored, {1, 2}, kGateway, warnings);
  EXPECT_EQ(desired.state.ports.size(), 2U);
  EXPECT_EQ(desired.state.ports.at("a")->mtu, kDefaultMtu);
  EXPECT_EQ(desired.state.ports.count("c"), 1U);
  EXPECT_EQ(desired.state.pins, (Pins{{{"c", 0}, 2}}));
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("port a of the journal"), HasSubstr("port b of the journal"),
                                    HasSubstr("b:0 is no longer kept on core 7")));
  EXPECT_THAT(desired.left_out, ElementsAre(Pair("a", "the config file defines a port of this name"),
                                            Pair("b", HasSubstr("mac: "))));
  // What was left out can still be deleted.
  Draft draft(desired);
  draft.remove("b", stored);
  EXPECT_EQ(draft.edits().size(), 1U);
  EXPECT_EQ(draft.next().left_out.count("b"), 0U);
}

TEST(Error, PathsGetThePortsNameInFront) {
  const PortError error("web",
                        Error(std::vector<Problem>{{"netns", "is missing"}, {"", "cannot be opened"}}));
  EXPECT_EQ(error.port(), "web");
  EXPECT_THAT(
      under("ports." + error.port(), error).problems(),
      ElementsAre(Problem{"ports.web.netns", "is missing"}, Problem{"ports.web", "cannot be opened"}));
}

TEST(Merge, RefusesStaticPortsThatClash) {
  std::vector<std::string> warnings;
  constexpr const char* kMac = "02:00:00:00:00:01";
  EXPECT_THAT(error_of([&] {
                merge({tap("a", kMac), tap("b", kMac)}, {}, {}, {1}, kGateway, warnings);
              }),
              HasSubstr("port.a.mac"));
}

}  // namespace
}  // namespace podswitch
