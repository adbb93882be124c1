// SPDX-License-Identifier: Apache-2.0
// One DPDK ethdev, probed and configured as a PortSpec of kind af-xdp, memif, ethdev or bond asks. Owned by
// its port; made, started and destroyed by the configuration or the housekeeping thread while no worker uses
// it.
#pragma once

#include <rte_mempool.h>

#include <cstdint>
#include <memory>
#include <string>

#include "pmd/af_xdp_pool.h"
#include "pmd/af_xdp_sockets.h"
#include "pmd/bond.h"
#include "pmd/error.h"
#include "pmd/flow_offload.h"
#include "pmd/port_spec.h"
#include "switch/offload.h"

namespace podswitch {

// What is not there yet, in words; empty when probing is worth a try.
std::string why_no_device(const PortSpec& spec);

// A receive queue that the kernel does not give away now.
class DeviceBusy : public Error {
 public:
  using Error::Error;
};

class EthDevice {
 public:
  // Probes and configures; throws Error. `pool` gives the buffers, except to af-xdp. `flows` has the device
  // while it runs.
  EthDevice(const PortSpec& spec, rte_mempool& pool, FlowOffload& flows);
  ~EthDevice();
  EthDevice(const EthDevice&) = delete;
  EthDevice& operator=(const EthDevice&) = delete;

  // Returns 0 or a negative errno value. A memif client starts only when its server listens.
  int start();
  void stop();
  bool is_started() const { return is_started_; }

  uint16_t id() const { return id_; }
  Bond* bond() const { return bond_.get(); }  // nullptr: of another kind
  const TxCaps& tx_caps() const { return caps_; }
  bool has_link() const;
  // Whether receive queues can have an interrupt descriptor.
  bool has_receive_interrupts() const { return has_receive_interrupts_; }

 private:
  void probe(const PortSpec& spec);
  void configure(const PortSpec& spec, rte_mempool& pool);
  void set_up_queues(const PortSpec& spec, rte_mempool& pool, uint16_t receive_ring, uint16_t transmit_ring);
  void close();
  template <typename Work>
  void where_drivers_are_called(Work work);

  const bool is_memif_;
  FlowOffload& flows_;
  FlowQueues flow_queues_;
  std::string driver_;
  uint16_t id_ = 0;
  bool is_probed_ = false;
  bool is_started_ = false;
  bool has_receive_interrupts_ = false;
  TxCaps caps_;
  std::unique_ptr<AfXdpPool> af_xdp_pool_;
  AfXdpSockets af_xdp_sockets_;
  std::unique_ptr<Bond> bond_;
};

}  // namespace podswitch
