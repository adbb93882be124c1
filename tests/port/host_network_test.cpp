// SPDX-License-Identifier: Apache-2.0
// The kernel's links, addresses and routes as podswitch reads, makes and moves them. Each test has namespaces
// of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/rtnetlink.h>

#include <nlohmann/json.hpp>

#include "ctl/host/host_routes.h"
#include "ctl/host/relocate.h"
#include "ctl/host/uplink_json.h"
#include "pmd/ingress_block.h"
#include "pmd/netns.h"
#include "pmd/rtnetlink.h"
#include "tests/port/kernel_fixture.h"

namespace podswitch {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}
Prefix prefix(const char* text) {
  return *Prefix::parse(text);
}
const MacAddress kGatewayMac = *MacAddress::parse("02:00:00:00:00:fe");

class HostNetwork : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: it makes network namespaces";
    node_.emplace("node");
    node_->ip("link add eth0 type veth peer name wire");
    node_->ip("link add host0 type veth peer name far");
    for (const char* name : {"lo", "wire", "eth0", "far", "host0"})
      node_->ip(fmt::format("link set {} up", name));
  }
  void inside(const std::function<void(Rtnetlink&)>& work) {
    run_in_namespace(node_->path(), [&] {
      Rtnetlink kernel;
      work(kernel);
    });
  }
  std::string shows(const std::string& command) { return node_->ip(command); }

  std::optional<Namespace> node_;
};

TEST_F(HostNetwork, ListsLinks) {
  node_->ip("link set eth0 address 02:00:00:00:12:34 mtu 1400");
  inside([](Rtnetlink& kernel) {
    const auto eth0 = kernel.link("eth0");
    ASSERT_TRUE(eth0);
    EXPECT_EQ(eth0->mac, MacAddress::parse("02:00:00:00:12:34"));
    EXPECT_EQ(eth0->mtu, 1400u);
    EXPECT_EQ(eth0->kind, "veth");
    EXPECT_EQ(eth0->lower, 0u);
    EXPECT_NE(eth0->flags & 1u, 0u);
    EXPECT_FALSE(kernel.link("nosuch"));
    EXPECT_FALSE(kernel.link("lo")->mac);
  });
}

TEST_F(HostNetwork, SaysWhatWasAttemptedAndWhatTheKernelAnswered) {
  inside([](Rtnetlink& kernel) {
    KernelRoute route;
    route.destination = prefix("10.77.0.0/16");
    route.hops = {{kernel.link("eth0")->index, ip("192.0.2.1"), 0, false}};
    const std::string said = error_of([&] { kernel.add(route); });
    EXPECT_THAT(said, HasSubstr("adding route 10.77.0.0/16 via 192.0.2.1 dev eth0"));
    EXPECT_THAT(said, HasSubstr("nreachable"));
    EXPECT_THAT(said, HasSubstr("gateway")) << "the kernel's own words";
  });
}

// What a node may have on its NIC.
void configure_nic(const Namespace& node) {
  node.ip("address add 10.0.0.2/24 dev eth0");
  node.ip("address add 10.0.0.3/24 dev eth0");
  node.ip("address add 10.9.0.2/24 dev eth0 noprefixroute metric 50");
  node.ip("address add fd00::2/64 dev eth0 nodad");
  node.ip("address add fd00::3/64 dev eth0 nodad valid_lft 5000 preferred_lft 4000");
  node.ip("route add default via 10.0.0.1 metric 100 mtu 1300");
  node.ip("route add 172.16.0.0/12 via 10.0.0.1 src 10.0.0.3 proto static");
  node.ip("route add 192.0.2.1 dev eth0 scope link table 77");
  node.ip("route add default via 192.0.2.9 dev eth0 onlink table 77");
  node.ip("route add 198.51.100.0/24 nexthop via 10.0.0.7 weight 2 nexthop via 10.0.0.8 weight 5");
  node.ip("route add 203.0.113.0/24 via inet6 fd00::9 dev eth0");
  node.ip("-6 route add fd88::/48 nexthop via fd00::5 dev eth0 nexthop via fd00::6 dev eth0 weight 3");
  node.ip("-6 route add default via fd00::1 metric 512 proto ra pref high");
  node.ip("-6 route add fd77::/48 via fe80::9 dev eth0 src fd00::3");
  node.ip("neigh add 10.0.0.200 lladdr 02:00:00:00:00:c8 dev eth0 nud permanent");
  node.ip("neigh add fd00::200 lladdr 02:00:00:00:00:c9 dev eth0 nud permanent");
}

// Addresses and routes as iproute2 lists them, without what differs by the interface.
std::vector<std::string> listing(const Namespace& node, const std::string& ifname) {
  std::vector<std::string> lines;
  for (const std::string& command :
       {fmt::format("-4 -o address show dev {}", ifname),
        fmt::format("-6 -o address show dev {} scope global", ifname), std::string("-4 route show table all"),
        std::string("-6 route show table all"), fmt::format("neigh show dev {} nud permanent", ifname)}) {
    std::istringstream text(node.ip(command));
    for (std::string line; std::getline(text, line);) {
      if (line.find(" lo ") != std::string::npos || line.find("fe80::/64") != std::string::npos ||
          line.find("ff00::/8") != std::string::npos || line.find("local fe80") == 0 ||
          line.find("anycast fe80") == 0)
        continue;
      std::string clean;
      std::istringstream words(line);
      for (std::string word; words >> word;) {
        // Numbers of interfaces, lifetimes that run, and how the address came to be.
        if (word.ends_with("sec") || word.ends_with(":") || word == "nodad" || word == "kernel_ll") continue;
        clean += (clean.empty() ? "" : " ") + word;
      }
      lines.push_back(clean);
    }
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

TEST_F(HostNetwork, MovesEverythingThereAndBack) {
  configure_nic(*node_);
  const auto before = listing(*node_, "eth0");
  const auto move = [&](const char* from, const char* to) {
    inside([&](Rtnetlink& kernel) {
      const unsigned a = kernel.link(from)->index, b = kernel.link(to)->index;
      const Belongings what = belongings_of(kernel, a);
      EXPECT_TRUE(what.has_global_address());
      for (const KernelRoute& route : what.routes) EXPECT_THAT(route.unknown, IsEmpty()) << route.to_string();
      relocate(kernel, what, a, b);
      EXPECT_THAT(belongings_of(kernel, a).routes, IsEmpty());
      EXPECT_THAT(kernel.addresses(a), IsEmpty());
    });
  };
  move("eth0", "host0");
  auto moved = listing(*node_, "host0");
  for (std::string& line : moved)
    for (size_t at; (at = line.find("host0")) != std::string::npos;) line.replace(at, 5, "eth0");
  std::sort(moved.begin(), moved.end());
  EXPECT_EQ(moved, before);
  move("host0", "eth0");
  EXPECT_EQ(listing(*node_, "eth0"), before);
}

TEST_F(HostNetwork, BelongingsSurviveTheStateFile) {
  configure_nic(*node_);
  inside([](Rtnetlink& kernel) {
    UplinkState state;
    state.nic = state.source = "eth0";
    state.host = "host0";
    state.mac = kGatewayMac;
    state.belongings = belongings_of(kernel, kernel.link("eth0")->index);
    EXPECT_EQ(state.belongings.addresses.size(), 6u);  // and the link-local one
    const UplinkState back = uplink_state_of(nlohmann::json::parse(to_json(state).dump()));
    EXPECT_EQ(back.belongings, state.belongings);
    EXPECT_EQ(back.mac, state.mac);
  });
}

TEST_F(HostNetwork, GivesBackWithoutTheOtherInterface) {
  configure_nic(*node_);
  const auto before = listing(*node_, "eth0");
  inside([](Rtnetlink& kernel) {
    const unsigned eth0 = kernel.link("eth0")->index, host0 = kernel.link("host0")->index;
    const Belongings what = belongings_of(kernel, eth0);
    relocate(kernel, what, eth0, host0);
    kernel.remove_link(host0);
    relocate(kernel, what, 0, eth0);
  });
  EXPECT_EQ(listing(*node_, "eth0"), before);
}

HostRoutesTarget target() {
  return {"host0",
          ip("10.244.0.1"),
          ip("fd00:244::1"),
          kGatewayMac,
          {prefix("10.244.0.0/16"), prefix("fd00:244::/48")},
          {}};
}

TEST_F(HostNetwork, RoutesToPodsFollowTheWantedOnes) {
  node_->ip("route add 10.250.0.0/16 dev host0 proto static");
  inside([&](Rtnetlink&) {
    HostRoutes routes;
    HostRoutesTarget wanted = target();
    EXPECT_THAT(routes.set(wanted), IsEmpty());
    EXPECT_THAT(shows("route show proto 112"), HasSubstr("10.244.0.0/16 via 10.244.0.1 dev host0 onlink"));
    EXPECT_THAT(shows("-6 route show proto 112"), HasSubstr("fd00:244::/48 via fd00:244::1 dev host0"));
    EXPECT_THAT(shows("neigh show dev host0 nud permanent"),
                HasSubstr("10.244.0.1 lladdr 02:00:00:00:00:fe"));
    EXPECT_THAT(shows("-6 neigh show dev host0 nud permanent"),
                HasSubstr("fd00:244::1 lladdr 02:00:00:00:00:fe"));

    wanted.prefixes = {prefix("10.96.0.0/12"), prefix("10.244.0.0/16")};
    wanted.mtu = 1400;
    wanted.gateway_v6.reset();
    EXPECT_THAT(routes.set(wanted), IsEmpty());
    EXPECT_THAT(shows("route show proto 112"), HasSubstr("10.96.0.0/12 via 10.244.0.1"));
    EXPECT_THAT(shows("route show 10.244.0.0/16"), HasSubstr("mtu 1400"));
    EXPECT_EQ(shows("-6 route show proto 112"), "");
    EXPECT_THAT(shows("-6 neigh show dev host0 nud permanent"), Not(HasSubstr("fd00:244::1")));

    EXPECT_THAT(routes.set(std::nullopt), IsEmpty());
    EXPECT_EQ(shows("route show proto 112"), "");
    EXPECT_EQ(shows("neigh show dev host0 nud permanent"), "");
    EXPECT_THAT(shows("route show"), HasSubstr("10.250.0.0/16")) << "what others made stays";
  });
}

TEST_F(HostNetwork, RoutesToPodsComeBackWithTheInterface) {
  inside([&](Rtnetlink& kernel) {
    HostRoutes routes;
    EXPECT_THAT(routes.set(target()), IsEmpty());
    kernel.remove_link(kernel.link("host0")->index);
    EXPECT_THAT(routes.refresh(), IsEmpty());
    EXPECT_FALSE(routes.is_interface_there());
    node_->ip("link add host0 type veth peer name far");
    EXPECT_THAT(routes.refresh(), IsEmpty());
    EXPECT_FALSE(routes.is_interface_there()) << "it is down";
    for (const char* name : {"far", "host0"}) node_->ip(fmt::format("link set {} up", name));
    EXPECT_THAT(routes.refresh(), IsEmpty());
    EXPECT_TRUE(routes.is_interface_there());
    EXPECT_THAT(shows("route show proto 112"), HasSubstr("10.244.0.0/16"));
    EXPECT_THAT(shows("neigh show dev host0 nud permanent"), HasSubstr("10.244.0.1"));
  });
}

TEST_F(HostNetwork, RoutesInTheWayAndMissingGatewaysAreToldAndTheRestIsDone) {
  node_->ip("route add 10.244.0.0/16 dev eth0");
  inside([&](Rtnetlink&) {
    HostRoutes routes;
    HostRoutesTarget wanted = target();
    wanted.gateway_v6.reset();
    wanted.prefixes.push_back(prefix("10.96.0.0/12"));
    const auto problems = routes.set(wanted);
    ASSERT_EQ(problems.size(), 2u);
    EXPECT_EQ(problems[0].path, "fd00:244::/48");
    EXPECT_EQ(problems[1].path, "10.244.0.0/16");
    EXPECT_THAT(problems[1].message, HasSubstr("in the way"));
    EXPECT_THAT(shows("route show proto 112"), HasSubstr("10.96.0.0/12"));
    EXPECT_THAT(shows("route show 10.244.0.0/16"), HasSubstr("dev eth0"));
    node_->ip("route del 10.244.0.0/16 dev eth0");
    EXPECT_EQ(routes.refresh().size(), 1u);
    EXPECT_THAT(shows("route show 10.244.0.0/16"), HasSubstr("dev host0"));
  });
}

TEST_F(HostNetwork, TenThousandRoutes) {
  inside([&](Rtnetlink& kernel) {
    HostRoutes routes;
    HostRoutesTarget wanted = target();
    wanted.prefixes.clear();
    for (int i = 0; i < 5000; ++i) {
      wanted.prefixes.push_back(prefix(fmt::format("10.{}.{}.0/24", i / 250, i % 250).c_str()));
      wanted.prefixes.push_back(prefix(fmt::format("fd00:244:0:{:x}::/64", i + 1).c_str()));
    }
    EXPECT_THAT(routes.set(wanted), IsEmpty());
    EXPECT_EQ(kernel.routes().size() >= 10'000, true);
    EXPECT_THAT(routes.refresh(), IsEmpty());
  });
}

TEST_F(HostNetwork, BlocksTheKernelFromAnInterface) {
  const Namespace outside("out");
  node_->ip(fmt::format("link set wire netns {}", outside.name()));
  node_->ip("address add 10.0.0.2/24 dev eth0");
  outside.ip("address add 10.0.0.1/24 dev wire");
  outside.ip("link set wire up");
  const std::string ping = outside.inside("ping -c1 -W1 10.0.0.2");
  EXPECT_EQ(shell(ping).code, 0);
  inside([](Rtnetlink&) {
    EXPECT_FALSE(is_ingress_blocked());
    EXPECT_FALSE(unblock_ingress());
    block_ingress("eth0");
    block_ingress("eth0");
    EXPECT_TRUE(is_ingress_blocked());
    EXPECT_THAT(error_of([] { block_ingress("nosuch"); }), HasSubstr("nosuch"));
    EXPECT_TRUE(is_ingress_blocked()) << "a refused change left nothing behind";
  });
  EXPECT_NE(shell(ping).code, 0);
  inside([](Rtnetlink&) { EXPECT_TRUE(unblock_ingress()); });
  EXPECT_EQ(shell(ping).code, 0);
}

}  // namespace
}  // namespace podswitch
