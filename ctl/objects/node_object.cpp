// SPDX-License-Identifier: Apache-2.0
#include "ctl/objects/node_object.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <utility>

#include "ctl/objects/value_reader.h"

namespace podswitch {
namespace {

using Json = nlohmann::json;

// What Flannel tells the other nodes about this one.
constexpr const char* kPublicIp = "flannel.alpha.coreos.com/public-ip";
constexpr const char* kPublicIpV6 = "flannel.alpha.coreos.com/public-ipv6";
constexpr const char* kBackendType = "flannel.alpha.coreos.com/backend-type";
constexpr const char* kBackendData = "flannel.alpha.coreos.com/backend-data";
constexpr const char* kBackendDataV6 = "flannel.alpha.coreos.com/backend-v6-data";
constexpr const char* kManaged = "flannel.alpha.coreos.com/kube-subnet-manager";

std::string annotation_path(std::string_view key) {
  return fmt::format("metadata.annotations[{}]", key);
}

class NodeReader {
 public:
  NodeReader(const Json& object, const std::string& path)
      : object_(object), prefix_(path.empty() ? "" : path + "."), builder_(problems_) {}

  ClusterNode run() {
    const Json* metadata = member(object_, "metadata", "metadata", Json::value_t::object);
    read_name(metadata);
    const Json* annotations =
        metadata == nullptr ? nullptr
                            : member(*metadata, "annotations", "metadata.annotations", Json::value_t::object);
    // Flannel itself passes over the nodes that it does not manage by their objects.
    if (annotations != nullptr && annotations->contains(kManaged) && annotations->at(kManaged) != "true")
      annotations = nullptr;
    if (annotations != nullptr) read_flannel(*annotations);
    if (!has_flannel_address_) read_addresses();
    read_pod_cidrs();
    if (!problems_.empty()) throw Error(std::move(problems_));
    return {builder_.finish(), NodeSource::Kubernetes, vni_};
  }

 private:
  void add(const std::string& where, std::string message) {
    problems_.push_back({prefix_ + where, std::move(message)});
  }

  // nullptr when it is absent, null, or of another type, which is a problem.
  const Json* member(const Json& object, const char* key, const std::string& where, Json::value_t type) {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) return nullptr;
    if (found->type() == type) return &*found;
    add(where, fmt::format("of JSON type {}, not {}", found->type_name(), Json(type).type_name()));
    return nullptr;
  }

  // Of an annotation; empty when it says nothing.
  std::string text(const Json& annotations, const char* key) {
    const Json* value = member(annotations, key, annotation_path(key), Json::value_t::string);
    return value == nullptr ? std::string() : value->get<std::string>();
  }

  void read_name(const Json* metadata) {
    const Json* name =
        metadata == nullptr ? nullptr : member(*metadata, "name", "metadata.name", Json::value_t::string);
    if (name != nullptr) return builder_.name(name->get<std::string>(), prefix_ + "metadata.name");
    if (problems_.empty()) add("metadata.name", "missing: the node's name");
  }

  void read_flannel(const Json& annotations) {
    for (const char* key : {kPublicIp, kPublicIpV6}) {
      const std::string ip = text(annotations, key);
      if (ip.empty()) continue;
      has_flannel_address_ = true;
      builder_.vtep(ip, prefix_ + annotation_path(key));
    }
    const std::string type = text(annotations, kBackendType);
    if (!type.empty() && type != "vxlan" && type != "host-gw" && type != "alloc")
      add(annotation_path(kBackendType),
          fmt::format("podswitch has no counterpart of Flannel's backend '{}': vxlan or host-gw", type));
    read_backend(annotations, kBackendData, &NodeBuilder::vtep_mac);
    read_backend(annotations, kBackendDataV6, &NodeBuilder::vtep_mac_v6);
  }

  // {"VNI":1,"VtepMAC":"aa:bb:cc:dd:ee:ff"} as a text, or "null" from backends that need none.
  void read_backend(const Json& annotations, const char* key,
                    void (NodeBuilder::*set)(const std::string&, const std::string&)) {
    const std::string data = text(annotations, key);
    if (data.empty()) return;
    const std::string where = annotation_path(key);
    if (data.size() > kMaxBackendBytes)
      return add(where, fmt::format("longer than {} bytes", kMaxBackendBytes));
    const Json json = Json::parse(data, nullptr, false);
    if (json.is_null()) return;
    if (!json.is_object())
      return add(where, R"(not a JSON object such as {"VNI":1,"VtepMAC":"02:00:00:00:00:01"})");
    if (const Json* mac = member(json, "VtepMAC", where + ".VtepMAC", Json::value_t::string))
      (builder_.*set)(mac->get<std::string>(), prefix_ + where + ".VtepMAC");
    const Json* vni = member(json, "VNI", where + ".VNI", Json::value_t::number_unsigned);
    if (vni == nullptr) return;
    if (vni->get<uint64_t>() > kMaxVni)
      add(where + ".VNI", fmt::format("{} is no VNI: 0 to {}", vni->dump(), kMaxVni));
    else if (vni_.value_or(vni->get<uint32_t>()) != vni->get<uint32_t>())
      add(where + ".VNI", fmt::format("{}, but {} for IPv4: a node is in one network", vni->dump(), *vni_));
    else
      vni_ = vni->get<uint32_t>();
  }

  // The first InternalIP of each family.
  void read_addresses() {
    const Json* status = member(object_, "status", "status", Json::value_t::object);
    const Json* list =
        status == nullptr ? nullptr : member(*status, "addresses", "status.addresses", Json::value_t::array);
    if (list == nullptr) return;
    for (size_t i = 0; i < list->size(); ++i) {
      const Json& entry = list->at(i);
      const std::string where = fmt::format("status.addresses[{}]", i);
      if (!entry.is_object()) {
        add(where, fmt::format("of JSON type {}, not object", entry.type_name()));
        continue;
      }
      if (const auto type = entry.find("type"); type == entry.end() || *type != "InternalIP") continue;
      const Json* address = member(entry, "address", where + ".address", Json::value_t::string);
      if (address == nullptr) continue;
      const auto text = address->get<std::string>();
      const auto ip = IpAddress::parse(text);
      if (ip && builder_.has_vtep(ip->is_v4())) continue;
      builder_.vtep(text, prefix_ + where + ".address");
    }
  }

  void read_pod_cidrs() {
    const Json* spec = member(object_, "spec", "spec", Json::value_t::object);
    if (spec == nullptr) return;
    const Json* list = member(*spec, "podCIDRs", "spec.podCIDRs", Json::value_t::array);
    const Json* single = member(*spec, "podCIDR", "spec.podCIDR", Json::value_t::string);
    if (list == nullptr || list->empty()) {
      if (single != nullptr && !single->get<std::string>().empty())
        builder_.pod_cidr(single->get<std::string>(), prefix_ + "spec.podCIDR");
      return;
    }
    for (size_t i = 0; i < list->size(); ++i) {
      const std::string where = fmt::format("spec.podCIDRs[{}]", i);
      if (list->at(i).is_string())
        builder_.pod_cidr(list->at(i).get<std::string>(), prefix_ + where);
      else
        add(where, fmt::format("of JSON type {}, not string", list->at(i).type_name()));
    }
    if (single != nullptr && *single != list->front())
      add("spec.podCIDR", fmt::format("{}, not spec.podCIDRs[0] ({})", single->dump(), list->front().dump()));
  }

  static constexpr size_t kMaxBackendBytes = 4096;

  const Json& object_;
  const std::string prefix_;
  std::vector<Problem> problems_;
  NodeBuilder builder_;
  std::optional<uint32_t> vni_;
  bool has_flannel_address_ = false;
};

// What stands under `keys`; null when nothing does.
const Json& within(const Json& object, std::initializer_list<const char*> keys) {
  static const Json kNull;
  const Json* at = &object;
  for (const char* key : keys) {
    if (!at->is_object() || !at->contains(key)) return kNull;
    at = &at->at(key);
  }
  return *at;
}

void set_backend(Json& annotations, const char* key, const std::optional<MacAddress>& mac,
                 const std::optional<uint32_t>& vni) {
  Json data = Json::object();
  if (vni) data["VNI"] = *vni;
  if (mac) data["VtepMAC"] = mac->to_string();
  if (!data.empty()) annotations[key] = data.dump();
}

}  // namespace

ClusterNode node_from_object(const Json& object, const std::string& path) {
  return NodeReader(object, path).run();
}

Json relevant_node_part(Json object) {
  keep_only(object, {"apiVersion", "kind", "metadata", "spec", "status"});
  if (const auto metadata = object.find("metadata"); metadata != object.end() && metadata->is_object()) {
    keep_only(*metadata, {"name", "annotations"});
    if (const auto annotations = metadata->find("annotations");
        annotations != metadata->end() && annotations->is_object())
      keep_only(*annotations, {kPublicIp, kPublicIpV6, kBackendType, kBackendData, kBackendDataV6, kManaged});
  }
  if (const auto spec = object.find("spec"); spec != object.end()) keep_only(*spec, {"podCIDR", "podCIDRs"});
  if (const auto status = object.find("status"); status != object.end()) keep_only(*status, {"addresses"});
  return object;
}

Json node_to_object(const ClusterNode& node) {
  const NodeSpec& spec = node.spec;
  Json object{{"apiVersion", "v1"},
              {"kind", "Node"},
              {"metadata", {{"name", spec.name}}},
              {"spec", Json::object()},
              {"status", {{"addresses", Json::array()}}}};
  for (const Prefix& cidr : spec.pod_cidrs) object["spec"]["podCIDRs"].push_back(cidr.to_string());
  if (!spec.pod_cidrs.empty()) object["spec"]["podCIDR"] = spec.pod_cidrs.front().to_string();
  for (const IpAddress& vtep : spec.vteps)
    object["status"]["addresses"].push_back({{"type", "InternalIP"}, {"address", vtep.to_string()}});
  if (!spec.vtep_mac && !node.vni) return object;
  Json annotations{{kBackendType, "vxlan"}, {kManaged, "true"}};
  for (const IpAddress& vtep : spec.vteps)
    annotations[vtep.is_v4() ? kPublicIp : kPublicIpV6] = vtep.to_string();
  const bool is_v6_only = !spec.vteps.empty() && !spec.vteps.front().is_v4();
  set_backend(annotations, is_v6_only && !spec.vtep_mac_v6 ? kBackendDataV6 : kBackendData, spec.vtep_mac,
              node.vni);
  if (spec.vtep_mac_v6) set_backend(annotations, kBackendDataV6, spec.vtep_mac_v6, node.vni);
  object["metadata"]["annotations"] = std::move(annotations);
  return object;
}

std::string place_of(const Json& object, const NodeConflict& conflict) {
  const auto is_value = [&](const Json& text) {
    if (!text.is_string()) return false;
    const auto word = text.get<std::string>();
    if (!conflict.is_vtep) return Prefix::parse(word) == conflict.value;
    const auto ip = IpAddress::parse(word);
    return ip && Prefix::of(*ip) == conflict.value;
  };
  if (!conflict.is_vtep) {
    const Json& list = within(object, {"spec", "podCIDRs"});
    for (size_t i = 0; i < list.size(); ++i)
      if (is_value(list[i])) return fmt::format("spec.podCIDRs[{}]", i);
    return "spec.podCIDR";
  }
  const Json& annotations = within(object, {"metadata", "annotations"});
  for (const char* key : {kPublicIp, kPublicIpV6})
    if (annotations.contains(key) && is_value(annotations.at(key))) return annotation_path(key);
  const Json& addresses = within(object, {"status", "addresses"});
  for (size_t i = 0; i < addresses.size(); ++i)
    if (addresses[i].contains("address") && is_value(addresses[i].at("address")))
      return fmt::format("status.addresses[{}].address", i);
  return "status.addresses";
}

}  // namespace podswitch
