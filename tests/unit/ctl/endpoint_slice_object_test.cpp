// SPDX-License-Identifier: Apache-2.0
#include "ctl/objects/endpoint_slice_object.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "ctl/objects/object.h"
#include "ctl/objects/service_json.h"

namespace podswitch {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const char* const kSlice = R"({
  "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
  "metadata": {"name": "web-x7.1", "namespace": "shop", "ownerReferences": [{"kind": "Service", "name": "web"}],
    "labels": {"kubernetes.io/service-name": "web", "app": "web"}},
  "endpoints": [
    {"addresses": ["10.244.1.5"], "conditions": {"ready": true, "serving": true, "terminating": false},
     "nodeName": "worker-1", "targetRef": {"kind": "Pod", "name": "web-1"}, "zone": "a"},
    {"addresses": ["10.244.2.5", "10.244.2.6"], "conditions": {"ready": false, "serving": true, "terminating": true}},
    {"addresses": ["010.244.002.007"], "conditions": {}}, {"addresses": ["10.244.2.8"]}],
  "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"},
            {"name": "any", "protocol": "TCP"}]})";

json slice_with(const char* pointer, const json& value) {
  json object = json::parse(kSlice);
  object[json::json_pointer(pointer)] = value;
  return object;
}

std::vector<std::string> problems_with(const char* pointer, const json& value) {
  try {
    slice_from_object(slice_with(pointer, value), "items[3]");
    return {};
  } catch (const Error& error) {
    std::vector<std::string> texts;
    for (const Problem& problem : error.problems()) texts.push_back(problem.path + ": " + problem.message);
    return texts;
  }
}

Endpoint endpoint(const char* ip, bool ready = true, bool serving = true, bool terminating = false,
                  const char* node = "") {
  return {*IpAddress::parse(ip), ready, serving, terminating, node};
}

TEST(EndpointSliceObject, ReadsWhatKubectlShows) {
  const EndpointSlice slice = slice_from_object(json::parse(kSlice), "");
  EXPECT_EQ(slice.name, (ObjectName{"shop", "web-x7.1"}));
  EXPECT_EQ(slice.service, "web");
  EXPECT_TRUE(slice.is_v4);
  EXPECT_THAT(slice.endpoints, ElementsAre(endpoint("10.244.1.5", true, true, false, "worker-1"),
                                           endpoint("10.244.2.5", false, true, true), endpoint("10.244.2.7"),
                                           endpoint("10.244.2.8")))
      << "what is not said is ready, serving and not terminating";
  EXPECT_THAT(slice.ports,
              ElementsAre(SlicePort{"http", Protocol::Tcp, 8080}, SlicePort{"", Protocol::Udp, 53}))
      << "a port without a number is any, which cannot be translated to";
}

TEST(EndpointSliceObject, GivesTheSameAgainByEveryForm) {
  for (const json& object :
       {json::parse(kSlice), slice_with("/addressType", "FQDN"), slice_with("/endpoints", nullptr),
        slice_with("/ports", nullptr), slice_with("/metadata/labels", nullptr),
        slice_with("/endpoints/0/conditions", {{"ready", nullptr}, {"serving", false}})}) {
    const EndpointSlice slice = slice_from_object(object, "");
    EXPECT_EQ(slice_from_object(relevant_part(object), ""), slice);
    EXPECT_EQ(slice_from_object(slice_to_object(slice), ""), slice);
    EXPECT_EQ(slice_from_json(to_json(slice)), slice);
    EXPECT_THAT(differences(slice, slice), IsEmpty());
  }
  EXPECT_THAT(relevant_part(json::parse(kSlice)).dump(), testing::Not(HasSubstr("targetRef")));
}

TEST(EndpointSliceObject, ReadsIpv6) {
  json object = slice_with("/addressType", "IPv6");
  object["endpoints"] = json::array({{{"addresses", json::array({"fd00:244::5"})}}});
  const EndpointSlice slice = slice_from_object(object, "");
  EXPECT_FALSE(slice.is_v4);
  EXPECT_THAT(slice.endpoints, ElementsAre(endpoint("fd00:244::5")));
  EXPECT_EQ(slice_from_json(to_json(slice)), slice);
}

TEST(EndpointSliceObject, BelongsToNoServiceWithoutItsName) {
  EXPECT_EQ(slice_from_object(slice_with("/metadata/labels", json::object()), "").service, "");
  EXPECT_EQ(slice_from_object(slice_with("/metadata/labels", nullptr), "").service, "");
  EXPECT_EQ(
      slice_from_object(slice_with("/metadata/labels/kubernetes.io~1service-name", "No_Service"), "").service,
      "");
  const EndpointSlice names = slice_from_object(slice_with("/addressType", "FQDN"), "");
  EXPECT_EQ(names.service, "");
  EXPECT_THAT(names.endpoints, IsEmpty());
}

TEST(EndpointSliceObject, TellsEachMistakeWithItsPath) {
  EXPECT_THAT(problems_with("/metadata/name", "a..b"),
              ElementsAre(HasSubstr("items[3].metadata.name: 'a..b'")));
  EXPECT_THAT(
      problems_with("/metadata/labels/kubernetes.io~1service-name", 7),
      ElementsAre(HasSubstr("items[3].metadata.labels[kubernetes.io/service-name]: of JSON type number")));
  EXPECT_THAT(problems_with("/addressType", "IPX"),
              testing::Contains(HasSubstr("items[3].addressType: 'IPX'")));
  EXPECT_THAT(problems_with("/endpoints/1/addresses", json::array()),
              ElementsAre(HasSubstr("items[3].endpoints[1].addresses: missing")));
  EXPECT_THAT(problems_with("/endpoints/1/addresses/0", "fd00::1"),
              ElementsAre("items[3].endpoints[1].addresses[0]: fd00::1 in a slice of IPv4 addresses"));
  EXPECT_THAT(problems_with("/endpoints/1/addresses/0", "localhost"),
              ElementsAre(HasSubstr("endpoints[1].addresses[0]: 'localhost' is no IP address")));
  EXPECT_THAT(problems_with("/endpoints/1/addresses/0", "127.0.0.1"),
              ElementsAre(HasSubstr("a loopback address")));
  EXPECT_THAT(
      problems_with("/endpoints/0/conditions/ready", "yes"),
      ElementsAre(HasSubstr("items[3].endpoints[0].conditions.ready: of JSON type string, not boolean")));
  EXPECT_THAT(problems_with("/endpoints/0/nodeName", "two words"),
              ElementsAre(HasSubstr("endpoints[0].nodeName: ")));
  EXPECT_THAT(problems_with("/endpoints/0", 1),
              ElementsAre(HasSubstr("items[3].endpoints[0]: of JSON type")));
  EXPECT_THAT(problems_with("/ports/1/port", 70000), ElementsAre(HasSubstr("items[3].ports[1].port: 70000")));
  EXPECT_THAT(problems_with("/ports/1/name", "http"),
              ElementsAre("items[3].ports[1].name: 'http' comes twice"));
  EXPECT_THAT(problems_with("/endpoints", "x"),
              ElementsAre(HasSubstr("items[3].endpoints: of JSON type string")));
}

TEST(EndpointSliceObject, HasAtMostAThousandEndpoints) {
  json endpoints = json::array();
  for (size_t i = 0; i < kMaxSliceEndpoints; ++i)
    endpoints.push_back({{"addresses", json::array({"10.0.0.1"})}});
  EXPECT_EQ(slice_from_object(slice_with("/endpoints", endpoints), "").endpoints.size(), kMaxSliceEndpoints);
  endpoints.push_back(endpoints.front());
  EXPECT_THAT(problems_with("/endpoints", endpoints),
              ElementsAre(HasSubstr("items[3].endpoints: 1001 of them")));
}

TEST(EndpointSliceObject, TellsWhatDiffers) {
  const EndpointSlice present = slice_from_object(json::parse(kSlice), "");
  EndpointSlice asked = present;
  asked.service = "shop";
  asked.endpoints = {endpoint("10.244.1.5", false, true, false, "worker-1"), endpoint("10.244.9.9"),
                     endpoint("10.244.2.5", false, true, true, "worker-2"), endpoint("10.244.2.7")};
  asked.ports.pop_back();
  EXPECT_THAT(
      differences(present, asked),
      ElementsAre("service is web, asked for shop", "ports are http 8080/TCP,53/UDP, asked for http 8080/TCP",
                  "10.244.1.5 is ready, asked for serving", "10.244.2.5 is on node '', asked for 'worker-2'",
                  "10.244.2.8 goes", "10.244.9.9 comes, ready"));
  asked = present;
  for (int i = 1; i <= 20; ++i) asked.endpoints.push_back(endpoint(("10.1.0." + std::to_string(i)).c_str()));
  EXPECT_EQ(differences(present, asked).back(), "12 more endpoints");
  asked = present;
  std::swap(asked.endpoints[0], asked.endpoints[1]);
  EXPECT_THAT(differences(present, asked), ElementsAre("endpoints are in another order, or come again"));
}

}  // namespace
}  // namespace podswitch
