// SPDX-License-Identifier: Apache-2.0
// One path registered with librte_vhost: features offered, call-backs routed to their owner. Made and
// destroyed by the configuration thread (or housekeeping); the events come from librte_vhost's threads.
#pragma once

#include <cstdint>
#include <string>

namespace podswitch {

// Never two at once for one device: librte_vhost sees to that, and none comes after ~VhostDevice.
class VhostEvents {
 public:
  virtual ~VhostEvents() = default;
  virtual bool peer_connected(int vid) noexcept = 0;  // false: hang up
  // The peer asked for features that were not offered; librte_vhost hangs up.
  virtual void features_refused(uint64_t excess) noexcept = 0;
  // A vring got ready, or is no longer. The vrings' locks may be held, for which a worker may be spinning:
  // no waiting for workers and no slow work here.
  virtual void vring_changed(uint16_t vring, bool ready) noexcept = 0;
  // The vrings' locks are still held. `memory_moved`: it named the guest's memory or a vring's place in it.
  virtual void message_handled(bool memory_moved) noexcept = 0;
  virtual void driver_started(int vid) noexcept = 0;
  // When this returns, the vrings' memory goes.
  virtual void driver_stopped() noexcept = 0;
  virtual void peer_gone() noexcept = 0;
};

class VhostDevice {
 public:
  struct Options {
    std::string path;
    bool server = false;
    uint16_t queues = 1;
    std::string socket_group;  // server: see set_socket_access()
    int socket_mode = -1;
  };
  // Throws Error. Events may come before it returns.
  VhostDevice(const Options& options, VhostEvents& events);
  // Tells driver_stopped() if a driver runs, with librte_vhost's own lock held: it must not wait there.
  ~VhostDevice();
  VhostDevice(const VhostDevice&) = delete;
  VhostDevice& operator=(const VhostDevice&) = delete;

 private:
  void offer_features();

  const Options options_;
};

}  // namespace podswitch
