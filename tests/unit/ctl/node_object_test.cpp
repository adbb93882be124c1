// SPDX-License-Identifier: Apache-2.0
#include "ctl/objects/node_object.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "ctl/objects/object.h"

namespace podswitch {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// As flanneld leaves a dual-stack node.
const char* const kFlannelNode = R"({
  "apiVersion": "v1", "kind": "Node",
  "metadata": {"name": "worker-1", "uid": "1", "managedFields": [{"manager": "kubelet"}],
    "annotations": {
      "flannel.alpha.coreos.com/backend-data": "{\"VNI\":1,\"VtepMAC\":\"02:00:00:00:00:01\"}",
      "flannel.alpha.coreos.com/backend-v6-data": "{\"VNI\":1,\"VtepMAC\":\"02:00:00:00:00:02\"}",
      "flannel.alpha.coreos.com/backend-type": "vxlan",
      "flannel.alpha.coreos.com/kube-subnet-manager": "true",
      "flannel.alpha.coreos.com/public-ip": "192.0.2.11",
      "flannel.alpha.coreos.com/public-ipv6": "fd00::11",
      "node.alpha.kubernetes.io/ttl": "0"}},
  "spec": {"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24", "fd00:10:244:1::/64"]},
  "status": {"addresses": [{"type": "InternalIP", "address": "198.51.100.7"}, {"type": "Hostname", "address": "worker-1"}],
             "images": [{"names": ["x"]}]}})";

std::string annotation(const char* key) {
  return std::string("flannel.alpha.coreos.com/") + key;
}

std::vector<std::string> problems_of(const json& object) {
  try {
    node_from_object(object, "items[3]");
    return {};
  } catch (const Error& error) {
    std::vector<std::string> texts;
    for (const Problem& problem : error.problems()) texts.push_back(problem.path + ": " + problem.message);
    return texts;
  }
}

// What a change to a good node is refused for.
std::vector<std::string> problems_with(const char* pointer, const json& value) {
  json object = json::parse(kFlannelNode);
  object[json::json_pointer(pointer)] = value;
  return problems_of(object);
}

TEST(NodeObject, ReadsFlannelsAnnotations) {
  const ClusterNode node = node_from_object(json::parse(kFlannelNode), "");
  EXPECT_EQ(node.spec.name, "worker-1");
  EXPECT_EQ(node.source, NodeSource::Kubernetes);
  EXPECT_EQ(node.vni, 1U);
  EXPECT_THAT(node.spec.vteps, ElementsAre(*IpAddress::parse("192.0.2.11"), *IpAddress::parse("fd00::11")));
  EXPECT_EQ(node.spec.vtep_mac->to_string(), "02:00:00:00:00:01");
  EXPECT_EQ(node.spec.vtep_mac_v6->to_string(), "02:00:00:00:00:02");
  EXPECT_EQ(node.spec.pod_cidrs.size(), 2U);
}

TEST(NodeObject, TakesTheInternalAddressesWhenFlannelSaysNothing) {
  json object = json::parse(kFlannelNode);
  object["metadata"].erase("annotations");
  object["status"]["addresses"].push_back({{"type", "InternalIP"}, {"address", "198.51.100.8"}});
  object["status"]["addresses"].push_back({{"type", "InternalIP"}, {"address", "fd00::7"}});
  const ClusterNode node = node_from_object(object, "");
  EXPECT_THAT(node.spec.vteps, ElementsAre(*IpAddress::parse("198.51.100.7"), *IpAddress::parse("fd00::7")));
  EXPECT_FALSE(node.spec.vtep_mac);
  // A node that Flannel does not manage by its object.
  object = json::parse(kFlannelNode);
  object["metadata"]["annotations"][annotation("kube-subnet-manager")] = "false";
  EXPECT_THAT(node_from_object(object, "").spec.vteps, ElementsAre(*IpAddress::parse("198.51.100.7")));
}

TEST(NodeObject, TakesANodeThatHasJustJoined) {
  const ClusterNode node = node_from_object(
      json::parse(R"({"metadata":{"name":"new","annotations":null},"spec":{"podCIDRs":null}})"), "");
  EXPECT_THAT(node.spec.pod_cidrs, IsEmpty());
  EXPECT_THAT(node.spec.vteps, IsEmpty());
}

TEST(NodeObject, TakesOtherBackendsData) {
  for (const char* data : {"null", ""}) {
    json object = json::parse(kFlannelNode);
    json& annotations = object["metadata"]["annotations"];
    annotations[annotation("backend-type")] = "host-gw";
    annotations[annotation("backend-data")] = data;
    annotations.erase(annotation("backend-v6-data"));
    EXPECT_FALSE(node_from_object(object, "").spec.vtep_mac) << data;
  }
}

TEST(NodeObject, SaysWhere) {
  EXPECT_THAT(
      problems_with("/spec/podCIDRs/1", "10.244.2.9/24"),
      ElementsAre("items[3].spec.podCIDRs[1]: '10.244.2.9/24' has bits set behind the prefix: the network is "
                  "10.244.2.0/24"));
  EXPECT_THAT(problems_with("/spec/podCIDRs/1", 7),
              ElementsAre(HasSubstr("spec.podCIDRs[1]: of JSON type number")));
  EXPECT_THAT(problems_with("/spec/podCIDR", "10.244.2.0/24"),
              ElementsAre(HasSubstr("spec.podCIDR: \"10.244.2.0/24\", not")));
  EXPECT_THAT(problems_with("/spec", json::array()),
              ElementsAre(HasSubstr("items[3].spec: of JSON type array, not object")));
  EXPECT_THAT(problems_with("/metadata/name", "A b"),
              ElementsAre(HasSubstr("items[3].metadata.name: 'A b'")));
  EXPECT_THAT(problems_with("/metadata", nullptr), ElementsAre(HasSubstr("items[3].metadata.name: missing")));
  const std::string flannel = "items[3].metadata.annotations[flannel.alpha.coreos.com/";
  const auto with = [&](const char* key, const json& value) {
    json object = json::parse(kFlannelNode);
    object["metadata"]["annotations"][annotation(key)] = value;
    return problems_of(object);
  };
  EXPECT_THAT(with("public-ip", "1.2.3"), ElementsAre(HasSubstr(flannel + "public-ip]: '1.2.3' is not")));
  EXPECT_THAT(with("public-ip", 1), ElementsAre(HasSubstr(flannel + "public-ip]: of JSON type number")));
  EXPECT_THAT(with("backend-data", "{"),
              ElementsAre(HasSubstr(flannel + "backend-data]: not a JSON object")));
  EXPECT_THAT(with("backend-data", R"({"VtepMAC":"x"})"),
              ElementsAre(HasSubstr(flannel + "backend-data].VtepMAC: 'x'")));
  EXPECT_THAT(with("backend-data", R"({"VNI":16777216})"), ElementsAre(HasSubstr("0 to 16777215")));
  EXPECT_THAT(with("backend-v6-data", R"({"VNI":2})"), ElementsAre(HasSubstr("but 1 for IPv4")));
  EXPECT_THAT(with("backend-type", "wireguard"), ElementsAre(HasSubstr("no counterpart")));
  json object = json::parse(kFlannelNode);
  object["metadata"].erase("annotations");
  object["status"]["addresses"][0]["address"] = "nowhere";
  EXPECT_THAT(problems_of(object), ElementsAre(HasSubstr("items[3].status.addresses[0].address: 'nowhere'")));
}

TEST(NodeObject, WhatIsSentIsEnough) {
  const json object = json::parse(kFlannelNode), sent = relevant_part(object);
  EXPECT_EQ(node_from_object(sent, ""), node_from_object(object, ""));
  EXPECT_LT(sent.dump().size(), object.dump().size());
  EXPECT_FALSE(sent.at("status").contains("images"));
  // What is wrong stays wrong.
  json wrong = object;
  wrong["spec"] = 7;
  EXPECT_EQ(problems_of(relevant_part(wrong)), problems_of(wrong));
}

TEST(NodeObject, GivesItselfBack) {
  const ClusterNode whole = node_from_object(json::parse(kFlannelNode), "");
  EXPECT_EQ(node_from_object(node_to_object(whole), ""), whole);
  for (const bool has_v4 : {false, true})
    for (const bool has_v6 : {false, true})
      for (const bool has_mac : {false, true})
        for (const bool has_vni : {false, true})
          for (const size_t cidrs : {0, 1, 3}) {
            ClusterNode node = whole;
            node.spec.vteps.clear();
            if (has_v4) node.spec.vteps.push_back(*IpAddress::parse("192.0.2.1"));
            if (has_v6) node.spec.vteps.push_back(*IpAddress::parse("fd00::1"));
            node.spec.vtep_mac_v6.reset();
            if (!has_mac) node.spec.vtep_mac.reset();
            if (!has_vni) node.vni.reset();
            node.spec.pod_cidrs.clear();
            for (size_t i = 0; i < cidrs; ++i)
              node.spec.pod_cidrs.push_back(*Prefix::parse("10.244." + std::to_string(i) + ".0/24"));
            EXPECT_EQ(node_from_object(node_to_object(node), ""), node) << node_to_object(node).dump(2);
          }
}

TEST(NodeObject, FindsTheValueThatClashes) {
  const json object = json::parse(kFlannelNode);
  EXPECT_EQ(place_of(object, {"worker-1", false, *Prefix::parse("fd00:10:244:1::/64"), ""}),
            "spec.podCIDRs[1]");
  EXPECT_EQ(place_of(object, {"worker-1", true, *Prefix::parse("fd00::11/128"), ""}),
            "metadata.annotations[flannel.alpha.coreos.com/public-ipv6]");
  EXPECT_EQ(place_of(object, {"worker-1", true, *Prefix::parse("198.51.100.7/32"), ""}),
            "status.addresses[0].address");
}

TEST(Object, IsKnownByItsKind) {
  const auto kind = [](const char* text) { return kind_of(json::parse(text)); };
  EXPECT_EQ(kind(R"({"kind":"Node","apiVersion":"v1"})"), ObjectKind::Node);
  EXPECT_EQ(kind(R"({"kind":"Port"})"), ObjectKind::Port);
  EXPECT_EQ(kind(R"({"name":"web","type":"tap"})"), ObjectKind::Port);
  EXPECT_EQ(kind(R"({"kind":"Node","apiVersion":"metal.example/v1"})"), std::nullopt);
  EXPECT_EQ(kind(R"({"kind":"Pod","apiVersion":"v1"})"), std::nullopt);
  EXPECT_THROW(kind("{}"), Error);
  EXPECT_THROW(kind(R"({"kind":7})"), Error);
}

}  // namespace
}  // namespace podswitch
