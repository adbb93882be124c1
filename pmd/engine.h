// SPDX-License-Identifier: Apache-2.0
// The running switch, as the control side sees it: desired state goes in, figures come out. Owns EAL
// memory, ports, workers, the housekeeping thread. prepare(), commit() and flushes belong to the
// configuration thread; the read-only listings may be called by any thread but a worker.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lb/flow_table.h"
#include "pmd/flow_filter.h"
#include "pmd/offload_status.h"
#include "pmd/port.h"
#include "pmd/port_spec.h"
#include "pmd/routing.h"
#include "pmd/service_planner.h"
#include "pmd/service_status.h"
#include "pmd/services.h"
#include "pmd/static_route.h"
#include "switch/drop_reason.h"
#include "switch/fdb.h"
#include "switch/node.h"
#include "switch/snapshot.h"

namespace podswitch {

enum class IdlePolicy : uint8_t { Adaptive, Poll };
// Whether workers finish what comes out of tunnels for the one that polls the uplink: when it is overloaded,
// never, at any time.
enum class SpreadPolicy : uint8_t { Auto, Off, Always };
enum class HugepagePolicy : uint8_t { Auto, Required, None };

struct MemoryOptions {
  HugepagePolicy hugepages = HugepagePolicy::Auto;
  std::vector<uint32_t> mib_per_node;  // empty: computed from ports and queues
  uint32_t buffers = 0;                // packet buffers; 0: computed from ports and queues
};

// A receive queue of a port.
struct QueueName {
  std::string port;
  uint16_t queue = 0;
  friend auto operator<=>(const QueueName&, const QueueName&) = default;
};
using Pins = std::map<QueueName, unsigned>;  // to a worker's core

struct FlowOptions {
  uint32_t capacity = 1'000'000;
  FlowTimeouts timeouts = default_flow_timeouts();
  std::string file;  // empty: flows end with the process
  // On a hugetlbfs if there is room, else in `file` if that is on a tmpfs, else in none.
  bool chooses_file = false;
};

struct EngineOptions {
  std::string instance;                // unique per daemon; made from the control socket's path
  std::vector<unsigned> worker_cores;  // at least one, distinct
  std::vector<unsigned> other_cores;   // for every other thread; empty: all that workers leave
  IdlePolicy idle = IdlePolicy::Adaptive;
  SpreadPolicy spread = SpreadPolicy::Auto;  // means nothing to a single worker
  MemoryOptions memory;
  uint32_t static_queues = 0;  // receive queues known before the start, to compute memory from
  Fdb::Options fdb;
  FlowOptions flows;
  Gateway gateway;
  std::string node_name;
  OverlayOptions overlay;
};

// A MAC address that the operator has put behind a VTEP.
struct RemoteName {
  std::string network;
  MacAddress mac;
  friend auto operator<=>(const RemoteName&, const RemoteName&) = default;
};
using RemoteEntries = std::map<RemoteName, IpAddress>;  // to the VTEP; without effect while no node has it

struct DesiredState {
  std::map<std::string, std::shared_ptr<const PortSpec>> ports;  // by name
  Pins pins;                                                     // of queues that may not exist yet
  Nodes nodes;                                                   // this one may be among them
  StaticRoutes routes;
  Networks networks;
  RemoteEntries remote_entries;  // of `networks`
  Services services;
};

struct PortFigures {
  uint64_t rx_packets = 0, rx_bytes = 0, tx_packets = 0, tx_bytes = 0;
  uint64_t rx_errors = 0, tx_errors = 0;
  std::array<uint64_t, kReasonCount> reasons{};  // by DropReason
  uint64_t dropped() const;                      // the sum of those with Disposition::Dropped
};

struct PortStatus {
  PortId id = kNoPort;
  PortSpec spec;
  PortState state;
  std::string hint;  // in words, when something about it works less well than it might
  uint64_t state_changes = 0;
  std::optional<MacAddress> device_mac;
  std::vector<MemberStatus> members;  // of a bond
  PortFigures figures;
};

struct WorkerStatus {
  unsigned core = 0;
  std::vector<QueueName> queues;
  double busy_share = 0;  // 0..1, of the last whole second
  double cycles_per_packet =
      0;                     // busy cycles, received or taken over, of the last whole second; 0: none came
  double average_burst = 0;  // packets, of the last whole second
  uint64_t busy_cycles = 0, idle_cycles = 0, sleep_cycles = 0;  // since start, of the time stamp counter
  uint64_t packets = 0, bursts = 0, sleeps = 0;                 // since start
  uint64_t handed_over = 0, taken_over = 0;  // since start: packets that others finished, and of others
  uint64_t polls = 0;                        // loops; stands still only while it sleeps or hangs
};

struct FdbEntry {
  std::string network;
  uint16_t vlan = 0;  // 0: untagged
  MacAddress mac;
  std::string port;               // empty: behind a VTEP
  std::optional<IpAddress> vtep;  // the node's first one
  bool is_static = false;
  uint32_t age_seconds = 0;
};

struct FdbFilter {  // an empty field matches all
  std::string network;
  std::string port;
  std::optional<MacAddress> mac;
};

struct NeighbourStatus {  // of the underlay
  IpAddress ip;
  std::optional<MacAddress> mac;  // nullopt: does not answer
  uint32_t age_seconds = 0;       // since it was last heard
  size_t next_hops = 0;           // that lead over it; 0: a host on the uplink's link
};

// To the pods of another node that have addresses of one family.
struct NodeWay {
  bool is_v4 = true;
  Way way;
  std::optional<MacAddress> mac;     // of way.via; nullopt: it does not answer
  std::optional<uint16_t> path_mtu;  // of the tunnel's packets, where a router has said one
};

struct RouteStatus {
  std::string network;
  Prefix prefix;
  std::string next_hop;  // in words: "pod web", "node two", "192.0.2.9 in the underlay"
  bool is_static = false;
};

struct FlowStatus {
  FlowEntry entry;
  std::string service;  // NAMESPACE/NAME:PORT; empty: none, or it is gone
};

// A part of the table at a time, so that neither memory nor time grow with it. `next`: where the next part
// begins; kNoFlow: that was all. A flow keeps its place, so that none comes twice.
struct FlowPage {
  std::vector<FlowStatus> flows;
  FlowSlot next = kNoFlow;
};
struct FlowFlush {
  size_t removed = 0;
  FlowSlot next = kNoFlow;
};

struct FlowTableStatus {
  uint32_t in_use = 0, capacity = 0;
  uint64_t begun = 0, refused = 0, evicted = 0, expired = 0, ports_changed = 0;  // since start
  uint64_t bytes = 0;
  bool hugepages = false;
  std::string file;  // empty: flows end with the process
};

struct SwitchStatus {
  uint64_t revision = 0;
  bool hugepages = false;
  uint64_t memory_bytes = 0;
  uint64_t uptime_seconds = 0;
  uint64_t tsc_hz = 0;
  MacAddress gateway_mac;
  std::optional<uint16_t> pod_mtu;  // nullopt: as the ports have it, there is no uplink
  size_t ports = 0, workers = 0;
  size_t fdb_size = 0, fdb_capacity = 0;
  size_t remote_fdb_size = 0;
  uint64_t neighbour_answers = 0;  // about pods of other nodes
  uint64_t fdb_moves = 0, learn_queue_full = 0;
  size_t services = 0;                           // with addresses
  size_t service_frontends = 0;                  // that packets find
  size_t service_clashes = 0;                    // frontends that more than one claims
  uint64_t ladder_steps = 0;                     // of tables of choices that became larger or smaller
  size_t routes = 0;                             // of all networks
  uint64_t route_bytes = 0;                      // of their tables and next hops
  size_t fragments = 0, fragments_capacity = 0;  // datagrams whose ports are known to their fragments
  uint64_t fragments_evicted = 0, fragments_busy = 0;
  FlowTableStatus flows;
  uint64_t buffers = 0, buffers_in_use = 0;  // packet buffers; those in workers' caches count as free
};

// A port that cannot be opened, with paths that are its options.
class PortError : public Error {
 public:
  PortError(std::string port, const Error& error) : Error(error.problems()), port_(std::move(port)) {}
  const std::string& port() const { return port_; }

 private:
  std::string port_;
};

class Engine {
 public:
  // Starts EAL, memory, workers and housekeeping. Throws Error. One per process.
  explicit Engine(const EngineOptions& options);
  ~Engine();

  // A change that has been tried and can still be dropped: the new ports exist, nothing carries packets.
  class Change {
   public:
    virtual ~Change() = default;
  };
  // Throws Error, and then nothing has changed; PortError when one of the ports is the cause.
  std::unique_ptr<Change> prepare(const DesiredState& next, OpenPolicy policy);
  // Publishes; returns the revision's number when every worker runs it. Removed ports are closed by then.
  uint64_t commit(std::unique_ptr<Change> change);
  // Deletes what a former daemon left behind for a port that is not to come back, such as a persistent tap;
  // what another port uses stays. What is not there, or cannot be opened, is none of its business.
  void discard(const PortSpec& spec);

  SwitchStatus status() const;
  std::vector<PortStatus> ports() const;  // sorted by name
  std::vector<WorkerStatus> workers() const;
  std::vector<FdbEntry> fdb(const FdbFilter& filter, size_t limit) const;
  std::vector<NeighbourStatus> neighbours() const;
  // In the order of networks and prefixes.
  std::vector<RouteStatus> routes(const std::string& network, size_t limit) const;
  std::vector<OffloadStatus> offloads() const;                    // of uplinks
  std::map<std::string, std::vector<NodeWay>> node_ways() const;  // by node; configuration thread
  // Services: configuration thread. In the order of their names.
  std::vector<ServiceStatus> services(const ServiceFilter& filter, size_t limit) const;
  std::shared_ptr<const ServiceSpec> service(const ObjectName& name) const;  // nullptr: there is none
  std::vector<ObjectName> service_names(size_t limit) const;
  std::vector<ServicePortStatus> service_ports(const ObjectName& name) const;
  // For each frontend of the client's family, which backend a new flow gets.
  std::vector<ServiceChoice> service_choices(const ObjectName& name, const IpAddress& client,
                                             uint16_t client_port) const;
  std::vector<ServicePlanner::Clash> service_clashes(size_t limit) const;
  size_t flush_fdb(const FdbFilter& filter);  // learned entries only; how many went
  // At most `limit` of the flows from `from` on. Locks nothing that workers wait for. Configuration thread,
  // which knows the services' names.
  FlowPage flows(const FlowFilter& filter, FlowSlot from, size_t limit) const;
  FlowFlush flush_flows(const FlowFilter& filter, FlowSlot from);

  // The watchdog's question: did every worker finish a loop within the last two seconds, or sleep?
  bool workers_make_progress() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace podswitch
