// SPDX-License-Identifier: Apache-2.0
#include "ctl/objects/service_object.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "ctl/objects/object_name.h"

namespace podswitch {
namespace {

using Json = nlohmann::json;

constexpr Place kRoot{};
constexpr Place kSpec{&kRoot, "spec", 0};
constexpr Place kPorts{&kSpec, "ports", 0};
constexpr Place kClusterIp{&kSpec, "clusterIP", 0};
constexpr Place kClusterIps{&kSpec, "clusterIPs", 0};
constexpr std::string_view kNone = "None";  // the address of a headless one
constexpr ServiceType kTypes[] = {ServiceType::ClusterIp, ServiceType::NodePort, ServiceType::LoadBalancer,
                                  ServiceType::ExternalName};
constexpr size_t kMaxShown = 8;  // ports in a message

bool is_address(const std::string& text) {
  return !text.empty() && text != kNone;
}

class ServiceReader {
 public:
  ServiceReader(const Json& object, const std::string& path) : object_(object), reader_(path) {}

  ServiceSpec run() {
    service_.name = read_object_name(object_, is_dns_label, reader_);
    const Json* spec = reader_.object(object_, kRoot, "spec");
    if (spec == nullptr) {
      if (!object_.contains("spec") || object_.at("spec").is_null())
        reader_.add(kSpec, "missing: the service's type, addresses and ports");
    } else {
      read_type(*spec);
      read_addresses(*spec);
      read_ports(*spec);
    }
    reader_.check();
    return std::move(service_);
  }

 private:
  void read_type(const Json& spec) {
    const std::string* text = reader_.text(spec, kSpec, "type");
    if (text == nullptr || text->empty()) return;
    for (const ServiceType type : kTypes)
      if (*text == to_string(type)) {
        service_.type = type;
        return;
      }
    reader_.add(kSpec.member("type"),
                fmt::format("'{}' is none of ClusterIP, NodePort, LoadBalancer and ExternalName",
                            text->substr(0, 64)));
  }

  // clusterIPs, or clusterIP where that is all there is; both say the same.
  void read_addresses(const Json& spec) {
    const std::string* single = reader_.text(spec, kSpec, "clusterIP");
    const Json* list = reader_.array(spec, kSpec, "clusterIPs");
    if (single != nullptr && single->empty()) single = nullptr;
    if (list != nullptr)
      for (size_t i = 0; i < list->size(); ++i) take_element(*list, i);
    if (list == nullptr || list->empty()) {
      if (single != nullptr && is_address(*single)) take_address(*single, kClusterIp);
    } else if (single != nullptr && list->front().is_string()) {
      compare(*single, *list->front().get_ptr<const std::string*>());
    }
    // It has none of its own; a name elsewhere stands for it.
    if (service_.type == ServiceType::ExternalName) service_.cluster_ips.clear();
  }

  void take_element(const Json& list, size_t i) {
    const Place place = kClusterIps.element(i);
    if (!list[i].is_string())
      return reader_.add(place, fmt::format("of JSON type {}, not string", list[i].type_name()));
    const auto& text = *list[i].get_ptr<const std::string*>();
    if (is_address(text)) return take_address(text, place);
    if (list.size() > 1) reader_.add(place, fmt::format("'{}' beside an address", text));
  }

  void take_address(const std::string& text, const Place& place) {
    const auto ip = read_ip(text, place, reader_);
    if (!ip) return;
    for (const IpAddress& other : service_.cluster_ips)
      if (other.is_v4() == ip->is_v4())
        return reader_.add(place, fmt::format("{} is a second {} address: a service has one of each family",
                                              text, ip->is_v4() ? "IPv4" : "IPv6"));
    service_.cluster_ips.push_back(*ip);
  }

  void compare(const std::string& single, const std::string& first) {
    if (single == first) return;
    ValueReader aside("");
    const bool same = is_address(single) && is_address(first) &&
                      read_ip(single, kClusterIp, aside) == read_ip(first, kClusterIp, aside);
    if (!same)
      reader_.add(kClusterIp, fmt::format("'{}', not spec.clusterIPs[0] ('{}')", single.substr(0, 64),
                                          first.substr(0, 64)));
  }

  void read_ports(const Json& spec) {
    const Json* list = reader_.array(spec, kSpec, "ports");
    if (list == nullptr || list->empty()) {
      if (!service_.cluster_ips.empty()) reader_.add(kPorts, "missing: a service with an address has ports");
      return;
    }
    service_.ports.reserve(list->size());
    for (size_t i = 0; i < list->size(); ++i) read_port(list->at(i), kPorts.element(i), list->size() > 1);
  }

  void read_port(const Json& json, const Place& place, bool needs_name) {
    if (!reader_.is_object(json, place)) return;
    ServicePort port;
    port.name = read_port_name(json, place, reader_);
    port.protocol = read_protocol(json, place, reader_);
    const auto number = reader_.number(json, place, "port", 1);
    if (!json.contains("port")) reader_.add(place.member("port"), "missing: 1 to 65535");
    port.node_port = reader_.number(json, place, "nodePort", 0).value_or(0);
    if (needs_name && (!json.contains("name") || json.at("name") == ""))
      reader_.add(place.member("name"), "missing: each of several ports has a name");
    if (!port.name.empty() && !names_.insert(port.name).second)
      reader_.add(place.member("name"), fmt::format("'{}' comes twice", port.name));
    if (!number) return;
    port.port = *number;
    if (!numbers_.insert({port.protocol, port.port}).second)
      reader_.add(place.member("port"),
                  fmt::format("{}/{} comes twice", port.port, to_string(port.protocol)));
    service_.ports.push_back(std::move(port));
  }

  const Json& object_;
  ValueReader reader_;
  ServiceSpec service_;
  std::set<std::string> names_;
  std::set<std::pair<Protocol, uint16_t>> numbers_;
};

std::string text_of(const ServicePort& port) {
  std::string text = fmt::format("{}/{}", port.port, to_string(port.protocol));
  if (port.node_port != 0) text = fmt::format("{}:{}", text, port.node_port);
  return port.name.empty() ? text : port.name + " " + text;
}

std::string text_of(const std::vector<ServicePort>& ports) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < std::min(ports.size(), kMaxShown); ++i) texts.push_back(text_of(ports[i]));
  if (ports.size() > kMaxShown) texts.push_back(fmt::format("{} more", ports.size() - kMaxShown));
  return ports.empty() ? "none" : fmt::format("{}", fmt::join(texts, ","));
}

std::string text_of(const std::vector<IpAddress>& ips) {
  std::vector<std::string> texts;
  for (const IpAddress& ip : ips) texts.push_back(ip.to_string());
  return ips.empty() ? "none" : fmt::format("{}", fmt::join(texts, ","));
}

}  // namespace

ServiceSpec service_from_object(const Json& object, const std::string& path) {
  return ServiceReader(object, path).run();
}

Json relevant_service_part(Json object) {
  keep_only(object, {"apiVersion", "kind", "metadata", "spec"});
  if (const auto metadata = object.find("metadata"); metadata != object.end())
    keep_only(*metadata, {"name", "namespace"});
  const auto spec = object.find("spec");
  if (spec == object.end()) return object;
  keep_only(*spec, {"type", "clusterIP", "clusterIPs", "ports"});
  if (spec->is_object() && spec->contains("ports") && spec->at("ports").is_array())
    for (Json& port : spec->at("ports")) keep_only(port, {"name", "protocol", "port", "nodePort"});
  return object;
}

Json service_to_object(const ServiceSpec& service) {
  Json spec{{"type", to_string(service.type)}};
  if (service.type != ServiceType::ExternalName) {
    Json& ips = spec["clusterIPs"] = Json::array();
    for (const IpAddress& ip : service.cluster_ips) ips.push_back(ip.to_string());
    if (ips.empty()) ips.push_back(kNone);
    spec["clusterIP"] = ips.front();
  }
  for (const ServicePort& port : service.ports) {
    Json json{{"port", port.port}, {"protocol", to_string(port.protocol)}};
    if (!port.name.empty()) json["name"] = port.name;
    if (port.node_port != 0) json["nodePort"] = port.node_port;
    spec["ports"].push_back(std::move(json));
  }
  return {{"apiVersion", "v1"},
          {"kind", "Service"},
          {"metadata", {{"name", service.name.name}, {"namespace", service.name.space}}},
          {"spec", std::move(spec)}};
}

std::vector<std::string> differences(const ServiceSpec& present, const ServiceSpec& asked) {
  std::vector<std::string> found;
  const auto compare = [&](std::string_view what, std::string_view old, std::string_view now) {
    found.push_back(fmt::format("{} {}, asked for {}", what, old, now));
  };
  if (present.type != asked.type) compare("type is", to_string(present.type), to_string(asked.type));
  if (present.cluster_ips != asked.cluster_ips)
    compare("addresses are", text_of(present.cluster_ips), text_of(asked.cluster_ips));
  if (present.ports != asked.ports) compare("ports are", text_of(present.ports), text_of(asked.ports));
  return found;
}

}  // namespace podswitch
