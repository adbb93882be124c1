// SPDX-License-Identifier: Apache-2.0
// A node of the cluster as the control side keeps it: what the switch needs of it, who told, and what is only
// told again. One builder checks every value, whether a command, an object or the journal brings it. Plain
// values, any thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "pmd/error.h"
#include "pmd/shared_map.h"
#include "switch/node.h"

namespace podswitch {

inline constexpr size_t kMaxNodes = 16384;
inline constexpr size_t kMaxPodCidrs = 64;           // of one node
inline constexpr uint32_t kMaxVni = (1U << 24) - 1;  // RFC 7348 section 5

enum class NodeSource : uint8_t { Command, Kubernetes };
std::string_view to_string(NodeSource source);  // "command", "kubernetes"

struct ClusterNode {
  NodeSpec spec;
  NodeSource source = NodeSource::Command;
  std::optional<uint32_t> vni{};  // that Flannel announces for it
  friend bool operator==(const ClusterNode&, const ClusterNode&) = default;
};
using ClusterNodes = SharedMap<std::string, std::shared_ptr<const ClusterNode>>;  // by name

bool same_nodes(const ClusterNodes& a, const ClusterNodes& b);  // by value
// The same object, seen as what the engine takes.
std::shared_ptr<const NodeSpec> spec_of(const std::shared_ptr<const ClusterNode>& node);

// Why no host can have this address; empty when one can.
std::string_view not_unicast(const IpAddress& ip);

// Makes a NodeSpec of texts; what is wrong is appended to `problems` under the path that came with the text.
class NodeBuilder {
 public:
  explicit NodeBuilder(std::vector<Problem>& problems) : problems_(problems) {}

  void name(const std::string& text, const std::string& path);
  void vtep(const std::string& text, const std::string& path);
  void vtep_mac(const std::string& text, const std::string& path);
  void vtep_mac_v6(const std::string& text, const std::string& path);
  void pod_cidr(const std::string& text, const std::string& path);
  bool has_vtep(bool is_v4) const;
  // Sorted as NodeSpec says; worth nothing when there were problems.
  NodeSpec finish();

 private:
  void add(const std::string& path, std::string message) { problems_.push_back({path, std::move(message)}); }
  std::optional<MacAddress> mac(const std::string& text, const std::string& path);

  std::vector<Problem>& problems_;
  NodeSpec spec_;
};

// A value of one node that another node's excludes.
struct NodeConflict {
  std::string node;
  bool is_vtep = false;  // else a pod CIDR
  Prefix value;
  std::string message;
};
// What in the nodes named by `fresh` clashes: pod CIDRs that overlap, VTEPs that are another's. One conflict
// for each value at most.
std::vector<NodeConflict> find_node_conflicts(const ClusterNodes& nodes, const std::set<std::string>& fresh);

// "pod CIDRs are 10.244.1.0/24, asked for 10.244.2.0/24", one per part that differs. The source does not
// count.
std::vector<std::string> differences(const ClusterNode& present, const ClusterNode& asked);

// The form in the journal and in answers.
nlohmann::json to_json(const ClusterNode& node);
ClusterNode cluster_node_from_json(const nlohmann::json& json);  // throws Error, nlohmann::json::exception

}  // namespace podswitch
