// SPDX-License-Identifier: Apache-2.0
#include "ctl/objects/cluster_node.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "ctl/text.h"

namespace podswitch {
namespace {

constexpr size_t kMaxNameBytes = 253;  // of a DNS subdomain (RFC 1123), as Kubernetes names nodes

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_node_name(std::string_view text) {
  if (text.empty() || text.size() > kMaxNameBytes) return false;
  return is_alphanumeric(text.front()) && is_alphanumeric(text.back()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_alphanumeric(c) || c == '-' || c == '.'; });
}

std::string_view family(bool is_v4) {
  return is_v4 ? "IPv4" : "IPv6";
}

// By family, because a mapped IPv4 address lies among the IPv6 ones.
bool comes_before(const Prefix& a, const Prefix& b) {
  return a.is_v4() != b.is_v4() ? a.is_v4() : a < b;
}

struct Claim {
  Prefix value;
  const std::string* node;
};

// Values of which no two may overlap.
class Claims {
 public:
  void add(const Prefix& value, const std::string& node) { list_.push_back({value, &node}); }

  void sort() {
    std::sort(list_.begin(), list_.end(),
              [](const Claim& a, const Claim& b) { return comes_before(a.value, b.value); });
  }

  // Calls found(mine, other) for each that an earlier one covers. After sort().
  template <typename Found>
  void among_themselves(Found&& found) const {
    const Claim* outer = nullptr;
    for (const Claim& claim : list_) {
      if (outer != nullptr && outer->value.contains(claim.value))
        found(claim, *outer);
      else
        outer = &claim;
    }
  }

  // One that overlaps `value`, or nullptr. After sort(), and exact when none overlap among themselves.
  const Claim* overlapping(const Prefix& value) const {
    const auto next =
        std::upper_bound(list_.begin(), list_.end(), value,
                         [](const Prefix& a, const Claim& b) { return comes_before(a, b.value); });
    if (next != list_.begin() && std::prev(next)->value.overlaps(value)) return &*std::prev(next);
    return next != list_.end() && next->value.overlaps(value) ? &*next : nullptr;
  }

 private:
  std::vector<Claim> list_;
};

struct AllClaims {
  Claims cidrs, vteps;
  void add(const NodeSpec& spec) {
    for (const Prefix& cidr : spec.pod_cidrs) cidrs.add(cidr, spec.name);
    for (const IpAddress& vtep : spec.vteps) vteps.add(Prefix::of(vtep), spec.name);
  }
};

NodeConflict conflict_of(const Claim& mine, const Claim& other, bool is_vtep) {
  std::string message = is_vtep
                            ? fmt::format("{} is the VTEP of node {}: each node has its own",
                                          mine.value.address.to_string(), *other.node)
                            : fmt::format("{} overlaps {} of node {}: each pod address belongs to one node",
                                          mine.value.to_string(), other.value.to_string(), *other.node);
  return {*mine.node, is_vtep, mine.value, std::move(message)};
}

std::vector<std::string> texts_of(const std::vector<Prefix>& list) {
  std::vector<std::string> texts;
  for (const Prefix& item : list) texts.push_back(item.to_string());
  return texts;
}

std::vector<std::string> texts_of(const std::vector<IpAddress>& list) {
  std::vector<std::string> texts;
  for (const IpAddress& item : list) texts.push_back(item.to_string());
  return texts;
}

std::string text_of(const std::optional<MacAddress>& mac) {
  return mac ? mac->to_string() : "unset";
}

std::string joined(const std::vector<std::string>& texts) {
  return texts.empty() ? "none" : fmt::format("{}", fmt::join(texts, ","));
}

}  // namespace

std::string_view not_unicast(const IpAddress& ip) {
  if (ip.is_v4()) {
    const auto first = ip.v4().bytes[0];
    if (first == 0) return "an address of 'this network' (RFC 1122)";
    if (first == 127) return "a loopback address";
    if (first >= 224) return "a multicast or reserved address";
    return {};
  }
  if (ip.v6.is_unspecified()) return "the unspecified address";
  if (ip.v6.is_multicast()) return "a multicast address";
  if (ip.v6.is_link_local()) return "a link-local address";
  const auto& bytes = ip.v6.bytes;
  if (bytes.back() == 1 && std::all_of(bytes.begin(), bytes.end() - 1, [](uint8_t b) { return b == 0; }))
    return "a loopback address";
  return {};
}

std::string_view to_string(NodeSource source) {
  return source == NodeSource::Kubernetes ? "kubernetes" : "command";
}

bool same_nodes(const ClusterNodes& a, const ClusterNodes& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && (x.second == y.second || *x.second == *y.second);
  });
}

std::shared_ptr<const NodeSpec> spec_of(const std::shared_ptr<const ClusterNode>& node) {
  return {node, &node->spec};
}

void NodeBuilder::name(const std::string& text, const std::string& path) {
  if (!is_node_name(text))
    return add(path, fmt::format("'{}' is no node's name: 1 to {} lower-case letters, digits, '-' or '.', "
                                 "with a letter or digit at both ends",
                                 text.substr(0, kMaxNameBytes), kMaxNameBytes));
  spec_.name = text;
}

void NodeBuilder::vtep(const std::string& text, const std::string& path) {
  try {
    const IpAddress ip = parse_ip(text);
    if (const auto reason = not_unicast(ip); !reason.empty())
      return add(path, fmt::format("{} is {}: a VTEP is a node's address in the underlay", text, reason));
    if (has_vtep(ip.is_v4()))
      return add(path, fmt::format("{} is a second {} address: a node has at most one VTEP of each family",
                                   text, family(ip.is_v4())));
    spec_.vteps.push_back(ip);
  } catch (const Error& error) {
    add(path, error.problems().front().message);
  }
}

void NodeBuilder::vtep_mac(const std::string& text, const std::string& path) {
  spec_.vtep_mac = mac(text, path);
}

void NodeBuilder::vtep_mac_v6(const std::string& text, const std::string& path) {
  spec_.vtep_mac_v6 = mac(text, path);
}

void NodeBuilder::pod_cidr(const std::string& text, const std::string& path) {
  try {
    const Prefix cidr = parse_prefix(text);
    if (cidr.length == 0)
      return add(path, fmt::format("{} is every address, not the pods of one node", text));
    if (const auto reason = not_unicast(cidr.address); !reason.empty())
      return add(path, fmt::format("{} is {}: no pod can have it", cidr.address.to_string(), reason));
    for (const Prefix& other : spec_.pod_cidrs)
      if (other.overlaps(cidr))
        return add(path, fmt::format("{} overlaps {} of the same node", text, other.to_string()));
    if (spec_.pod_cidrs.size() == kMaxPodCidrs)
      return add(path, fmt::format("a node has at most {} pod CIDRs", kMaxPodCidrs));
    spec_.pod_cidrs.push_back(cidr);
  } catch (const Error& error) {
    add(path, error.problems().front().message);
  }
}

bool NodeBuilder::has_vtep(bool is_v4) const {
  return std::any_of(spec_.vteps.begin(), spec_.vteps.end(),
                     [&](const IpAddress& ip) { return ip.is_v4() == is_v4; });
}

NodeSpec NodeBuilder::finish() {
  std::sort(spec_.vteps.begin(), spec_.vteps.end(),
            [](const IpAddress& a, const IpAddress& b) { return a.is_v4() && !b.is_v4(); });
  std::sort(spec_.pod_cidrs.begin(), spec_.pod_cidrs.end());
  // One MAC is said once.
  if (!spec_.vtep_mac) spec_.vtep_mac = std::exchange(spec_.vtep_mac_v6, std::nullopt);
  if (spec_.vtep_mac_v6 == spec_.vtep_mac) spec_.vtep_mac_v6.reset();
  return std::move(spec_);
}

std::optional<MacAddress> NodeBuilder::mac(const std::string& text, const std::string& path) {
  try {
    const MacAddress address = parse_mac(text);
    if (!address.is_multicast() && !address.is_zero()) return address;
    add(path, fmt::format("{} is no device's address: a VTEP's MAC is unicast and not zero", text));
  } catch (const Error& error) {
    add(path, error.problems().front().message);
  }
  return std::nullopt;
}

std::vector<NodeConflict> find_node_conflicts(const ClusterNodes& nodes, const std::set<std::string>& fresh) {
  if (fresh.empty()) return {};
  AllClaims mine;
  for (const std::string& name : fresh) mine.add(nodes.at(name)->spec);
  mine.cidrs.sort();
  mine.vteps.sort();
  std::vector<NodeConflict> conflicts;
  const auto among = [&](const Claims& claims, bool is_vtep) {
    claims.among_themselves([&](const Claim& claim, const Claim& outer) {
      conflicts.push_back(conflict_of(claim, outer, is_vtep));
    });
  };
  among(mine.cidrs, false);
  among(mine.vteps, true);
  // Among themselves is told first: the search below relies on there being none.
  if (!conflicts.empty()) return conflicts;
  const auto beside = [&](const Claims& claims, const Prefix& value, const std::string& node, bool is_vtep) {
    if (const Claim* claim = claims.overlapping(value))
      conflicts.push_back(conflict_of(*claim, {value, &node}, is_vtep));
  };
  for (const auto& [name, node] : nodes) {
    if (fresh.count(name) != 0) continue;
    for (const Prefix& cidr : node->spec.pod_cidrs) beside(mine.cidrs, cidr, name, false);
    for (const IpAddress& vtep : node->spec.vteps) beside(mine.vteps, Prefix::of(vtep), name, true);
  }
  return conflicts;
}

std::vector<std::string> differences(const ClusterNode& present, const ClusterNode& asked) {
  std::vector<std::string> found;
  const auto compare = [&](std::string_view what, const std::string& old, const std::string& now) {
    if (old != now) found.push_back(fmt::format("{} {}, asked for {}", what, old, now));
  };
  const auto vni = [](const ClusterNode& node) { return node.vni ? std::to_string(*node.vni) : "unset"; };
  compare("VTEPs are", joined(texts_of(present.spec.vteps)), joined(texts_of(asked.spec.vteps)));
  compare("VTEP MAC is", text_of(present.spec.vtep_mac), text_of(asked.spec.vtep_mac));
  compare("VTEP MAC for IPv6 is", text_of(present.spec.vtep_mac_v6), text_of(asked.spec.vtep_mac_v6));
  compare("pod CIDRs are", joined(texts_of(present.spec.pod_cidrs)), joined(texts_of(asked.spec.pod_cidrs)));
  compare("VNI is", vni(present), vni(asked));
  return found;
}

nlohmann::json to_json(const ClusterNode& node) {
  nlohmann::json json{{"name", node.spec.name},
                      {"vtep", texts_of(node.spec.vteps)},
                      {"pod-cidr", texts_of(node.spec.pod_cidrs)},
                      {"source", to_string(node.source)}};
  if (node.spec.vtep_mac) json["vtep-mac"] = node.spec.vtep_mac->to_string();
  if (node.spec.vtep_mac_v6) json["vtep-mac-v6"] = node.spec.vtep_mac_v6->to_string();
  if (node.vni) json["vni"] = *node.vni;
  return json;
}

ClusterNode cluster_node_from_json(const nlohmann::json& json) {
  std::vector<Problem> problems;
  NodeBuilder builder(problems);
  builder.name(json.at("name").get<std::string>(), "name");
  for (const auto& vtep : json.at("vtep")) builder.vtep(vtep.get<std::string>(), "vtep");
  for (const auto& cidr : json.at("pod-cidr")) builder.pod_cidr(cidr.get<std::string>(), "pod-cidr");
  if (json.contains("vtep-mac")) builder.vtep_mac(json.at("vtep-mac").get<std::string>(), "vtep-mac");
  if (json.contains("vtep-mac-v6"))
    builder.vtep_mac_v6(json.at("vtep-mac-v6").get<std::string>(), "vtep-mac-v6");
  if (!problems.empty()) throw Error(std::move(problems));
  ClusterNode node{builder.finish()};
  if (json.at("source").get<std::string>() == to_string(NodeSource::Kubernetes))
    node.source = NodeSource::Kubernetes;
  if (json.contains("vni")) node.vni = json.at("vni").get<uint32_t>();
  return node;
}

}  // namespace podswitch
