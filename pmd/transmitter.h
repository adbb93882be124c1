// SPDX-License-Identifier: Apache-2.0
// The last step of the packet path: collects what is forwarded per egress port, makes each packet fit
// what its receiver negotiated, sends in bursts, counts. One per worker, used by it alone.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <memory>
#include <vector>

#include "pmd/revision.h"
#include "switch/burst.h"
#include "switch/counters.h"
#include "switch/ip_ids.h"

namespace podswitch {

class Transmitter {
 public:
  // `ip_ids`: the worker's.
  Transmitter(rte_mempool& pool, PortCounterTable& counters, IpIds& ip_ids);

  // Carries out the verdicts of a burst; takes all its packets. What is forwarded waits for flush(), or for
  // its batch to be full.
  void hand_on(Burst& burst, const WorkerView& view, const Snapshot& snapshot) noexcept;
  void flush(const WorkerView& view) noexcept;
  // Takes at most kBurstSize packets for one port; they wait as above.
  void add(PortId out, rte_mbuf** packets, uint16_t count, const WorkerView& view) noexcept;

 private:
  struct Batch {
    uint16_t count = 0;
    std::array<rte_mbuf*, kBurstSize> packets;
  };

  void forget(PortId out) noexcept;
  // In transmitter_cut.cpp.
  void cut(rte_mbuf* packet, const PacketMeta& meta, const Cut& how, const WorkerView& view,
           const Snapshot& snapshot) noexcept;
  void cut_one(rte_mbuf& packet, const PacketMeta& meta, const Cut& how, const WorkerView& view,
               const Snapshot& snapshot) noexcept;
  void flood(rte_mbuf* packet, const PacketMeta& meta, const WorkerView& view,
             const Snapshot& snapshot) noexcept;
  void flood_to_tunnels(rte_mbuf* packet, const PacketMeta& meta, const WorkerView& view,
                        const Snapshot& snapshot) noexcept;
  void flood_to(PortId out, rte_mbuf* packet, const FidView& fid, const WorkerView& view,
                const Snapshot& snapshot) noexcept;
  void send(PortId out, rte_mbuf** packets, uint16_t count, const WorkerView& view) noexcept;
  void send_with_care(PortId out, const TxRoute& route, rte_mbuf** packets, uint16_t count) noexcept;
  rte_mbuf* make_fit(rte_mbuf* packet, const TxCaps& caps) noexcept;
  void cut_and_transmit(PortId out, const TxRoute& route, rte_mbuf* packet, const TxCaps& caps) noexcept;
  void transmit(PortId out, const TxRoute& route, rte_mbuf** packets, uint16_t count) noexcept;
  void transmit(PortId out, const TxRoute& route, rte_mbuf** packets, uint16_t count,
                uint64_t bytes) noexcept;
  void count_drop(const rte_mbuf& packet, DropReason reason) noexcept;
  void drop(rte_mbuf* packet, DropReason reason) noexcept;

  rte_mempool& pool_;
  PortCounterTable& counters_;
  IpIds& ip_ids_;
  std::unique_ptr<std::array<Batch, kMaxPorts>> batches_;  // by egress PortId
  std::array<PortId, kMaxPorts> waiting_;                  // those with a count
  uint16_t waiting_count_ = 0;
  std::vector<rte_mbuf*> segments_;  // of one super frame
  std::vector<rte_mbuf*> pieces_;    // of one IP packet
  std::vector<rte_mbuf*> uncut_;     // segments that are cut further; while they are, segments_ may be needed
};

}  // namespace podswitch
