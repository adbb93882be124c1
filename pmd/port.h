// SPDX-License-Identifier: Apache-2.0
// A port: where packets come from and go to. One file per kind implements it. receive() and send() are
// called by workers, maintain() by the housekeeping thread, the rest by the configuration thread unless
// said otherwise. A port is destroyed by the configuration thread after a grace period: no worker uses
// it any more then.
#pragma once

#include <rte_mbuf.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "pmd/member_status.h"
#include "pmd/port_spec.h"
#include "switch/ids.h"
#include "switch/offload.h"

namespace podswitch {

// What a port may ask of the switch around it. Any thread but a worker.
class PortHost {
 public:
  virtual ~PortHost() = default;
  // Packet buffers: 128 bytes of headroom and 2,048 of data. Any thread.
  virtual rte_mempool& pool() noexcept = 0;
  // Wakes sleeping workers, so that they look at wake sources again.
  virtual void wake_workers() noexcept = 0;
  // Returns when every worker has finished the burst it was in: nobody uses what was unpublished before.
  virtual void wait_for_workers() noexcept = 0;
};

class FlowOffload;

struct PortState {
  bool up = false;
  std::string reason;  // in words, when down
};

// What wakes a worker that sleeps. The fd is watched edge-triggered. fd -1: nothing can, so that the
// worker must come back by itself while the port is up, unless the queue is silent: nothing can come.
struct WakeSource {
  int fd = -1;
  uint32_t generation = 0;  // changes when the fd was replaced, even by one of the same number
  bool is_silent = false;
  bool is_polled_while_down = false;  // what it takes to come up goes through the queue
};

class Port {
 public:
  Port(PortId id, PortSpec spec, PortHost& host) : host_(host), id_(id), spec_(std::move(spec)) {}
  virtual ~Port() = default;
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  PortId id() const { return id_; }
  const PortSpec& spec() const { return spec_; }

  // Worker. Never two at once for one queue. Up to `max` packets; ol_flags carry at most
  // RTE_MBUF_F_RX_L4_CKSUM_NONE (partial checksum, checked to be of TCP, UDP or SCTP's kind by offsets)
  // and RTE_MBUF_F_RX_LRO with tso_segsz. The first segment holds at least the first 128 bytes, or all.
  virtual uint16_t receive(uint16_t queue, rte_mbuf** packets, uint16_t max) noexcept = 0;
  // Worker. Takes the first N packets it returns (they are freed or handed to the device); the others stay
  // the caller's. The packets' open offload requests fit tx_caps(); their data may be shared (refcnt > 1)
  // and must not be written. Safe for several workers at once if send_is_thread_safe().
  virtual uint16_t send(uint16_t queue, rte_mbuf** packets, uint16_t count) noexcept = 0;
  virtual bool send_is_thread_safe() const noexcept { return true; }
  // Worker. May change while the port is up (another peer connects).
  virtual TxCaps tx_caps() const noexcept = 0;
  bool is_up() const noexcept { return up_.load(std::memory_order_acquire); }

  // Worker, before it sleeps and after. set_wakeup(true) makes the other side notify; the worker polls once
  // more after it, so that nothing is missed.
  virtual WakeSource wake_source(uint16_t queue) noexcept = 0;
  virtual void set_wakeup(uint16_t /*queue*/, bool /*enabled*/) noexcept {}

  // Housekeeping thread, once a second: notices what changed outside, tries again what failed.
  virtual void maintain() noexcept {}

  // The port is deleted, and not merely closed because the daemon stops: what would outlive us is to go too.
  // Called once, before the destructor.
  virtual void remove() noexcept {}

  // Any thread but a worker.
  PortState state() const;
  uint64_t state_changes() const { return state_changes_.load(std::memory_order_relaxed); }
  // Errors the device or the kernel reported; the switch's own drops are not among them.
  virtual uint64_t rx_errors() const noexcept { return rx_errors_.load(std::memory_order_relaxed); }
  virtual uint64_t tx_errors() const noexcept { return tx_errors_.load(std::memory_order_relaxed); }
  // The device's flow engine; nullptr: ports of this kind have none.
  virtual FlowOffload* flows() noexcept { return nullptr; }
  // The MAC that the port's own device shows to the pod, if the switch made the device.
  virtual std::optional<MacAddress> device_mac() const { return std::nullopt; }
  // How often its frames have begun to leave by another way than before, or again after none. Any thread.
  virtual uint64_t way_changes() const noexcept { return state_changes(); }
  // Of a bond, in the order in which they were given; of other kinds none.
  virtual std::vector<MemberStatus> members() const { return {}; }

 protected:
  // Logs and counts a change; wakes the workers. Any thread but a worker.
  void set_up();
  void set_down(const std::string& reason);

  PortHost& host_;
  std::atomic<uint64_t> rx_errors_{0};
  std::atomic<uint64_t> tx_errors_{0};

 private:
  const PortId id_;
  const PortSpec spec_;
  std::atomic<bool> up_{false};
  std::atomic<uint64_t> state_changes_{0};
  mutable std::mutex reason_mutex_;
  std::string reason_ = "not started";
};

// Strict: what is missing on the machine (a namespace, an interface, a device) is an Error and there is
// no port. Patient: the port is there, down with that reason, and maintain() tries again.
enum class OpenPolicy : uint8_t { Strict, Patient };

std::unique_ptr<Port> open_port(PortId id, const PortSpec& spec, PortHost& host, OpenPolicy policy);

// One per kind, called by open_port.
std::unique_ptr<Port> open_vhost_user(PortId id, const PortSpec& spec, PortHost& host, OpenPolicy policy);
std::unique_ptr<Port> open_tap(PortId id, const PortSpec& spec, PortHost& host, OpenPolicy policy);
std::unique_ptr<Port> open_af_packet(PortId id, const PortSpec& spec, PortHost& host, OpenPolicy policy);
std::unique_ptr<Port> open_ethdev(PortId id, const PortSpec& spec, PortHost& host,
                                  OpenPolicy policy);  // and af-xdp, memif
std::unique_ptr<Port> open_bond(PortId id, const PortSpec& spec, PortHost& host, OpenPolicy policy);

}  // namespace podswitch
