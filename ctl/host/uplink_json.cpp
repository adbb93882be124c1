// SPDX-License-Identifier: Apache-2.0
#include "ctl/host/uplink_json.h"

#include <fmt/format.h>
#include <net/if.h>

#include <nlohmann/json.hpp>

#include "pmd/error.h"

namespace podswitch {
namespace {

using Json = nlohmann::json;

IpAddress ip_from(const Json& json) {
  const auto ip = IpAddress::parse(json.get<std::string>());
  if (!ip) throw Error("", fmt::format("'{}' is no IP address", json.get<std::string>()));
  return *ip;
}

MacAddress mac_from(const Json& json) {
  const auto mac = MacAddress::parse(json.get<std::string>());
  if (!mac) throw Error("", fmt::format("'{}' is no MAC address", json.get<std::string>()));
  return *mac;
}

Prefix prefix_from(const Json& json) {
  const auto prefix = Prefix::parse(json.get<std::string>());
  if (!prefix) throw Error("", fmt::format("'{}' is no prefix", json.get<std::string>()));
  return *prefix;
}

unsigned interface_from(const Json& json) {
  return ::if_nametoindex(json.get<std::string>().c_str());
}

// Left out when there is none.
void put(Json& json, const char* key, const std::optional<IpAddress>& ip) {
  if (ip) json[key] = ip->to_string();
}
std::optional<IpAddress> get_ip(const Json& json, const char* key) {
  return json.contains(key) ? std::optional(ip_from(json.at(key))) : std::nullopt;
}

Json to_json(const InterfaceAddress& address) {
  Json json{{"address", address.address.to_string()},
            {"length", address.length},
            {"scope", address.scope},
            {"flags", address.flags},
            {"preferred_s", address.preferred_s},
            {"valid_s", address.valid_s},
            {"metric", address.metric},
            {"protocol", address.protocol},
            {"label", address.label},
            {"interface", interface_name(address.interface)}};
  put(json, "peer", address.peer);
  put(json, "broadcast", address.broadcast);
  return json;
}

InterfaceAddress address_from(const Json& json) {
  InterfaceAddress address;
  address.interface = interface_from(json.at("interface"));
  address.address = ip_from(json.at("address"));
  json.at("length").get_to(address.length);
  json.at("scope").get_to(address.scope);
  json.at("flags").get_to(address.flags);
  json.at("preferred_s").get_to(address.preferred_s);
  json.at("valid_s").get_to(address.valid_s);
  json.at("metric").get_to(address.metric);
  json.at("protocol").get_to(address.protocol);
  json.at("label").get_to(address.label);
  address.peer = get_ip(json, "peer");
  address.broadcast = get_ip(json, "broadcast");
  return address;
}

Json to_json(const KernelRoute& route) {
  Json hops = Json::array();
  for (const RouteHop& hop : route.hops) {
    hops.push_back(
        {{"interface", interface_name(hop.interface)}, {"weight", hop.weight}, {"onlink", hop.is_onlink}});
    put(hops.back(), "gateway", hop.gateway);
  }
  Json json{{"destination", route.destination.to_string()},
            {"table", route.table},
            {"protocol", route.protocol},
            {"scope", route.scope},
            {"type", route.type},
            {"tos", route.tos},
            {"metric", route.metric},
            {"metrics", route.metrics},
            {"expires_s", route.expires_s},
            {"hops", hops}};
  put(json, "source", route.source);
  if (route.from) json["from"] = route.from->to_string();
  if (route.preference) json["preference"] = *route.preference;
  return json;
}

KernelRoute route_from(const Json& json) {
  KernelRoute route;
  route.destination = prefix_from(json.at("destination"));
  json.at("table").get_to(route.table);
  json.at("protocol").get_to(route.protocol);
  json.at("scope").get_to(route.scope);
  json.at("type").get_to(route.type);
  json.at("tos").get_to(route.tos);
  json.at("metric").get_to(route.metric);
  json.at("metrics").get_to(route.metrics);
  json.at("expires_s").get_to(route.expires_s);
  route.source = get_ip(json, "source");
  if (json.contains("from")) route.from = prefix_from(json.at("from"));
  if (json.contains("preference")) route.preference = json.at("preference").get<uint8_t>();
  for (const Json& hop : json.at("hops"))
    route.hops.push_back({interface_from(hop.at("interface")), get_ip(hop, "gateway"),
                          hop.at("weight").get<uint8_t>(), hop.at("onlink").get<bool>()});
  return route;
}

Json to_json(const Neighbour& neighbour) {
  return {{"address", neighbour.address.to_string()},
          {"mac", neighbour.mac.to_string()},
          {"protocol", neighbour.protocol},
          {"interface", interface_name(neighbour.interface)}};
}

Neighbour neighbour_from(const Json& json) {
  return {interface_from(json.at("interface")), ip_from(json.at("address")), mac_from(json.at("mac")),
          json.at("protocol").get<uint8_t>()};
}

template <typename T>
Json list_of(const std::vector<T>& values) {
  Json list = Json::array();
  for (const T& value : values) list.push_back(to_json(value));
  return list;
}

UplinkPhase phase_from(const std::string& text) {
  for (const UplinkPhase phase :
       {UplinkPhase::Unconfirmed, UplinkPhase::Confirmed, UplinkPhase::Released, UplinkPhase::Abandoned})
    if (to_string(phase) == text) return phase;
  throw Error("", fmt::format("'{}' is no phase", text));
}

}  // namespace

Json to_json(const Belongings& belongings) {
  return {{"addresses", list_of(belongings.addresses)},
          {"routes", list_of(belongings.routes)},
          {"neighbours", list_of(belongings.neighbours)}};
}

Json to_json(const UplinkState& state) {
  Json json = to_json(state.belongings);
  json.update({{"version", kUplinkVersion},
               {"id", state.id},
               {"phase", to_string(state.phase)},
               {"boot_id", state.boot_id},
               {"netns", state.netns},
               {"deadline_s", state.deadline_s},
               {"socket", state.socket},
               {"ports", state.ports},
               {"nic", state.nic},
               {"source", state.source},
               {"host", state.host},
               {"type", to_string(state.kind)},
               {"queues", state.queues},
               {"vlan", state.vlan},
               {"mtu", state.mtu},
               {"mac", state.mac.to_string()}});
  return json;
}

UplinkState uplink_state_of(const Json& json) {
  if (json.at("version") != kUplinkVersion)
    throw Error("", fmt::format("is of version {}, this program reads {}", json.at("version").dump(),
                                kUplinkVersion));
  UplinkState state;
  json.at("id").get_to(state.id);
  state.phase = phase_from(json.at("phase").get<std::string>());
  json.at("boot_id").get_to(state.boot_id);
  json.at("netns").get_to(state.netns);
  json.at("deadline_s").get_to(state.deadline_s);
  json.at("socket").get_to(state.socket);
  json.at("ports").get_to(state.ports);
  json.at("nic").get_to(state.nic);
  json.at("source").get_to(state.source);
  json.at("host").get_to(state.host);
  const auto kind = port_kind(json.at("type").get<std::string>());
  if (!kind) throw Error("", fmt::format("'{}' is no port kind", json.at("type").get<std::string>()));
  state.kind = *kind;
  json.at("queues").get_to(state.queues);
  json.at("vlan").get_to(state.vlan);
  json.at("mtu").get_to(state.mtu);
  state.mac = mac_from(json.at("mac"));
  for (const Json& one : json.at("addresses")) state.belongings.addresses.push_back(address_from(one));
  for (const Json& one : json.at("routes")) state.belongings.routes.push_back(route_from(one));
  for (const Json& one : json.at("neighbours")) state.belongings.neighbours.push_back(neighbour_from(one));
  return state;
}

}  // namespace podswitch
