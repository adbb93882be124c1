// SPDX-License-Identifier: Apache-2.0
#include "pmd/routing.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/packet_builder.h"

namespace podswitch {
namespace {

using test::mac;

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

class RoutingTest : public testing::Test {
 protected:
  RoutingTest() {
    pod_.name = "a";
    pod_.mac = mac("02:00:00:00:00:0a");
    pod_.ips = {ip("10.244.1.1"), ip("fd00:244:1::1")};
    uplink_.name = "uplink";
    uplink_.role = PortRole::Uplink;
    uplink_.network = "underlay";
    uplink_.mac = mac("02:00:00:00:00:ee");
    uplink_.underlay = {*PrefixedAddress::parse("192.0.2.1/24"), *PrefixedAddress::parse("2001:db8::1/64")};
    uplink_.underlay_gateways = {ip("192.0.2.254"), ip("2001:db8::fe")};
    host_.name = "host";
    host_.role = PortRole::Host;
    host_.network = "underlay";
    host_.mac = uplink_.mac;
  }
  void add_node(const std::string& name, std::vector<IpAddress> vteps, std::string_view cidr) {
    nodes_[name] = std::make_shared<const NodeSpec>(NodeSpec{
        .name = name, .vteps = std::move(vteps), .vtep_mac = {}, .pod_cidrs = {*Prefix::parse(cidr)}});
  }
  RoutePlanner::Plan plan() {
    return planner_.plan({{1, &pod_}, {2, &uplink_}, {3, &host_}}, nodes_, statics_, {}, fids_);
  }
  // Where a packet of the pods' network to `to` would go.
  static const PlannedHop* hop_to(const RoutePlanner::Plan& plan, std::string_view to) {
    const IpAddress address = ip(to);
    const Lpm& lpm = *plan.routing.tables.at("default");
    const uint32_t id = address.is_v4() ? lpm.find(address.v4()) : lpm.find(address.v6);
    const auto hop = plan.hops.find(id);
    return hop == plan.hops.end() ? nullptr : hop->second.get();
  }

  PortSpec pod_, uplink_, host_;
  Nodes nodes_;
  StaticRoutes statics_;
  FidMap fids_;
  RoutePlanner planner_{"one", {}, Gateway{mac("02:00:00:00:00:fe"), {}}};
};

TEST_F(RoutingTest, KnowsPodsHostNodesAndTheRest) {
  add_node("one", {ip("192.0.2.1")}, "10.244.1.0/24");
  add_node("two", {ip("192.0.2.2")}, "10.244.2.0/24");
  const auto plan = this->plan();
  EXPECT_EQ(hop_to(plan, "10.244.1.1")->hop.kind, NextHop::Kind::Pod);
  EXPECT_EQ(hop_to(plan, "10.244.1.1")->hop.port, 1);
  EXPECT_EQ(hop_to(plan, "fd00:244:1::1")->hop.kind, NextHop::Kind::Pod);
  EXPECT_EQ(hop_to(plan, "10.244.1.99")->hop.kind, NextHop::Kind::Unreachable);
  EXPECT_EQ(hop_to(plan, "192.0.2.1")->hop.kind, NextHop::Kind::Host);
  EXPECT_EQ(hop_to(plan, "192.0.2.1")->hop.port, 3);
  EXPECT_EQ(hop_to(plan, "192.0.2.2")->hop.kind, NextHop::Kind::Link);
  EXPECT_EQ(hop_to(plan, "198.51.100.1")->hop.kind, NextHop::Kind::Underlay);
  EXPECT_EQ(hop_to(plan, "198.51.100.1")->via, ip("192.0.2.254"));
  const PlannedHop& tunnel = *hop_to(plan, "10.244.2.7");
  EXPECT_EQ(tunnel.hop.kind, NextHop::Kind::Tunnel);
  EXPECT_EQ(tunnel.hop.port, 2);
  EXPECT_EQ(tunnel.hop.mtu, 1450);
  EXPECT_EQ(tunnel.via, ip("192.0.2.2"));
}

TEST_F(RoutingTest, ReachesOtherSubnetsOverTheGateway) {
  add_node("far", {ip("203.0.113.9")}, "10.244.9.0/24");
  add_node("far6", {ip("2001:db8:9::9")}, "10.244.10.0/24");
  const auto plan = this->plan();
  EXPECT_EQ(hop_to(plan, "10.244.9.1")->via, ip("192.0.2.254"));
  EXPECT_EQ(hop_to(plan, "10.244.10.1")->via, ip("2001:db8::fe"));
  EXPECT_EQ(hop_to(plan, "10.244.10.1")->hop.mtu, 1430);
}

// 192.0.2.2 is on the uplink's link, 203.0.113.9 is not.
TEST_F(RoutingTest, TunnelsOrNotAsTheModeSays) {
  struct Case {
    OverlayMode mode;
    NextHop::Kind near, far;
  };
  using Kind = NextHop::Kind;
  for (const Case& expected : {Case{OverlayMode::Tunnel, Kind::Tunnel, Kind::Tunnel},
                               Case{OverlayMode::Direct, Kind::Underlay, Kind::Underlay},
                               Case{OverlayMode::Auto, Kind::Underlay, Kind::Tunnel}}) {
    OverlayOptions overlay;
    overlay.mode = expected.mode;
    RoutePlanner planner("one", overlay, Gateway{mac("02:00:00:00:00:fe"), {}});
    nodes_ = {};
    add_node("near", {ip("192.0.2.2")}, "10.244.2.0/24");
    add_node("far", {ip("203.0.113.9")}, "10.244.9.0/24");
    const auto plan = planner.plan({{1, &pod_}, {2, &uplink_}, {3, &host_}}, nodes_, {}, {}, fids_);
    const PlannedHop &near = *hop_to(plan, "10.244.2.1"), &far = *hop_to(plan, "10.244.9.1");
    EXPECT_EQ(near.hop.kind, expected.near);
    EXPECT_EQ(far.hop.kind, expected.far);
    EXPECT_EQ(near.via, ip("192.0.2.2"));
    EXPECT_EQ(far.via, ip("192.0.2.254"));
    EXPECT_EQ(near.hop.mtu, near.hop.kind == Kind::Tunnel ? 1450 : 1500);
  }
}

TEST_F(RoutingTest, SaysWhyThereIsNoWay) {
  const auto node = [](std::vector<IpAddress> vteps) { return NodeSpec{"n", std::move(vteps), {}, {}}; };
  OverlayOptions overlay;
  const auto way = [&](const NodeSpec& to, bool is_v4, const PortSpec* uplink) {
    return Ways(uplink, overlay).to(to, is_v4);
  };
  EXPECT_EQ(way(node({ip("192.0.2.2")}), true, nullptr).reason, "there is no uplink");
  EXPECT_EQ(way(node({}), true, &uplink_).reason, "the node has no VTEP");
  PortSpec single = uplink_;
  single.underlay.pop_back();
  single.underlay_gateways.pop_back();
  EXPECT_EQ(way(node({ip("2001:db8::2")}), true, &single).reason,
            "the node has no IPv4 VTEP, and the uplink no IPv6 address");
  EXPECT_EQ(way(node({ip("192.0.2.2")}), false, &single).kind, Way::Kind::Tunnel);
  overlay.mode = OverlayMode::Direct;
  // A neighbour's MAC serves both families; a gateway must route the packet's own.
  EXPECT_EQ(way(node({ip("192.0.2.2")}), false, &single).kind, Way::Kind::Direct);
  EXPECT_EQ(way(node({ip("203.0.113.9")}), true, &single).via, ip("192.0.2.254"));
  EXPECT_EQ(way(node({ip("203.0.113.9")}), false, &single).kind, Way::Kind::None);
  EXPECT_NE(way(node({ip("203.0.113.9")}), false, &single).reason, "");
  overlay.mode = OverlayMode::Auto;
  EXPECT_EQ(way(node({ip("203.0.113.9")}), false, &single).kind, Way::Kind::Tunnel);
}

TEST_F(RoutingTest, AsksOnTheLinkForWhoIsNoNode) {
  const auto plan = this->plan();
  EXPECT_EQ(hop_to(plan, "192.0.2.77")->hop.kind, NextHop::Kind::Link);
  EXPECT_EQ(hop_to(plan, "2001:db8::77")->hop.kind, NextHop::Kind::Link);
  EXPECT_EQ(hop_to(plan, "192.0.2.255")->hop.kind, NextHop::Kind::Unreachable);
  EXPECT_EQ(hop_to(plan, "192.0.2.0")->hop.kind, NextHop::Kind::Unreachable);
  EXPECT_EQ(hop_to(plan, "192.0.3.1")->via, ip("192.0.2.254"));
}

TEST_F(RoutingTest, UnderlayInAVlan) {
  uplink_.vlan = {VlanMode::Trunk, 0, {100}};
  host_.vlan = {VlanMode::Access, 100, {}};
  add_node("two", {ip("192.0.2.2")}, "10.244.2.0/24");
  const auto plan = this->plan();
  const Fid fid = fids_.get("underlay", 100);
  EXPECT_EQ(plan.uplink.vlan, 100);
  EXPECT_EQ(plan.uplink.fid, fid);
  for (const char* to : {"10.244.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.77"})
    EXPECT_EQ(hop_to(plan, to)->hop.fid, fid) << to;
}

TEST_F(RoutingTest, KnowsWhereTunnelsEnd) {
  uplink_.underlay = {*PrefixedAddress::parse("192.0.2.1/24"), *PrefixedAddress::parse("2001:db8::1/64")};
  add_node("one", {ip("2001:db8::1")}, "10.244.1.0/24");
  EXPECT_FALSE(plan().ends.v4);
  add_node("both", {ip("192.0.2.2"), ip("2001:db8::2")}, "10.244.2.0/24");
  EXPECT_TRUE(plan().ends.v4);
  EXPECT_FALSE(plan().ends.v6);
  add_node("six", {ip("2001:db8::3")}, "10.244.3.0/24");
  EXPECT_TRUE(plan().ends.v6);
  add_node("six", {ip("192.0.2.3")}, "10.244.3.0/24");
  EXPECT_FALSE(plan().ends.v6);
  nodes_.erase("six");
  nodes_.erase("both");
  EXPECT_FALSE(plan().ends.v4);
}

TEST_F(RoutingTest, KeepsNumbersAndTablesThatDidNotChange) {
  add_node("two", {ip("192.0.2.2")}, "10.244.2.0/24");
  const auto first = plan();
  const auto again = plan();
  EXPECT_EQ(first.routing.tables.at("default"), again.routing.tables.at("default"));
  EXPECT_TRUE(first.hops == again.hops) << "the same objects";
  add_node("alpha", {ip("192.0.2.3")}, "10.244.3.0/24");
  const auto more = plan();
  EXPECT_NE(first.routing.tables.at("default"), more.routing.tables.at("default"));
  EXPECT_EQ(hop_to(first, "10.244.2.1")->id, hop_to(more, "10.244.2.1")->id);
  nodes_.erase("two");
  const auto less = plan();
  EXPECT_EQ(hop_to(less, "10.244.3.1")->id, hop_to(more, "10.244.3.1")->id);
  EXPECT_EQ(hop_to(less, "10.244.2.1")->via, ip("192.0.2.254"));  // the default route
}

TEST_F(RoutingTest, FollowsStaticRoutes) {
  const auto add = [&](std::string_view prefix, std::string_view via) {
    StaticRoute route{"default", *Prefix::parse(prefix), {}};
    if (!via.empty()) route.via = ip(via);
    statics_[name_of(route)] = route;
  };
  add_node("two", {ip("192.0.2.2")}, "10.244.2.0/24");
  add("172.16.0.0/12", "10.244.1.1");    // a pod
  add("fd00:99::/32", "fd00:244:1::1");  // its other family
  add("198.51.100.0/24", "192.0.2.7");   // a router on the uplink's link
  add("203.0.113.0/24", "");             // nobody
  add("10.244.2.128/25", "192.0.2.8");   // more of a node's CIDR
  add("10.244.1.1/32", "192.0.2.8");     // a pod of this node: that one wins
  add("192.168.0.0/16", "10.99.9.9");    // leads nowhere
  const auto plan = this->plan();
  EXPECT_EQ(hop_to(plan, "172.16.9.9")->hop.port, 1);
  EXPECT_EQ(hop_to(plan, "fd00:99::5")->hop.port, 1);
  EXPECT_EQ(hop_to(plan, "198.51.100.1")->via, ip("192.0.2.7"));
  EXPECT_EQ(hop_to(plan, "198.51.100.1")->hop.kind, NextHop::Kind::Underlay);
  EXPECT_EQ(hop_to(plan, "203.0.113.1")->hop.kind, NextHop::Kind::Unreachable);
  EXPECT_EQ(hop_to(plan, "10.244.2.200")->via, ip("192.0.2.8"));
  EXPECT_EQ(hop_to(plan, "10.244.2.1")->hop.kind, NextHop::Kind::Tunnel);
  EXPECT_EQ(hop_to(plan, "10.244.1.1")->hop.kind, NextHop::Kind::Pod);
  EXPECT_EQ(hop_to(plan, "192.168.1.1")->via, ip("192.0.2.254"));  // the default route

  std::map<std::string, std::pair<std::string, bool>> listed;
  for (const auto& route : planner_.list("default", 100))
    listed[route.prefix.to_string()] = {route.next_hop, route.is_static};
  EXPECT_EQ(listed.at("172.16.0.0/12"), (std::pair<std::string, bool>("pod a 0", true)));
  EXPECT_EQ(listed.at("203.0.113.0/24"), (std::pair<std::string, bool>("nobody", true)));
  EXPECT_EQ(listed.at("10.244.2.0/24"), (std::pair<std::string, bool>("node two", false)));
  EXPECT_FALSE(listed.at("10.244.1.1/32").second);
  EXPECT_FALSE(listed.contains("192.168.0.0/16"));
  EXPECT_EQ(planner_.list("default", 2).size(), 2U);
  EXPECT_EQ(planner_.list("other", 100).size(), 0U);
}

TEST_F(RoutingTest, ListsNothingOfANetworkThatIsGone) {
  pod_.network = "blue";
  plan();
  EXPECT_EQ(planner_.list("blue", 10).size(), 2U);
  (void)planner_.plan({{2, &uplink_}}, nodes_, {}, {}, fids_);
  EXPECT_EQ(planner_.list("blue", 10).size(), 0U);
}

// Whatever changes, one after another, comes to what a planner makes that sees the last state only.
TEST_F(RoutingTest, ComesToTheSameByStepsAsAtOnce) {
  const std::vector<RoutedPort> ports{{1, &pod_}, {2, &uplink_}, {3, &host_}};
  const auto cidr = [](unsigned n) { return "10.244." + std::to_string(n) + ".0/24"; };
  std::mt19937 random(1);
  for (int step = 0; step < 300; ++step) {
    const unsigned n = 2 + random() % 40;
    const std::string name = "node" + std::to_string(n);
    switch (random() % 8) {
      case 0:
        nodes_ = {};
        break;
      case 1:
        for (unsigned i = 2; i < 60; ++i)
          add_node("node" + std::to_string(i), {ip("192.0.2." + std::to_string(i))}, cidr(i));
        break;
      case 2:
        uplink_.mtu = static_cast<uint16_t>(1400 + random() % 2 * 100);
        break;
      case 3:
      case 4:
        nodes_.erase(name);
        break;
      default:
        add_node(name, {ip((random() % 2 == 0 ? "192.0.2." : "203.0.113.") + std::to_string(n))}, cidr(n));
    }
    const auto by_steps = planner_.plan(ports, nodes_, {}, {}, fids_);
    RoutePlanner other("one", {}, Gateway{mac("02:00:00:00:00:fe"), {}});
    const auto at_once = other.plan(ports, nodes_, {}, {}, fids_);
    ASSERT_EQ(by_steps.routing.tunnel->vteps, at_once.routing.tunnel->vteps);
    ASSERT_EQ(by_steps.hops.size(), at_once.hops.size());
    ASSERT_EQ(by_steps.ends.v4, at_once.ends.v4);
    for (unsigned i = 0; i < 60; ++i) {
      const std::string to = "10.244." + std::to_string(i) + ".1";
      PlannedHop a = *hop_to(by_steps, to), b = *hop_to(at_once, to);
      a.id = b.id = 0;  // that is all that may differ
      ASSERT_TRUE(a == b) << to << " after " << step;
    }
  }
  EXPECT_LT(planner_.list("", 1000).size(), 1000u);
}

TEST_F(RoutingTest, WithoutAnUplinkOnlyPodsAreReached) {
  add_node("two", {ip("192.0.2.2")}, "10.244.2.0/24");
  const auto plan = planner_.plan({{1, &pod_}}, nodes_, {}, {}, fids_);
  EXPECT_NE(hop_to(plan, "10.244.1.1"), nullptr);
  EXPECT_EQ(hop_to(plan, "10.244.2.1"), nullptr);
  EXPECT_FALSE(plan.routing.tunnel);
}

TEST(DerivedVtepMac, IsOfTheAddress) {
  EXPECT_EQ(derived_vtep_mac(ip("192.0.2.1")), mac("02:70:c0:00:02:01"));
  EXPECT_NE(derived_vtep_mac(ip("2001:db8::1")), derived_vtep_mac(ip("2001:db8::2")));
}

}  // namespace
}  // namespace podswitch
