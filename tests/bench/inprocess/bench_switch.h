// SPDX-License-Identifier: Apache-2.0
// A switch inside the process: the real workers, tables and revisions of pmd/, with source and sink ports.
// Main thread.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "pmd/flow_memory.h"
#include "pmd/publisher.h"
#include "pmd/worker.h"
#include "switch/fragment_table.h"
#include "tests/bench/inprocess/ports.h"

namespace podswitch::bench {

// Where the sources' packets go.
enum class Egress : uint8_t {
  Own,     // each source has a sink of its own
  Shared,  // one sink, with a transmit queue for each worker
  Locked,  // one sink with one transmit queue, which the workers share
  Cross,   // a source that the other worker polls, as between two pods
};

// Since the start.
struct Reading {
  uint64_t busy_cycles = 0;
  uint64_t packets = 0;
  double cpu_seconds = 0;  // on a core
};

class BenchSwitch {
 public:
  struct Setup {
    std::vector<unsigned> cores;  // a worker on each, with two sources
    Egress egress;
    uint32_t flows, macs;  // of each source
    rte_mempool& pool;
    PortId first_source = 0;  // so that two switches have different traffic
  };
  explicit BenchSwitch(const Setup& setup);
  ~BenchSwitch();
  BenchSwitch(const BenchSwitch&) = delete;
  BenchSwitch& operator=(const BenchSwitch&) = delete;

  size_t workers() const { return workers_.size(); }
  // These workers poll their sources from now on, the others sleep. In the order of the cores.
  void run(const std::vector<bool>& active);
  void next_second() { clock_seconds_.fetch_add(1, std::memory_order_relaxed); }
  Reading read(size_t worker) const;
  // Packets that did not reach a sink. Only when nobody polls.
  uint64_t lost() const;

 private:
  void make_sinks(const Setup& setup);
  void make_sources(const Setup& setup);
  void fill_table(const Setup& setup);
  template <typename Visit>
  void for_each_slot(Visit&& visit) const;
  std::unique_ptr<Revision> compile(const std::vector<bool>& active);
  TxRoute route(PortSlot& slot, size_t worker) const;

  Host host_;
  NeighbourTable link_hosts_{{.capacity = 1}};
  Fdb fdb_;
  RemoteFdb remote_fdb_{{.capacity = 16}};
  NeighbourTable neighbours_{{.capacity = 16}};
  Publisher publisher_;
  std::atomic<uint32_t> clock_seconds_{1};
  FragmentTable fragments_{{.capacity = 1}};
  FlowMemory flow_memory_{"", kMinFlows, false};
  FlowTable flows_{flow_memory_.table(), {.capacity = kMinFlows}, flow_memory_.hash()};
  std::atomic<uint32_t> ip_ids_{0};
  FidMap fids_;
  std::vector<std::unique_ptr<PortSlot>> sources_, sinks_;  // sources: two for each worker
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<char[]>> fillers_;
  uint64_t revision_ = 0;
};

}  // namespace podswitch::bench
