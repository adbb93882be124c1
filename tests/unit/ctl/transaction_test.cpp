// SPDX-License-Identifier: Apache-2.0
#include "ctl/transaction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ctl/objects/node_object.h"

namespace podswitch {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Mode = CommitOptions::Mode;
using Change = Transaction::Change;

const Gateway kGateway{*MacAddress::parse("02:ff:00:00:00:01"), {}};

std::string node(const std::string& name, const std::string& cidr, const std::string& ip = "") {
  nlohmann::json object{{"apiVersion", "v1"},
                        {"kind", "Node"},
                        {"metadata", {{"name", name}}},
                        {"spec", {{"podCIDRs", nlohmann::json::array({cidr})}}}};
  if (!ip.empty()) object["status"]["addresses"].push_back({{"type", "InternalIP"}, {"address", ip}});
  return object.dump();
}

std::string port(const std::string& name) {
  return R"({"kind":"Port","type":"tap","name":")" + name + R"(","ifname":")" + name + R"("})";
}

// What a transaction of `objects` leaves behind, as the journal and a restart would bring it back.
struct World {
  Desired desired;
  StoredState stored;

  std::vector<std::string> run(const std::vector<std::string>& objects, const CommitOptions& options) {
    Transaction transaction(desired, options);
    for (const std::string& object : objects) transaction.take(object);
    transaction.finish(stored, kGateway);
    for (const Edit& edit : transaction.draft().edits()) apply_edit(stored, edit);
    desired = transaction.draft().next();
    std::vector<std::string> rows;
    for (const Transaction::Row& row : transaction.rows())
      rows.push_back(std::string(to_string(row.change)) + " " + row.name);
    return rows;
  }
  std::vector<std::string> apply(const std::vector<std::string>& objects, std::vector<std::string> prune = {},
                                 bool allow_empty = false) {
    return run(objects, {Mode::Apply, std::move(prune), allow_empty});
  }
  std::string refused(const std::vector<std::string>& objects, std::vector<std::string> prune = {}) {
    try {
      apply(objects, std::move(prune));
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }
};

TEST(Transaction, TellsWhatChanges) {
  World world;
  const auto a = node("a", "10.244.1.0/24"), b = node("b", "10.244.2.0/24");
  EXPECT_THAT(world.apply({a, b, port("web")}), ElementsAre("added a", "added b", "added web"));
  EXPECT_THAT(world.apply({a, b, port("web")}), IsEmpty());
  EXPECT_THAT(world.apply({node("a", "10.244.3.0/24")}), ElementsAre("changed a"));
  EXPECT_EQ(world.stored.nodes.at("a")->spec.pod_cidrs.front().to_string(), "10.244.3.0/24");
  EXPECT_EQ(world.desired.state.nodes.at("a")->pod_cidrs, world.stored.nodes.at("a")->spec.pod_cidrs);
  EXPECT_EQ(world.desired.state.nodes.size(), 2U);
}

TEST(Transaction, PrunesOnlyWhatCameByApply) {
  World world;
  Draft by_hand(world.desired);
  by_hand.set_node(
      ClusterNode{node_from_object(nlohmann::json::parse(node("mine", "10.9.0.0/24")), "").spec});
  world.desired = by_hand.next();
  world.run({port("mine")}, {});
  const auto a = node("a", "10.244.1.0/24"), b = node("b", "10.244.2.0/24");
  world.apply({a, b, port("web"), port("db")});
  EXPECT_THAT(world.apply({a}, {"Node"}), ElementsAre("deleted b"));
  EXPECT_THAT(world.apply({port("web")}, {"Port"}), ElementsAre("deleted db"));
  EXPECT_THAT(world.refused({a}, {"Port"}), HasSubstr("prune: no object of kind Port came"));
  EXPECT_EQ(world.desired.state.ports.size(), 2U);
  EXPECT_THAT(world.apply({}, {"Node", "Port"}, true), ElementsAre("deleted a", "deleted web"));
  EXPECT_EQ(world.desired.nodes.size(), 1U);
  EXPECT_THAT(world.apply({}, {"Node", "Port"}), IsEmpty()) << "there is nothing to lose";
  EXPECT_THAT(
      world.refused({a}, {"Nod"}),
      HasSubstr("prune[0]: 'Nod' is none of Node, Port, Service, EndpointSlice; did you mean 'Node'?"));
}

TEST(Transaction, TakesOverWhatACommandMade) {
  World world;
  world.run({port("web")}, {});
  Draft by_hand(world.desired);
  by_hand.set_node(ClusterNode{node_from_object(nlohmann::json::parse(node("a", "10.9.0.0/24")), "").spec});
  world.desired = by_hand.next();
  EXPECT_THAT(world.apply({node("a", "10.9.0.0/24"), port("web")}), IsEmpty());
  EXPECT_EQ(world.stored.nodes.at("a")->source, NodeSource::Kubernetes);
  EXPECT_THAT(world.apply({}, {"Node", "Port"}, true), ElementsAre("deleted a", "deleted web"));
}

TEST(Transaction, MovesAddressesFromNodeToNode) {
  World world;
  world.apply({node("a", "10.244.1.0/24", "192.0.2.1"), node("b", "10.244.2.0/24", "192.0.2.2")});
  world.apply({node("a", "10.244.2.0/24", "192.0.2.2"), node("b", "10.244.1.0/24", "192.0.2.1")});
  // A node that is replaced by one that has its address and its pods.
  EXPECT_THAT(world.apply({node("a", "10.244.2.0/24", "192.0.2.2"), node("c", "10.244.1.0/24", "192.0.2.1")},
                          {"Node"}),
              ElementsAre("added c", "deleted b"));
}

TEST(Transaction, SaysWhichObjectClashes) {
  World world;
  world.apply({node("a", "10.244.1.0/24", "192.0.2.1")});
  const StoredState before = world.stored;
  EXPECT_THAT(world.refused({node("x", "10.7.0.0/24"), node("b", "10.244.0.0/16")}),
              HasSubstr("objects[1].spec.podCIDRs[0]: 10.244.0.0/16 overlaps 10.244.1.0/24 of node a"));
  EXPECT_THAT(world.refused({node("b", "10.7.0.0/24", "192.0.2.1")}),
              HasSubstr("objects[0].status.addresses[0].address: 192.0.2.1 is the VTEP of node a"));
  EXPECT_THAT(world.refused({node("b", "10.7.0.0/24"), node("b", "10.8.0.0/24")}),
              HasSubstr("objects[1].metadata.name: node b comes twice"));
  EXPECT_THAT(world.refused({node("b", "10.7.0.1/24"), node("c", "x")}),
              HasSubstr("objects[1].spec.podCIDRs[0]: 'x'"));
  EXPECT_EQ(world.stored, before);
  try {
    world.run({node("n", "10.7.0.0/24")}, {});
    ADD_FAILURE() << "port add took a node";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("objects[0].kind"));
  }
}

TEST(Transaction, KeepsPathsOfPortsThatAreOnlyAdded) {
  World world;
  const std::string first = R"({"type":"tap","name":"a","ifname":"same"})",
                    second = R"({"type":"tap","name":"b","ifname":"same"})";
  try {
    world.run({first, second}, {});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("ports.b.ifname"));
  }
  EXPECT_THAT(world.refused({first, second}), HasSubstr("objects[1].ifname"));
}

}  // namespace
}  // namespace podswitch
