// SPDX-License-Identifier: Apache-2.0
#include "ctl/objects/service_object.h"

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

// As kubectl shows one of both families.
const char* const kService = R"({
  "apiVersion": "v1", "kind": "Service",
  "metadata": {"name": "web", "namespace": "shop", "uid": "1", "labels": {"app": "web"}, "managedFields": [{}]},
  "spec": {"clusterIP": "10.96.0.10", "clusterIPs": ["10.96.0.10", "fd00:96::10"], "type": "NodePort",
    "internalTrafficPolicy": "Cluster", "ipFamilies": ["IPv4", "IPv6"], "selector": {"app": "web"},
    "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http", "nodePort": 30080},
              {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 5353},
              {"name": "sig", "port": 80, "protocol": "SCTP"}]},
  "status": {"loadBalancer": {}}})";

json service_with(const char* pointer, const json& value) {
  json object = json::parse(kService);
  object[json::json_pointer(pointer)] = value;
  return object;
}

std::vector<std::string> problems_of(const json& object) {
  try {
    service_from_object(object, "items[3]");
    return {};
  } catch (const Error& error) {
    std::vector<std::string> texts;
    for (const Problem& problem : error.problems()) texts.push_back(problem.path + ": " + problem.message);
    return texts;
  }
}

// What a change to a good service is refused for.
std::vector<std::string> problems_with(const char* pointer, const json& value) {
  return problems_of(service_with(pointer, value));
}

std::vector<std::string> ips_of(const json& object) {
  std::vector<std::string> texts;
  for (const IpAddress& ip : service_from_object(object, "").cluster_ips) texts.push_back(ip.to_string());
  return texts;
}

TEST(ServiceObject, ReadsWhatKubectlShows) {
  const ServiceSpec service = service_from_object(json::parse(kService), "");
  EXPECT_EQ(service.name, (ObjectName{"shop", "web"}));
  EXPECT_EQ(service.type, ServiceType::NodePort);
  EXPECT_THAT(ips_of(json::parse(kService)), ElementsAre("10.96.0.10", "fd00:96::10"));
  EXPECT_THAT(service.ports, ElementsAre(ServicePort{"http", Protocol::Tcp, 80, 30080},
                                         ServicePort{"dns", Protocol::Udp, 53, 0},
                                         ServicePort{"sig", Protocol::Sctp, 80, 0}));
}

TEST(ServiceObject, GivesTheSameAgainByEveryForm) {
  for (const json& object :
       {json::parse(kService), service_with("/spec/clusterIPs", json::array({"10.96.0.10"})),
        service_with("/spec/type", "ExternalName"), service_with("/metadata/namespace", nullptr)}) {
    const ServiceSpec service = service_from_object(object, "");
    EXPECT_EQ(service_from_object(relevant_part(object), ""), service);
    EXPECT_EQ(service_from_object(service_to_object(service), ""), service);
    EXPECT_EQ(service_from_json(to_json(service)), service);
    EXPECT_THAT(differences(service, service), IsEmpty());
  }
  EXPECT_THAT(relevant_part(json::parse(kService)).dump(), testing::Not(HasSubstr("selector")));
}

TEST(ServiceObject, HasDefaults) {
  const json object =
      json::parse(R"({"metadata":{"name":"a"},"spec":{"clusterIP":"10.96.0.1","ports":[{"port":80}]}})");
  const ServiceSpec service = service_from_object(object, "");
  EXPECT_EQ(service.name.space, "default");
  EXPECT_EQ(service.type, ServiceType::ClusterIp);
  EXPECT_THAT(ips_of(object), ElementsAre("10.96.0.1")) << "where there are no clusterIPs";
  EXPECT_THAT(service.ports, ElementsAre(ServicePort{"", Protocol::Tcp, 80, 0}));
}

TEST(ServiceObject, TakesZerosThatLeadForDecimal) {
  json object = service_with("/spec/clusterIPs", json::array({"010.096.000.010", "fd00:96::10"}));
  EXPECT_THAT(ips_of(object), ElementsAre("10.96.0.10", "fd00:96::10"));
  EXPECT_THAT(problems_with("/spec/clusterIPs", json::array({"10.96.0.1000"})),
              testing::Contains(HasSubstr("items[3].spec.clusterIPs[0]: '10.96.0.1000' is no IP address")));
}

TEST(ServiceObject, HeadlessHasNoAddress) {
  json object = service_with("/spec/clusterIP", "None");
  object["spec"]["clusterIPs"] = json::array({"None"});
  EXPECT_THAT(ips_of(object), IsEmpty());
  EXPECT_THAT(ips_of(service_to_object(service_from_object(object, ""))), IsEmpty());
  object["spec"]["clusterIP"] = "";
  object["spec"].erase("clusterIPs");
  object["spec"].erase("ports");
  EXPECT_THAT(ips_of(object), IsEmpty());
  EXPECT_THAT(ips_of(service_with("/spec/type", "ExternalName")), IsEmpty());
}

TEST(ServiceObject, TellsEachMistakeWithItsPath) {
  EXPECT_THAT(problems_with("/metadata/name", "Web"),
              ElementsAre(HasSubstr("items[3].metadata.name: 'Web'")));
  EXPECT_THAT(problems_with("/metadata/name", std::string(64, 'a')),
              ElementsAre(HasSubstr("items[3].metadata.name: ")));
  EXPECT_THAT(problems_with("/metadata/namespace", "a.b"),
              ElementsAre(HasSubstr("items[3].metadata.namespace: ")));
  EXPECT_THAT(problems_with("/spec", nullptr), ElementsAre(HasSubstr("items[3].spec: missing")));
  EXPECT_THAT(problems_with("/spec/type", "Magic"),
              ElementsAre(HasSubstr("items[3].spec.type: 'Magic' is none")));
  EXPECT_THAT(problems_with("/spec/clusterIP", "10.96.0.11"),
              ElementsAre("items[3].spec.clusterIP: '10.96.0.11', not spec.clusterIPs[0] ('10.96.0.10')"));
  EXPECT_THAT(problems_with("/spec/clusterIP", "None"),
              ElementsAre(HasSubstr("items[3].spec.clusterIP: 'None'")));
  EXPECT_THAT(problems_with("/spec/clusterIPs/1", "10.96.0.11"),
              ElementsAre(HasSubstr("items[3].spec.clusterIPs[1]: 10.96.0.11 is a second IPv4 address")));
  EXPECT_THAT(problems_with("/spec/clusterIPs/1", "None"),
              ElementsAre(HasSubstr("'None' beside an address")));
  EXPECT_THAT(problems_with("/spec/clusterIPs/1", 7),
              ElementsAre(HasSubstr("of JSON type number, not string")));
  EXPECT_THAT(problems_with("/spec/clusterIPs/1", "ff02::1"), ElementsAre(HasSubstr("a multicast address")));
  EXPECT_THAT(problems_with("/spec/ports", json::array()),
              ElementsAre(HasSubstr("items[3].spec.ports: missing")));
  EXPECT_THAT(problems_with("/spec/ports/1/port", 0),
              ElementsAre(HasSubstr("items[3].spec.ports[1].port: 0 is no")));
  EXPECT_THAT(problems_with("/spec/ports/1/port", "53"),
              ElementsAre(HasSubstr("spec.ports[1].port: \"53\" is no")));
  EXPECT_THAT(problems_with("/spec/ports/1/nodePort", 65536),
              ElementsAre(HasSubstr("ports[1].nodePort: 65536")));
  EXPECT_THAT(problems_with("/spec/ports/1/protocol", "ICMP"),
              ElementsAre(HasSubstr("ports[1].protocol: 'ICMP'")));
  EXPECT_THAT(problems_with("/spec/ports/1/name", "http"),
              ElementsAre("items[3].spec.ports[1].name: 'http' comes twice"));
  EXPECT_THAT(problems_with("/spec/ports/1/name", "DNS"),
              ElementsAre(HasSubstr("ports[1].name: 'DNS' is no port")));
  EXPECT_THAT(problems_with("/spec/ports/2/protocol", "TCP"),
              ElementsAre("items[3].spec.ports[2].port: 80/TCP comes twice"));
  EXPECT_THAT(problems_with("/spec/ports/1", "x"),
              ElementsAre(HasSubstr("items[3].spec.ports[1]: of JSON type")));
  json nameless = json::parse(kService);
  nameless["spec"]["ports"][1].erase("name");
  nameless["spec"]["ports"][2].erase("port");
  EXPECT_THAT(problems_of(nameless),
              ElementsAre(HasSubstr("ports[1].name: missing"), HasSubstr("ports[2].port: missing")));
}

TEST(ServiceObject, KeepsTheListOfProblemsShort) {
  json ports = json::array();
  for (int i = 0; i < 1000; ++i) ports.push_back("x");
  EXPECT_EQ(problems_with("/spec/ports", ports).size(), 100U);
}

TEST(ServiceObject, TellsWhatDiffers) {
  const ServiceSpec present = service_from_object(json::parse(kService), "");
  json object = service_with("/spec/type", "ClusterIP");
  object["spec"]["clusterIPs"] = json::array({"10.96.0.10"});
  object["spec"]["ports"] = json::array({{{"port", 81}}});
  EXPECT_THAT(differences(present, service_from_object(object, "")),
              ElementsAre("type is NodePort, asked for ClusterIP",
                          "addresses are 10.96.0.10,fd00:96::10, asked for 10.96.0.10",
                          "ports are http 80/TCP:30080,dns 53/UDP,sig 80/SCTP, asked for 81/TCP"));
}

}  // namespace
}  // namespace podswitch
