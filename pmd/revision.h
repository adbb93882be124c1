// SPDX-License-Identifier: Apache-2.0
// One published state of the switch: which worker polls which queue, who sends how to which port, and
// the stages' snapshot. Made by the configuration thread, immutable, read by workers between
// publication and the end of the grace period after its successor's.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "pmd/poll_order.h"
#include "pmd/port.h"
#include "lb/spin_lock.h"
#include "switch/snapshot.h"

namespace podswitch {

struct RxQueue {
  Port* port;
  uint16_t queue;
};

// How one worker sends to one port. Queues are folded onto workers; a queue that two workers share and
// whose device does not serialise by itself has a lock.
struct TxRoute {
  Port* port = nullptr;  // nullptr: no such port
  SpinLock* lock = nullptr;
  uint16_t queue = 0;
};

struct WorkerView {
  std::vector<RxQueue> queues;
  std::unique_ptr<PollOrder> order;  // of queues; the worker's own
  std::vector<TxRoute> routes;       // kMaxPorts of them, by PortId
  bool has_uplink = false;           // among queues
};

struct Revision {
  uint64_t number = 0;
  std::unique_ptr<const Snapshot> snapshot;
  std::vector<WorkerView> workers;
};

// A port and what belongs to it as long as some revision names it.
struct PortSlot {
  std::unique_ptr<Port> port;
  std::vector<SpinLock> tx_locks;  // by transmit queue
  explicit PortSlot(std::unique_ptr<Port> p) : port(std::move(p)), tx_locks(port->spec().queues) {}
};

}  // namespace podswitch
