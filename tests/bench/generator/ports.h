// SPDX-License-Identifier: Apache-2.0
// The generator's side of the switch's ports: DPDK's EAL with memory for them, and one virtio-user device
// with one queue pair for each socket. Used by one thread, the one that made it.
#pragma once

#include <rte_mempool.h>

#include <deque>

#include "tests/bench/generator/options.h"
#include "tests/support/raw_front_end.h"

namespace podswitch::bench {

class Ports {
 public:
  // Returns once the switch has connected to every socket. Throws std::runtime_error.
  explicit Ports(const Options& options);
  ~Ports();
  Ports(const Ports&) = delete;
  Ports& operator=(const Ports&) = delete;

  uint16_t count() const { return count_; }
  bool is_connected(uint16_t port) const;

  // Buffers to send, whose bytes are bench::payload() from the first one on: each has room for the whole
  // frame.
  rte_mempool& buffers_for(uint16_t wire_bytes) const;
  // To be called when nobody has such buffers: undoes what headers were written over their payload.
  void restore_payload() const;

 private:
  void start_eal(const Options& options) const;
  void write_payloads(size_t most) const;
  void make_pools(uint16_t queue_size);
  void start_port(uint16_t port, uint16_t queue_size) const;

  uint16_t count_;
  std::vector<std::string> paths_;
  std::deque<RawFrontEnd> idle_;
  rte_mempool* received_ = nullptr;
  rte_mempool* sent_ = nullptr;
  rte_mempool* sent_jumbo_ = nullptr;
};

}  // namespace podswitch::bench
