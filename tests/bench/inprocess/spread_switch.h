// SPDX-License-Identifier: Apache-2.0
// A cluster's node with two workers and an uplink that one of them polls; what comes out of the tunnels is
// copied to pods, as into a guest's memory. Main thread.
#pragma once

#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <vector>

#include "pmd/flow_memory.h"
#include "pmd/publisher.h"
#include "pmd/spread.h"
#include "pmd/worker.h"
#include "switch/fragment_table.h"
#include "switch/neighbour_table.h"
#include "switch/remote_fdb.h"
#include "tests/bench/inprocess/cluster.h"
#include "tests/bench/inprocess/ports.h"

namespace podswitch::bench {

// Copies from each packet's buffer, and gives it back. A queue is used by one worker alone.
class CopyingPort final : public Port {
 public:
  CopyingPort(PortId id, PortHost& host, uint16_t queues, uint16_t bytes)
      : Port(id, spec_of(id, queues), host), bytes_(bytes) {
    for (uint16_t i = 0; i < queues; ++i) memory_.push_back(std::make_unique<Memory>());
    set_up();
  }
  uint16_t receive(uint16_t, rte_mbuf**, uint16_t) noexcept override { return 0; }
  uint16_t send(uint16_t queue, rte_mbuf** packets, uint16_t count) noexcept override {
    Memory& memory = *memory_[queue];
    for (uint16_t i = 0; i < count; ++i)
      std::memcpy(memory.slots[memory.next++ % memory.slots.size()].data(),
                  rte_pktmbuf_mtod(packets[i], const char*), bytes_);
    rte_pktmbuf_free_bulk(packets, count);
    return count;
  }
  TxCaps tx_caps() const noexcept override { return {}; }
  WakeSource wake_source(uint16_t) noexcept override { return {.is_silent = true}; }

 private:
  struct alignas(64) Memory {  // as much as a ring's buffers
    size_t next = 0;
    std::array<std::array<char, 2048>, 256> slots{};
  };
  const uint16_t bytes_;
  std::vector<std::unique_ptr<Memory>> memory_;
};

class SpreadSwitch {
 public:
  struct Setup {
    std::vector<unsigned> cores;  // two
    SpreadPolicy policy = SpreadPolicy::Off;
    uint32_t flows = 1000;
    uint16_t copied_bytes = 0;  // of each packet
  };
  // `cluster` must outlive it.
  SpreadSwitch(const Setup& setup, const Cluster& cluster, rte_mempool& pool);
  ~SpreadSwitch();
  SpreadSwitch(const SpreadSwitch&) = delete;
  SpreadSwitch& operator=(const SpreadSwitch&) = delete;

  // The first worker polls the uplink from now on, or both sleep.
  void run(bool active);
  // Since the start.
  uint64_t arrived() const;
  uint64_t refused() const;
  uint64_t handed_over() const { return workers_.front()->handed_over(); }
  // Packets that are neither. Only when nobody polls.
  uint64_t lost() const;

 private:
  Host host_;
  const Cluster& cluster_;
  const std::vector<BridgePort> bridge_ports_ = Cluster::ports();
  SourcePortOf<TunnelFrame> uplink_;
  CopyingPort pods_;
  Fdb fdb_{{}};
  RemoteFdb remote_fdb_{{.capacity = 16}};
  NeighbourTable neighbours_{{.capacity = 16}};
  NeighbourTable link_hosts_{{.capacity = 1}};
  Publisher publisher_;
  std::atomic<uint32_t> clock_seconds_{1};
  FragmentTable fragments_{{.capacity = 1}};
  FlowMemory flow_memory_{"", kMinFlows, false};
  FlowTable flows_{flow_memory_.table(), {.capacity = kMinFlows}, flow_memory_.hash()};
  std::atomic<uint32_t> ip_ids_{0};
  FidMap fids_;
  std::unique_ptr<SpreadMesh> mesh_;
  std::vector<std::unique_ptr<Worker>> workers_;
  uint64_t revision_ = 0;
};

}  // namespace podswitch::bench
