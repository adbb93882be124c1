// SPDX-License-Identifier: Apache-2.0
#include "ctl/objects/cluster_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace podswitch {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Texts {
  std::string name = "a";
  std::vector<std::string> vteps{}, cidrs{};
  std::string mac{}, mac_v6{};
};

NodeSpec make(const Texts& texts, std::vector<Problem>& problems) {
  NodeBuilder builder(problems);
  builder.name(texts.name, "name");
  for (const auto& vtep : texts.vteps) builder.vtep(vtep, "vtep");
  for (const auto& cidr : texts.cidrs) builder.pod_cidr(cidr, "cidr");
  if (!texts.mac.empty()) builder.vtep_mac(texts.mac, "mac");
  if (!texts.mac_v6.empty()) builder.vtep_mac_v6(texts.mac_v6, "mac-v6");
  return builder.finish();
}

NodeSpec good(const Texts& texts) {
  std::vector<Problem> problems;
  NodeSpec spec = make(texts, problems);
  EXPECT_TRUE(problems.empty()) << problems.front().message;
  return spec;
}

std::string problem(const Texts& texts) {
  std::vector<Problem> problems;
  make(texts, problems);
  return problems.empty() ? "" : problems.front().path + ": " + problems.front().message;
}

ClusterNodes nodes_of(const std::vector<Texts>& list) {
  ClusterNodes nodes;
  for (const Texts& texts : list)
    nodes[texts.name] = std::make_shared<const ClusterNode>(ClusterNode{good(texts)});
  return nodes;
}

std::vector<std::string> conflicts(const std::vector<Texts>& list, const std::set<std::string>& fresh) {
  std::vector<std::string> found;
  for (const NodeConflict& conflict : find_node_conflicts(nodes_of(list), fresh))
    found.push_back(conflict.node + ": " + conflict.message);
  return found;
}

TEST(NodeBuilder, SortsWhatItTakes) {
  const NodeSpec spec = good({.vteps = {"fd00::1", "192.0.2.1"},
                              .cidrs = {"fd00:10::/64", "10.244.2.0/24", "10.244.1.0/24"},
                              .mac = "02:00:00:00:00:01",
                              .mac_v6 = "02:00:00:00:00:02"});
  EXPECT_THAT(spec.vteps, ElementsAre(*IpAddress::parse("192.0.2.1"), *IpAddress::parse("fd00::1")));
  EXPECT_TRUE(std::is_sorted(spec.pod_cidrs.begin(), spec.pod_cidrs.end()));
  EXPECT_EQ(spec.vtep_mac_v6->to_string(), "02:00:00:00:00:02");
}

TEST(NodeBuilder, SaysOneMacOnce) {
  const std::string mac = "02:00:00:00:00:01";
  EXPECT_EQ(good({.mac = mac, .mac_v6 = mac}), good({.mac = mac}));
  EXPECT_EQ(good({.mac_v6 = mac}), good({.mac = mac}));
}

TEST(NodeBuilder, SaysWhatWouldBeRight) {
  EXPECT_THAT(problem({.name = "Node_1"}), HasSubstr("name: 'Node_1' is no node's name"));
  EXPECT_THAT(problem({.name = std::string(254, 'a')}), HasSubstr("1 to 253"));
  EXPECT_THAT(problem({.vteps = {"192.0.2.1/24"}}), HasSubstr("vtep: '192.0.2.1/24' is not an IPv4"));
  EXPECT_THAT(problem({.vteps = {"224.0.0.1"}}), HasSubstr("multicast"));
  EXPECT_THAT(problem({.vteps = {"fe80::1"}}), HasSubstr("link-local"));
  EXPECT_THAT(problem({.vteps = {"::1"}}), HasSubstr("loopback"));
  EXPECT_THAT(problem({.vteps = {"192.0.2.1", "192.0.2.2"}}), HasSubstr("second IPv4 address"));
  EXPECT_THAT(problem({.cidrs = {"10.244.1.7/24"}}), HasSubstr("the network is 10.244.1.0/24"));
  EXPECT_THAT(problem({.cidrs = {"fd00:1::7/64"}}), HasSubstr("the network is fd00:1::/64"));
  EXPECT_THAT(problem({.cidrs = {"10.244.1.0"}}), HasSubstr("not a CIDR such as"));
  EXPECT_THAT(problem({.cidrs = {"10.244.1.0/33"}}), HasSubstr("not a CIDR such as"));
  EXPECT_THAT(problem({.cidrs = {"0.0.0.0/0"}}), HasSubstr("every address"));
  EXPECT_THAT(problem({.cidrs = {"::/0"}}), HasSubstr("every address"));
  EXPECT_THAT(problem({.cidrs = {"10.0.0.0/8", "10.244.0.0/16"}}),
              HasSubstr("overlaps 10.0.0.0/8 of the same node"));
  EXPECT_THAT(problem({.mac = "01:00:00:00:00:01"}), HasSubstr("unicast"));
  EXPECT_THAT(problem({.mac = "00:00:00:00:00:00"}), HasSubstr("not zero"));
}

TEST(NodeConflicts, AreFoundAmongTheNewAndBesideTheOld) {
  const Texts a{.name = "a", .vteps = {"192.0.2.1"}, .cidrs = {"10.244.0.0/16"}};
  EXPECT_THAT(conflicts({a, {.name = "b", .cidrs = {"10.245.0.0/16", "fd00::/16"}}}, {"a", "b"}), IsEmpty());
  for (const std::set<std::string>& fresh : {std::set<std::string>{"a"}, {"b"}, {"a", "b"}}) {
    EXPECT_THAT(conflicts({a, {.name = "b", .cidrs = {"10.244.7.0/24"}}}, fresh),
                ElementsAre(HasSubstr("10.244.7.0/24")))
        << fresh.size();
    EXPECT_THAT(conflicts({a, {.name = "b", .cidrs = {"10.0.0.0/8"}}}, fresh),
                ElementsAre(HasSubstr("overlaps")));
    EXPECT_THAT(conflicts({a, {.name = "b", .vteps = {"192.0.2.1"}}}, fresh),
                ElementsAre(HasSubstr("192.0.2.1 is the VTEP of node")));
  }
  // The new one is to blame, whichever is the larger.
  EXPECT_THAT(conflicts({a, {.name = "b", .cidrs = {"10.0.0.0/8"}}}, {"b"}),
              ElementsAre(testing::StartsWith("b: ")));
  EXPECT_THAT(conflicts({a, {.name = "b", .cidrs = {"10.244.7.0/24"}}}, {"a"}),
              ElementsAre(testing::StartsWith("a: ")));
}

TEST(NodeConflicts, AgreeWithComparingEachWithEach) {
  // Every IPv4 prefix of length 28 to 32 in a /28, and the same in IPv6, two at a time.
  std::vector<std::string> cidrs;
  for (unsigned length = 28; length <= 32; ++length)
    for (unsigned n = 0; n < 16; n += 1U << (32 - length)) {
      cidrs.push_back("10.0.0." + std::to_string(n) + "/" + std::to_string(length));
      char text[32];
      std::snprintf(text, sizeof text, "fd00::%x/%u", n, length + 96);
      cidrs.emplace_back(text);
    }
  for (const std::string& x : cidrs)
    for (const std::string& y : cidrs) {
      const bool expected = Prefix::parse(x)->overlaps(*Prefix::parse(y));
      const std::vector<Texts> list{{.name = "a", .cidrs = {x}},
                                    {.name = "b", .cidrs = {y, "192.168.0.0/16"}}};
      ASSERT_EQ(!conflicts(list, {"b"}).empty(), expected) << x << " " << y;
      ASSERT_EQ(!conflicts(list, {"a", "b"}).empty(), expected) << x << " " << y;
    }
}

TEST(ClusterNode, JsonGivesTheSameBack) {
  const ClusterNode node{good({.vteps = {"192.0.2.1", "fd00::1"},
                               .cidrs = {"10.244.1.0/24", "fd00:1::/64"},
                               .mac = "02:00:00:00:00:01",
                               .mac_v6 = "02:00:00:00:00:02"}),
                         NodeSource::Kubernetes, 7};
  EXPECT_EQ(cluster_node_from_json(to_json(node)), node);
  const ClusterNode plain{good({.cidrs = {"10.244.1.0/24"}})};
  EXPECT_EQ(cluster_node_from_json(to_json(plain)), plain);
  EXPECT_THROW(cluster_node_from_json({{"name", "a"}}), nlohmann::json::exception);
}

TEST(ClusterNode, TellsDifferences) {
  const ClusterNode a{good({.cidrs = {"10.244.1.0/24"}})};
  ClusterNode b{good({.cidrs = {"10.244.2.0/24"}}), NodeSource::Kubernetes};
  EXPECT_THAT(differences(a, b), ElementsAre("pod CIDRs are 10.244.1.0/24, asked for 10.244.2.0/24"));
  EXPECT_THAT(differences(a, ClusterNode{a.spec, NodeSource::Kubernetes}), IsEmpty());
}

}  // namespace
}  // namespace podswitch
