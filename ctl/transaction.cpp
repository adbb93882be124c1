// SPDX-License-Identifier: Apache-2.0
#include "ctl/transaction.h"

#include <fmt/format.h>

#include <algorithm>

#include "ctl/objects/endpoint_slice_object.h"
#include "ctl/objects/node_object.h"
#include "ctl/objects/object_name.h"
#include "ctl/objects/service_object.h"
#include "ctl/text.h"
#include "lb/service_table.h"
#include "pmd/port_spec.h"

namespace podswitch {
namespace {

constexpr size_t kMaxProblems = 100;  // of one request: more help nobody

std::string joined(const std::string& path, const std::string& place) {
  return place.empty() ? path : path + "." + place;
}

std::vector<std::string_view> kind_words() {
  std::vector<std::string_view> words;
  for (const ObjectKind kind : kObjectKinds) words.push_back(to_string(kind));
  return words;
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
                              "takes other kinds too",
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
  names_[ObjectKind::Port].emplace(spec.name, taken_ - 1);
  if (draft_.next().state.ports.size() > kMaxPorts) return;
  const bool is_new = draft_.add(spec, place, is_applied) == Draft::Outcome::Changed;
  note(ObjectKind::Port, spec.name, is_new ? Change::Added : Change::Unchanged);
}

void Transaction::take_node(const nlohmann::json& object, const std::string& path) {
  ClusterNode node = node_from_object(object, path);
  const std::string name = node.spec.name;
  if (!names_[ObjectKind::Node].emplace(name, taken_ - 1).second)
    throw Error(path + ".metadata.name", fmt::format("node {} comes twice", name));
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

bool Transaction::begin(ObjectKind kind, const std::string& name) {
  const size_t index = taken_++;
  if (problems_.size() >= kMaxProblems) return false;
  const std::string path = fmt::format("objects[{}]", index);
  if (options_.mode == CommitOptions::Mode::Add)
    problems_.push_back(
        {path + ".kind", fmt::format("'{}': only objects of kind 'Port' are added; `podswitch "
                                     "apply` takes other kinds too",
                                     to_string(kind))});
  else if (!names_[kind].emplace(name, index).second)
    problems_.push_back({path + ".metadata.name", fmt::format("{} {} comes twice", to_string(kind), name)});
  else
    return true;
  return false;
}

void Transaction::take(const std::shared_ptr<const ServiceSpec>& service) {
  const std::string name = to_string(service->name);
  if (!begin(ObjectKind::Service, name)) return;
  const ServiceSpec* present = find_service(draft_.next().state.services, service->name);
  const bool is_new = present == nullptr;
  std::vector<std::string> details;
  if (!is_new && wants_details()) details = differences(*present, *service);
  const bool is_other = draft_.set_service(service) == Draft::Outcome::Changed;
  note(ObjectKind::Service, name,
       is_new     ? Change::Added
       : is_other ? Change::Changed
                  : Change::Unchanged,
       std::move(details));
}

void Transaction::take(const std::shared_ptr<const EndpointSlice>& slice) {
  const std::string name = to_string(slice->name);
  if (!begin(ObjectKind::EndpointSlice, name)) return;
  const std::string* owner = draft_.next().service_index.service_of(slice->name);
  const bool is_new = owner == nullptr;
  if (slice->service.empty()) {
    ++ignored_;
    if (is_new) return;
    draft_.remove_slice(slice->name);
    return note(ObjectKind::EndpointSlice, name, Change::Deleted, {"belongs to no service any more"});
  }
  std::vector<std::string> details;
  if (!is_new && wants_details())
    details = differences(*find_slice(draft_.next().state.services, slice->name, *owner), *slice);
  const bool is_other = draft_.set_slice(slice) == Draft::Outcome::Changed;
  note(ObjectKind::EndpointSlice, name,
       is_new     ? Change::Added
       : is_other ? Change::Changed
                  : Change::Unchanged,
       std::move(details));
}

void Transaction::finish(const StoredState& stored, const Gateway& gateway) {
  if (problems_.empty()) prune(stored);
  check_counts();
  if (problems_.empty()) {
    draft_.check(gateway);
    check_nodes();
    check_services();
  }
  if (!problems_.empty()) throw Error(std::move(problems_));
}

void Transaction::check_counts() {
  const Desired& next = draft_.next();
  const auto check = [&](size_t count, size_t most, std::string_view whose, std::string_view what) {
    if (count > most)
      problems_.push_back({"", fmt::format("{} has at most {} {}, not {}", whose, most, what, count)});
  };
  check(next.state.ports.size(), kMaxPorts, "a switch", "ports");
  check(next.nodes.size(), kMaxNodes, "a cluster", "nodes");
  const ServiceIndex& services = next.service_index;
  check(services.services(), kMaxServices, "a cluster", "services");
  check(services.service_ports(), kMaxServicePorts, "a cluster", "ports of services");
  check(services.slices().size(), kMaxSlices, "a cluster", "endpoint slices");
  check(services.endpoints(), kMaxEndpoints, "a cluster", "endpoints");
}

void Transaction::prune(const StoredState& stored) {
  for (size_t i = 0; i < options_.prune.size(); ++i) {
    const std::string& word = options_.prune[i];
    if (const auto kind = object_kind(word))
      prune_kind(*kind, stored);
    else
      problems_.push_back({fmt::format("prune[{}]", i),
                           fmt::format("'{}' is none of {}{}", word, fmt::join(kind_words(), ", "),
                                       suggestion(word, kind_words()))});
  }
}

void Transaction::prune_kind(ObjectKind kind, const StoredState& stored) {
  std::vector<std::string> absent;
  prune_names(kind, absent);
  if (names_[kind].empty() && !absent.empty() && !options_.allow_empty) {
    problems_.push_back(
        {"prune", fmt::format("no object of kind {} came, which would delete all {} that `apply` "
                              "brought; say --allow-empty when that is meant",
                              to_string(kind), absent.size())});
    return;
  }
  for (const std::string& name : absent) {
    switch (kind) {
      case ObjectKind::Port:
        draft_.remove(name, stored);
        break;
      case ObjectKind::Node:
        draft_.remove_node(name);
        break;
      case ObjectKind::Service:
        draft_.remove_service(parse_object_name(name));
        break;
      case ObjectKind::EndpointSlice:
        draft_.remove_slice(parse_object_name(name));
        break;
    }
    note(kind, name, Change::Deleted);
  }
}

// What came by `apply` and did not come now.
void Transaction::prune_names(ObjectKind kind, std::vector<std::string>& absent) const {
  const auto found = names_.find(kind);
  const auto look_at = [&](const std::string& name) {
    if (found == names_.end() || !found->second.contains(name)) absent.push_back(name);
  };
  const Desired& next = draft_.next();
  switch (kind) {
    case ObjectKind::Port:
      for (const std::string& name : next.applied_ports) look_at(name);
      break;
    case ObjectKind::Node:
      for (const auto& [name, node] : next.nodes)
        if (node->source == NodeSource::Kubernetes) look_at(name);
      break;
    case ObjectKind::Service:
      for (const auto& [name, entry] : next.state.services)
        if (entry.spec) look_at(to_string(name));
      break;
    case ObjectKind::EndpointSlice:
      for (const auto& [name, service] : next.service_index.slices()) look_at(to_string(name));
      break;
  }
}

void Transaction::check_nodes() {
  for (NodeConflict& conflict : draft_.node_conflicts()) {
    if (problems_.size() == kMaxProblems) return;
    const auto object = nlohmann::json::parse(*node_objects_.at(conflict.node));
    problems_.push_back({joined(path_of(ObjectKind::Node, conflict.node), place_of(object, conflict)),
                         std::move(conflict.message)});
  }
}

void Transaction::check_services() {
  for (AddressConflict& conflict : draft_.address_conflicts()) {
    if (problems_.size() == kMaxProblems) return;
    problems_.push_back(
        {path_of(ObjectKind::Service, to_string(conflict.service)) +
             (conflict.index == 0 ? ".spec.clusterIP" : fmt::format(".spec.clusterIPs[{}]", conflict.index)),
         std::move(conflict.message)});
  }
}

std::string Transaction::path_of(ObjectKind kind, const std::string& name) const {
  return fmt::format("objects[{}]", names_.at(kind).at(name));
}

void Transaction::note(ObjectKind kind, const std::string& name, Change change,
                       std::vector<std::string> details) {
  ++counts_[static_cast<size_t>(change)];
  if (change != Change::Unchanged) rows_.push_back({kind, name, change, std::move(details)});
}

std::string Transaction::summary() const {
  return fmt::format(
      "{} added, {} changed, {} deleted, {} unchanged{}", count(Change::Added), count(Change::Changed),
      count(Change::Deleted), count(Change::Unchanged),
      ignored_ == 0 ? "" : fmt::format(", {} endpoint slices of no service ignored", ignored_));
}

}  // namespace podswitch
