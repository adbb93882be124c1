// SPDX-License-Identifier: Apache-2.0
// One worker of a cluster's node and the traffic of one path through it, between ports without rings: the
// real worker, pipeline, tables and transmitter. Main thread.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string_view>

#include "pmd/flow_memory.h"
#include "pmd/publisher.h"
#include "pmd/worker.h"
#include "switch/fragment_table.h"
#include "tests/bench/inprocess/bench_switch.h"
#include "tests/bench/inprocess/cluster.h"

namespace podswitch::bench {

enum class Path : uint8_t {
  Bridge,       // pod to pod by MAC
  Encapsulate,  // pod to other nodes' pods
  BridgeOuter,  // what Decapsulate gets, by its outer MAC, between plain ports
  Decapsulate,  // other nodes' pods to a pod
  Route,        // pod to pod by the gateway
  RouteBeside,  // the same, while there are Services that nobody asks for
  Serve,        // pod to Services of pods of this node, connections that are known
};
inline constexpr std::array kPaths{Path::Bridge, Path::Encapsulate, Path::BridgeOuter, Path::Decapsulate,
                                   Path::Route,  Path::RouteBeside, Path::Serve};

struct PathTraffic {
  uint32_t flows = 1000;
  uint32_t services = 10;
};

class PathSwitch {
 public:
  // `cluster` must outlive it.
  PathSwitch(Path path, unsigned core, const PathTraffic& traffic, const Cluster& cluster, rte_mempool& pool);
  ~PathSwitch();
  PathSwitch(const PathSwitch&) = delete;
  PathSwitch& operator=(const PathSwitch&) = delete;

  // The worker polls from now on, or sleeps.
  void run(bool active);
  void next_second() { clock_seconds_.fetch_add(1, std::memory_order_relaxed); }
  Reading read() const;
  // Packets that did not reach the sink. Only when nobody polls.
  uint64_t lost() const;

 private:
  void make_ports(const PathTraffic& traffic);
  void fill_table();

  Host host_;
  const Path path_;
  NeighbourTable link_hosts_{{.capacity = 1}};
  Fdb fdb_{{}};
  RemoteFdb remote_fdb_{{.capacity = 16}};
  NeighbourTable neighbours_{{.capacity = 16}};
  Publisher publisher_{1};
  std::atomic<uint32_t> clock_seconds_{1};
  FragmentTable fragments_{{.capacity = 1}};
  FlowMemory flow_memory_;
  FlowTable flows_;
  std::atomic<uint32_t> ip_ids_{0};
  FidMap fids_;
  std::vector<BridgePort> bridge_ports_;
  Routing routing_;
  const Cluster& cluster_;
  std::unique_ptr<PortSlot> source_, sink_;
  std::unique_ptr<Worker> worker_;
  uint64_t revision_ = 0;
};

}  // namespace podswitch::bench
