// SPDX-License-Identifier: Apache-2.0
#include "ctl/objects/endpoint_slice_object.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "ctl/objects/object_name.h"

namespace podswitch {
namespace {

using Json = nlohmann::json;

constexpr const char* kServiceName = "kubernetes.io/service-name";
constexpr Place kRoot{};
constexpr Place kMetadata{&kRoot, "metadata", 0};
constexpr Place kLabels{&kMetadata, "labels", 0};
constexpr Place kAddressType{&kRoot, "addressType", 0};
constexpr Place kEndpoints{&kRoot, "endpoints", 0};
constexpr Place kPorts{&kRoot, "ports", 0};
constexpr std::pair<const char*, bool> kMeantAnyway[] = {
    {"ready", true}, {"serving", true}, {"terminating", false}};
constexpr size_t kMaxShown = 8;  // differences

class SliceReader {
 public:
  SliceReader(const Json& object, const std::string& path) : object_(object), reader_(path) {}

  EndpointSlice run() {
    slice_.name = read_object_name(object_, is_dns_subdomain, reader_);
    const bool has_addresses = read_type();
    if (has_addresses) {
      read_service();
      read_endpoints();
      read_ports();
    }
    reader_.check();
    return std::move(slice_);
  }

 private:
  // False for one of names.
  bool read_type() {
    const std::string* type = reader_.text(object_, kRoot, "addressType");
    if (type == nullptr) {
      if (!object_.contains("addressType")) reader_.add(kAddressType, "missing: IPv4, IPv6 or FQDN");
      return true;
    }
    slice_.is_v4 = *type != "IPv6";
    if (*type != "IPv4" && *type != "IPv6" && *type != "FQDN")
      reader_.add(kAddressType, fmt::format("'{}' is none of IPv4, IPv6 and FQDN", type->substr(0, 64)));
    return *type != "FQDN";
  }

  void read_service() {
    const Json* metadata = reader_.object(object_, kRoot, "metadata");
    const Json* labels = metadata == nullptr ? nullptr : reader_.object(*metadata, kMetadata, "labels");
    const std::string* service = labels == nullptr ? nullptr : reader_.text(*labels, kLabels, kServiceName);
    // A label may say what no service can be named: then it has none.
    if (service != nullptr && is_dns_label(*service)) slice_.service = *service;
  }

  void read_endpoints() {
    const Json* list = reader_.array(object_, kRoot, "endpoints");
    if (list == nullptr) return;
    if (list->size() > kMaxSliceEndpoints)
      return reader_.add(kEndpoints,
                         fmt::format("{} of them: a slice has at most {}", list->size(), kMaxSliceEndpoints));
    slice_.endpoints.reserve(list->size());
    for (size_t i = 0; i < list->size(); ++i) read_endpoint((*list)[i], kEndpoints.element(i));
  }

  void read_endpoint(const Json& json, const Place& place) {
    if (!reader_.is_object(json, place)) return;
    Endpoint endpoint;
    read_address(json, place, endpoint);
    if (const Json* conditions = reader_.object(json, place, "conditions")) {
      const Place at = place.member("conditions");
      endpoint.ready = reader_.flag(*conditions, at, "ready", true);
      endpoint.serving = reader_.flag(*conditions, at, "serving", true);
      endpoint.terminating = reader_.flag(*conditions, at, "terminating", false);
    }
    if (const std::string* node = reader_.text(json, place, "nodeName"); node != nullptr && !node->empty()) {
      if (is_dns_subdomain(*node))
        endpoint.node = *node;
      else
        reader_.add(place.member("nodeName"),
                    fmt::format("'{}' is no node's name", node->substr(0, kMaxSubdomainBytes)));
    }
    slice_.endpoints.push_back(std::move(endpoint));
  }

  void read_address(const Json& json, const Place& place, Endpoint& endpoint) {
    const Place at = place.member("addresses");
    const Json* list = reader_.array(json, place, "addresses");
    if (list == nullptr || list->empty()) return reader_.add(at, "missing: the endpoint's address");
    const Json& first = list->front();
    if (!first.is_string())
      return reader_.add(at.element(0), fmt::format("of JSON type {}, not string", first.type_name()));
    const auto ip = read_ip(*first.get_ptr<const std::string*>(), at.element(0), reader_);
    if (!ip) return;
    if (ip->is_v4() != slice_.is_v4)
      return reader_.add(at.element(0), fmt::format("{} in a slice of {} addresses", ip->to_string(),
                                                    slice_.is_v4 ? "IPv4" : "IPv6"));
    endpoint.ip = *ip;
  }

  void read_ports() {
    const Json* list = reader_.array(object_, kRoot, "ports");
    if (list == nullptr) return;
    if (list->size() > kMaxSlicePorts)
      return reader_.add(kPorts,
                         fmt::format("{} of them: a slice has at most {}", list->size(), kMaxSlicePorts));
    std::set<std::string> names;
    for (size_t i = 0; i < list->size(); ++i) {
      const Json& json = (*list)[i];
      const Place place = kPorts.element(i);
      if (!reader_.is_object(json, place)) continue;
      SlicePort port{read_port_name(json, place, reader_), read_protocol(json, place, reader_), 0};
      if (!names.insert(port.name).second)
        reader_.add(place.member("name"), fmt::format("'{}' comes twice", port.name));
      const auto number = reader_.number(json, place, "port", 1);
      if (!number) continue;  // without one it stands for any, which nothing can be translated to
      port.port = *number;
      slice_.ports.push_back(std::move(port));
    }
  }

  const Json& object_;
  ValueReader reader_;
  EndpointSlice slice_;
};

std::string state_of(const Endpoint& endpoint) {
  std::string text = endpoint.ready ? "ready" : endpoint.serving ? "serving" : "not ready";
  if (endpoint.ready && !endpoint.serving) text += " but not serving";
  return endpoint.terminating ? text + ", terminating" : text;
}

std::string text_of(const std::vector<SlicePort>& ports) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < std::min(ports.size(), kMaxShown); ++i)
    texts.push_back(fmt::format("{}{}{}/{}", ports[i].name, ports[i].name.empty() ? "" : " ", ports[i].port,
                                to_string(ports[i].protocol)));
  if (ports.size() > kMaxShown) texts.push_back(fmt::format("{} more", ports.size() - kMaxShown));
  return ports.empty() ? "none" : fmt::format("{}", fmt::join(texts, ","));
}

// By address; of several with one address the last.
void compare_endpoints(const EndpointSlice& present, const EndpointSlice& asked,
                       std::vector<std::string>& found) {
  std::map<IpAddress, std::pair<const Endpoint*, const Endpoint*>> both;
  for (const Endpoint& endpoint : present.endpoints) both[endpoint.ip].first = &endpoint;
  for (const Endpoint& endpoint : asked.endpoints) both[endpoint.ip].second = &endpoint;
  for (const auto& [ip, pair] : both) {
    const auto [old, now] = pair;
    if (old == nullptr)
      found.push_back(fmt::format("{} comes, {}", ip.to_string(), state_of(*now)));
    else if (now == nullptr)
      found.push_back(fmt::format("{} goes", ip.to_string()));
    else if (state_of(*old) != state_of(*now))
      found.push_back(fmt::format("{} is {}, asked for {}", ip.to_string(), state_of(*old), state_of(*now)));
    else if (old->node != now->node)
      found.push_back(
          fmt::format("{} is on node '{}', asked for '{}'", ip.to_string(), old->node, now->node));
  }
  if (found.empty() && present.endpoints != asked.endpoints)
    found.push_back("endpoints are in another order, or come again");
}

// The conditions that mean the same when they are not there: nearly all of them.
void forget_defaults(Json& endpoint) {
  const auto conditions = endpoint.is_object() ? endpoint.find("conditions") : endpoint.end();
  if (conditions == endpoint.end() || !conditions->is_object()) return;
  for (const auto& [key, meaning] : kMeantAnyway)
    if (const auto found = conditions->find(key); found != conditions->end() && *found == meaning)
      conditions->erase(found);
  if (conditions->empty()) endpoint.erase(conditions);
}

}  // namespace

EndpointSlice slice_from_object(const Json& object, const std::string& path) {
  return SliceReader(object, path).run();
}

Json relevant_slice_part(Json object) {
  keep_only(object, {"apiVersion", "kind", "metadata", "addressType", "endpoints", "ports"});
  if (const auto metadata = object.find("metadata"); metadata != object.end()) {
    keep_only(*metadata, {"name", "namespace", "labels"});
    if (metadata->is_object() && metadata->contains("labels"))
      keep_only(metadata->at("labels"), {kServiceName});
  }
  const auto each = [&](const char* key, std::initializer_list<std::string_view> keys) {
    const auto list = object.find(key);
    if (list == object.end() || !list->is_array()) return;
    for (Json& element : *list) keep_only(element, keys);
  };
  each("endpoints", {"addresses", "conditions", "nodeName"});
  if (const auto list = object.find("endpoints"); list != object.end() && list->is_array())
    for (Json& endpoint : *list) forget_defaults(endpoint);
  each("ports", {"name", "protocol", "port"});
  return object;
}

Json slice_to_object(const EndpointSlice& slice) {
  Json object{{"apiVersion", "discovery.k8s.io/v1"},
              {"kind", "EndpointSlice"},
              {"metadata", {{"name", slice.name.name}, {"namespace", slice.name.space}}},
              {"addressType", slice.is_v4 ? "IPv4" : "IPv6"},
              {"endpoints", Json::array()},
              {"ports", Json::array()}};
  if (!slice.service.empty()) object["metadata"]["labels"][kServiceName] = slice.service;
  Json& endpoints = object["endpoints"];
  for (const Endpoint& endpoint : slice.endpoints) {
    Json json{
        {"addresses", Json::array({endpoint.ip.to_string()})},
        {"conditions",
         {{"ready", endpoint.ready}, {"serving", endpoint.serving}, {"terminating", endpoint.terminating}}}};
    if (!endpoint.node.empty()) json["nodeName"] = endpoint.node;
    endpoints.push_back(std::move(json));
  }
  for (const SlicePort& port : slice.ports)
    object["ports"].push_back(
        {{"name", port.name}, {"port", port.port}, {"protocol", to_string(port.protocol)}});
  return object;
}

std::vector<std::string> differences(const EndpointSlice& present, const EndpointSlice& asked) {
  std::vector<std::string> found;
  if (present.is_v4 != asked.is_v4)
    found.push_back(fmt::format("addresses are {}, asked for {}", present.is_v4 ? "IPv4" : "IPv6",
                                asked.is_v4 ? "IPv4" : "IPv6"));
  if (present.service != asked.service)
    found.push_back(fmt::format("service is {}, asked for {}", present.service, asked.service));
  if (present.ports != asked.ports)
    found.push_back(fmt::format("ports are {}, asked for {}", text_of(present.ports), text_of(asked.ports)));
  std::vector<std::string> endpoints;
  if (present.endpoints != asked.endpoints) compare_endpoints(present, asked, endpoints);
  const size_t shown = std::min(endpoints.size(), kMaxShown);
  found.insert(found.end(), endpoints.begin(), endpoints.begin() + static_cast<std::ptrdiff_t>(shown));
  if (endpoints.size() > shown) found.push_back(fmt::format("{} more endpoints", endpoints.size() - shown));
  return found;
}

}  // namespace podswitch
