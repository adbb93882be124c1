// SPDX-License-Identifier: Apache-2.0
#include "ctl/transaction.h"

#include <fmt/format.h>

#include "ctl/objects/node_object.h"
#include "ctl/text.h"
#include "pmd/port_spec.h"

namespace podswitch {
namespace {

constexpr size_t kMaxProblems = 100;  // of one request: more help nobody

std::string joined(const std::string& path, const std::string& place) {
  return place.empty() ? path : path + "." + place;
}

}  // namespace

std::string_view to_string(Transaction::Change change) {
  switch (change) {
    case Transaction::Change::Added:
      return "added";
    case Transaction::Change::Changed:
      return "changed";
    case Transaction::Change::Unchanged:
      return "unchanged";
    case Transaction::Change::Deleted:
      break;
  }
  return "deleted";
}

void Transaction::take(const std::string& text) {
  const std::string path = fmt::format("objects[{}]", taken_++);
  if (problems_.size() >= kMaxProblems) return;
  try {
    const auto object = nlohmann::json::parse(text);
    const auto kind = kind_of(object);
    if (kind == ObjectKind::Port) return take_port(object, path);
    if (options_.mode == CommitOptions::Mode::Add || !kind)
      throw Error(path + ".kind",
                  fmt::format("'{}': only objects of kind 'Port' are added; `podswitch apply` "
                              "takes Nodes too",
                              kind_label(object)));
    node_objects_[object.at("metadata").at("name").get<std::string>()] = &text;
    take_node(object, path);
  } catch (const Error& error) {
    problems_.insert(problems_.end(), error.problems().begin(), error.problems().end());
  }
}

void Transaction::take_port(const nlohmann::json& object, const std::string& path) {
  const bool is_applied = options_.mode != CommitOptions::Mode::Add;
  const PortSpec spec = port_from_object(object, path);
  const std::string place = is_applied ? path : "ports." + spec.name;
  port_paths_[spec.name] = place;
  names_[ObjectKind::Port].insert(spec.name);
  if (draft_.next().state.ports.size() > kMaxPorts) return;
  const bool is_new = draft_.add(spec, place, is_applied) == Draft::Outcome::Changed;
  note(ObjectKind::Port, spec.name, is_new ? Change::Added : Change::Unchanged);
}

void Transaction::take_node(const nlohmann::json& object, const std::string& path) {
  ClusterNode node = node_from_object(object, path);
  const std::string name = node.spec.name;
  if (!names_[ObjectKind::Node].insert(name).second)
    throw Error(path + ".metadata.name", fmt::format("node {} comes twice", name));
  node_paths_[name] = path;
  const auto present = draft_.next().nodes.find(name);
  const bool is_new = present == draft_.next().nodes.end();
  if (names_.at(ObjectKind::Node).size() > kMaxNodes)
    throw Error("", fmt::format("a cluster has at most {} nodes", kMaxNodes));
  auto details = is_new ? std::vector<std::string>{} : differences(*present->second, node);
  const bool is_other = draft_.set_node(std::move(node)) == Draft::Outcome::Changed;
  note(ObjectKind::Node, name,
       is_new     ? Change::Added
       : is_other ? Change::Changed
                  : Change::Unchanged,
       std::move(details));
}

void Transaction::finish(const StoredState& stored, const Gateway& gateway) {
  if (problems_.empty()) prune(stored);
  if (draft_.next().state.ports.size() > kMaxPorts)
    problems_.push_back({"", fmt::format("a switch has at most {} ports", kMaxPorts)});
  if (draft_.next().nodes.size() > kMaxNodes)
    problems_.push_back({"", fmt::format("a cluster has at most {} nodes", kMaxNodes)});
  if (problems_.empty()) {
    draft_.check(gateway);
    check_nodes();
  }
  if (!problems_.empty()) throw Error(std::move(problems_));
}

void Transaction::prune(const StoredState& stored) {
  for (size_t i = 0; i < options_.prune.size(); ++i) {
    const std::string& word = options_.prune[i];
    if (const auto kind = object_kind(word))
      prune_kind(*kind, stored);
    else
      problems_.push_back({fmt::format("prune[{}]", i), fmt::format("'{}' is none of Node and Port{}", word,
                                                                    suggestion(word, {"Node", "Port"}))});
  }
}

void Transaction::prune_kind(ObjectKind kind, const StoredState& stored) {
  const std::set<std::string>& present = names_[kind];
  std::vector<std::string> absent;
  const auto look_at = [&](const std::string& name) {
    if (present.count(name) == 0) absent.push_back(name);
  };
  if (kind == ObjectKind::Port)
    for (const std::string& name : draft_.next().applied_ports) look_at(name);
  else
    for (const auto& [name, node] : draft_.next().nodes)
      if (node->source == NodeSource::Kubernetes) look_at(name);
  if (present.empty() && !absent.empty() && !options_.allow_empty) {
    problems_.push_back(
        {"prune", fmt::format("no object of kind {} came, which would delete all {} that `apply` "
                              "brought; say --allow-empty when that is meant",
                              to_string(kind), absent.size())});
    return;
  }
  for (const std::string& name : absent) {
    if (kind == ObjectKind::Port)
      draft_.remove(name, stored);
    else
      draft_.remove_node(name);
    note(kind, name, Change::Deleted);
  }
}

void Transaction::check_nodes() {
  for (NodeConflict& conflict : draft_.node_conflicts()) {
    if (problems_.size() == kMaxProblems) return;
    const auto object = nlohmann::json::parse(*node_objects_.at(conflict.node));
    problems_.push_back(
        {joined(node_paths_.at(conflict.node), place_of(object, conflict)), std::move(conflict.message)});
  }
}

void Transaction::note(ObjectKind kind, const std::string& name, Change change,
                       std::vector<std::string> details) {
  ++counts_[static_cast<size_t>(change)];
  if (change != Change::Unchanged) rows_.push_back({kind, name, change, std::move(details)});
}

std::string Transaction::summary() const {
  return fmt::format("{} added, {} changed, {} deleted, {} unchanged", count(Change::Added),
                     count(Change::Changed), count(Change::Deleted), count(Change::Unchanged));
}

}  // namespace podswitch
