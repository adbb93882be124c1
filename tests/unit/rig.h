// SPDX-License-Identifier: Apache-2.0
// A switch without devices for tests of the stages: ports given as the configuration gives them, one packet
// at a time, the real tables.
#pragma once

#include <memory>
#include <vector>

#include "pmd/flow_memory.h"
#include "switch/fragment_table.h"
#include "switch/pipeline.h"
#include "switch/stages/stages.h"
#include "tests/unit/packet_builder.h"

namespace podswitch::test {

struct Outcome {
  PacketPtr packet;
  PacketMeta meta;
  Cut cut;  // with Verdict::Fragment

  // "undecided", "flood", "to 3" or the name of the drop reason: what a test compares.
  std::string verdict() const;
};

class Rig {
 public:
  using Stage = void (*)(Burst&, const Snapshot&, Local&) noexcept;

  explicit Rig(const std::vector<BridgePort>& ports, const Gateway& gateway = {},
               const Routing& routing = {});

  // Through parse and `stage`; without a stage, through the whole pipeline.
  Outcome send(PortId in, const Packet& packet, Stage stage = nullptr);
  Outcome send(PortId in, PacketPtr packet, Stage stage = nullptr);
  // Together, as one burst; at most kBurstSize.
  std::vector<Outcome> send_together(PortId in, std::vector<PacketPtr> packets);
  // What the housekeeping thread does with what was posted.
  void apply_learned();

  const Snapshot& snapshot() const { return *snapshot_; }
  Fdb& fdb() { return fdb_; }
  RemoteFdb& remote_fdb() { return remote_fdb_; }
  NeighbourTable& neighbours() { return neighbours_; }
  uint64_t neighbour_answers() const { return local_.neighbour_answers.get(); }
  uint64_t counted(PortId port, DropReason reason) const;
  std::vector<HeardEvent> heard();  // since the last call
  const Local& local() const { return local_; }
  std::vector<IpAddress> wanted();  // since the last call
  NeighbourTable& link_hosts() { return link_hosts_; }
  FlowTable& flows() { return flows_; }
  ServiceCounters& service_counters() { return service_counters_; }
  void pass_seconds(uint32_t seconds) { local_.now_seconds += seconds; }

 private:
  FidMap fids_;
  NeighbourTable link_hosts_{{.capacity = 100}};
  WantedRing wanted_;
  std::unique_ptr<Snapshot> snapshot_;
  Fdb fdb_{{.capacity = 64, .port_limit = 10, .aging_seconds = 300}};
  RemoteFdb remote_fdb_{{.capacity = 64}};
  NeighbourTable neighbours_{{.capacity = 64}};
  ClaimRing claimed_;
  std::unique_ptr<PortCounterTable> counters_ = std::make_unique<PortCounterTable>();
  LearnRing learned_;
  HeardRing heard_;
  FragmentTable fragments_{{.capacity = 10}};
  FlowMemory flow_memory_{"", kMinFlows, false};
  FlowTable flows_{flow_memory_.table(), {.capacity = kMinFlows}, flow_memory_.hash()};
  ServiceCounters service_counters_;
  std::atomic<uint32_t> ip_ids_{1};
  Local local_;
};

}  // namespace podswitch::test
