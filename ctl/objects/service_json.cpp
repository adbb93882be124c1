// SPDX-License-Identifier: Apache-2.0
#include "ctl/objects/service_json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "ctl/objects/object_name.h"
#include "pmd/error.h"

namespace podswitch {
namespace {

using Json = nlohmann::json;

Protocol protocol_of(const Json& json) {
  const auto number = json.get<int>();
  for (const Protocol protocol : {Protocol::Tcp, Protocol::Udp, Protocol::Sctp})
    if (number == static_cast<int>(protocol)) return protocol;
  throw Error("", fmt::format("no protocol has number {}", number));
}

IpAddress ip_of(std::string_view text) {
  const auto ip = IpAddress::parse(text);
  if (!ip) throw Error("", fmt::format("'{}' is no IP address", text));
  return *ip;
}

// "10.0.0.1 rs- NODE": ready, serving, terminating.
std::string text_of(const Endpoint& endpoint) {
  std::string text = endpoint.ip.to_string();
  text += ' ';
  text += endpoint.ready ? 'r' : '-';
  text += endpoint.serving ? 's' : '-';
  text += endpoint.terminating ? 't' : '-';
  text += ' ';
  return text += endpoint.node;
}

Endpoint endpoint_of(std::string_view text) {
  const size_t end = text.find(' ');
  if (end == std::string_view::npos || text.size() < end + 5 || text[end + 4] != ' ')
    throw Error("", fmt::format("'{}' is no endpoint", text));
  Endpoint endpoint;
  endpoint.ip = ip_of(text.substr(0, end));
  endpoint.ready = text[end + 1] == 'r';
  endpoint.serving = text[end + 2] == 's';
  endpoint.terminating = text[end + 3] == 't';
  endpoint.node = text.substr(end + 5);
  return endpoint;
}

}  // namespace

Json to_json(const ServiceSpec& service) {
  Json json{{"name", to_string(service.name)}, {"type", static_cast<int>(service.type)}};
  Json& ips = json["ips"] = Json::array();
  for (const IpAddress& ip : service.cluster_ips) ips.push_back(ip.to_string());
  Json& ports = json["ports"] = Json::array();
  for (const ServicePort& port : service.ports)
    ports.push_back(Json::array({port.name, static_cast<int>(port.protocol), port.port, port.node_port}));
  return json;
}

ServiceSpec service_from_json(const Json& json) {
  ServiceSpec service;
  service.name = parse_object_name(json.at("name").get<std::string>());
  const auto type = json.at("type").get<int>();
  if (type < 0 || type > static_cast<int>(ServiceType::ExternalName))
    throw Error("", fmt::format("no type of service has number {}", type));
  service.type = static_cast<ServiceType>(type);
  for (const Json& ip : json.at("ips")) service.cluster_ips.push_back(ip_of(ip.get<std::string>()));
  for (const Json& port : json.at("ports"))
    service.ports.push_back({port.at(0).get<std::string>(), protocol_of(port.at(1)),
                             port.at(2).get<uint16_t>(), port.at(3).get<uint16_t>()});
  return service;
}

Json to_json(const EndpointSlice& slice) {
  Json json{{"name", to_string(slice.name)}, {"of", slice.service}, {"v4", slice.is_v4}};
  Json& endpoints = json["endpoints"] = Json::array();
  for (const Endpoint& endpoint : slice.endpoints) endpoints.push_back(text_of(endpoint));
  Json& ports = json["ports"] = Json::array();
  for (const SlicePort& port : slice.ports)
    ports.push_back(Json::array({port.name, static_cast<int>(port.protocol), port.port}));
  return json;
}

EndpointSlice slice_from_json(const Json& json) {
  EndpointSlice slice;
  slice.name = parse_object_name(json.at("name").get<std::string>());
  slice.service = json.at("of").get<std::string>();
  slice.is_v4 = json.at("v4").get<bool>();
  slice.endpoints.reserve(json.at("endpoints").size());
  for (const Json& endpoint : json.at("endpoints"))
    slice.endpoints.push_back(endpoint_of(endpoint.get_ref<const std::string&>()));
  for (const Json& port : json.at("ports"))
    slice.ports.push_back(
        {port.at(0).get<std::string>(), protocol_of(port.at(1)), port.at(2).get<uint16_t>()});
  return slice;
}

}  // namespace podswitch
