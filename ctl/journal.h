// SPDX-License-Identifier: Apache-2.0
// What the operator asked for by the control socket, on disk, so that a restart brings it back. One file in
// the state directory: a header line, then one record a line (length, CRC-32, JSON), appended and on the
// disk before a change is answered, rewritten as one record when the log has grown. One owner at a time.
// Configuration thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "ctl/file.h"
#include "ctl/objects/cluster_node.h"
#include "ctl/service_objects.h"
#include "pmd/engine.h"
#include "pmd/error.h"
#include "pmd/port_spec.h"

namespace podswitch {

struct StoredState {
  std::map<std::string, PortSpec> ports;  // by name
  Pins pins;
  std::set<std::string> applied_ports;  // those of `ports` that came by `apply`
  ClusterNodes nodes;
  Networks networks;
  RemoteEntries remote_entries;
  StaticRoutes routes;
  Services services;
  friend bool operator==(const StoredState& a, const StoredState& b) {
    return a.ports == b.ports && a.pins == b.pins && a.applied_ports == b.applied_ports &&
           a.routes == b.routes && same_nodes(a.nodes, b.nodes) && a.networks == b.networks &&
           a.remote_entries == b.remote_entries && same_services(a.services, b.services);
  }
};

// One step of a change. A port that goes takes its pins with it.
struct PortAdded {
  PortSpec spec;
  bool is_applied = false;
};
struct PortRemoved {
  std::string name;
};
struct QueuePinned {
  QueueName queue;
  unsigned core = 0;
};
struct NodeSet {  // a new one, or other values
  std::shared_ptr<const ClusterNode> node;
};
struct NodeRemoved {
  std::string name;
};
struct RouteAdded {
  StaticRoute route;
};
struct RouteRemoved {
  RouteName name;
};
struct NetworkSet {
  std::string name;
  uint32_t vni = 0;
};
struct NetworkRemoved {  // takes its remote entries with it
  std::string name;
};
struct RemoteEntrySet {
  RemoteName name;
  IpAddress vtep;
};
struct RemoteEntryRemoved {
  RemoteName name;
};
struct ServiceSet {
  std::shared_ptr<const ServiceSpec> service;
};
struct ServiceRemoved {
  ObjectName name;
};
struct SliceSet {
  std::shared_ptr<const EndpointSlice> slice;
  std::string was_of;  // the service that it belonged to; empty: it is new
};
struct SliceRemoved {
  ObjectName name;
  std::string service;
};
using Edit = std::variant<PortAdded, PortRemoved, QueuePinned, NodeSet, NodeRemoved, RouteAdded, RouteRemoved,
                          NetworkSet, NetworkRemoved, RemoteEntrySet, RemoteEntryRemoved, ServiceSet,
                          ServiceRemoved, SliceSet, SliceRemoved>;

bool is_of_services(const Edit& edit);
void apply_edit(StoredState& state, const Edit& edit);
void apply_edit(Services& services, const SliceSet& edit);

// Beyond either, since the last rewriting, the log is rewritten; but only when it has grown by half, so that
// what is large is not written again and again.
struct JournalLimits {
  size_t records = 4096;
  size_t bytes = size_t{8} << 20;
};

class Journal {
 public:
  // Makes the directory (0700) when it is missing, locks it, reads what is there. A torn last record is cut
  // off with a warning. Throws Error: another daemon owns it, a record in the middle is damaged, a newer
  // version wrote it.
  explicit Journal(std::string directory, JournalLimits limits = {});

  const StoredState& state() const { return state_; }
  // The edits as one record, all or nothing: on the disk when it returns, with the state before them. Throws
  // Error, and then neither the disk nor state() has changed.
  StoredState append(const std::vector<Edit>& edits);
  // Puts `state` in the place of everything; returns what was there.
  StoredState rewrite(StoredState state);

 private:
  void load();
  void replay(const std::string& text);
  Error damage(size_t offset, const std::string& what) const;
  void cut(size_t size);

  const std::string directory_;
  const std::string path_;
  const JournalLimits limits_;
  FileDescriptor directory_fd_;
  FileDescriptor lock_;
  FileDescriptor fd_;
  StoredState state_;
  size_t records_ = 0;       // since the last rewriting
  size_t size_ = 0;          // bytes of the file that are good
  size_t base_ = 0;          // of which the last rewriting wrote
  bool is_damaged_ = false;  // a write failed half way: only rewriting helps
};

}  // namespace podswitch
