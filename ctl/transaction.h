// SPDX-License-Identifier: Apache-2.0
// The objects of one transaction, put onto a draft of the desired state one after another, with what each of
// them changes. Touches nothing else. Configuration thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/desired.h"
#include "ctl/objects/object.h"
#include "ctl/request_handler.h"

namespace podswitch {

class Transaction {
 public:
  enum class Change : uint8_t { Added, Changed, Unchanged, Deleted };
  struct Row {  // of what is not Unchanged
    ObjectKind kind = ObjectKind::Node;
    std::string name;
    Change change = Change::Added;
    std::vector<std::string> details;
  };

  Transaction(const Desired& base, const CommitOptions& options) : draft_(base), options_(options) {}

  void take(const std::string& object);  // a Node or a Port
  void take(const std::shared_ptr<const ServiceSpec>& service);
  // One that belongs to no service is ignored; if there was one of its name, that goes.
  void take(const std::shared_ptr<const EndpointSlice>& slice);
  // What is absent goes, of the kinds to prune; then all is looked at together. Throws Error with every
  // problem there was.
  void finish(const StoredState& stored, const Gateway& gateway);

  Draft& draft() { return draft_; }
  const std::vector<Row>& rows() const { return rows_; }
  size_t count(Change change) const { return counts_[static_cast<size_t>(change)]; }
  size_t ignored() const { return ignored_; }
  std::string summary() const;  // "3 added, 1 changed, 2 deleted, 5 unchanged"
  // Where each port stood, by name: "objects[3]"; in a transaction that only adds, "ports.NAME".
  const std::map<std::string, std::string>& port_paths() const { return port_paths_; }

 private:
  void take_port(const nlohmann::json& object, const std::string& path);
  void take_node(const nlohmann::json& object, const std::string& path);
  void prune(const StoredState& stored);
  void prune_kind(ObjectKind kind, const StoredState& stored);
  void prune_names(ObjectKind kind, std::vector<std::string>& absent) const;
  void check_counts();
  void check_nodes();
  void check_services();
  // Whether the next object, of this kind and name, is to be looked at.
  bool begin(ObjectKind kind, const std::string& name);
  std::string path_of(ObjectKind kind, const std::string& name) const;
  // Only `diff` shows them.
  bool wants_details() const { return options_.mode == CommitOptions::Mode::Diff; }
  void note(ObjectKind kind, const std::string& name, Change change, std::vector<std::string> details = {});

  Draft draft_;
  const CommitOptions& options_;
  size_t taken_ = 0;
  size_t ignored_ = 0;
  std::map<ObjectKind, std::map<std::string, size_t>> names_;  // of those taken, and which they were
  std::map<std::string, const std::string*> node_objects_;
  std::map<std::string, std::string> port_paths_;
  std::vector<Row> rows_;
  size_t counts_[4] = {};
  std::vector<Problem> problems_;
};

std::string_view to_string(Transaction::Change change);  // "added", "changed", "unchanged", "deleted"

}  // namespace podswitch
