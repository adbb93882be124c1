// SPDX-License-Identifier: Apache-2.0
// Makes the MACs behind the ports known to a learning switch, by broadcasts from each. One thread.
#pragma once

#include <rte_mbuf.h>

#include <vector>

#include "tests/bench/generator/trial.h"

namespace podswitch::bench {

class Announcer {
 public:
  // Takes its buffers from there, and keeps what is payload in them.
  explicit Announcer(rte_mempool& buffers) : buffers_(buffers) {}

  // Announces all MACs behind these ports, a few at a time, each until it has been heard at the port beside.
  // To be called while nothing else moves. How many were never heard.
  uint32_t announce_all(const std::vector<uint16_t>& ports, const Trial& trial);
  // The port's first MAC, or the address that it speaks for, once.
  void announce_first(uint16_t port, const Trial& trial);

 private:
  uint32_t announce_window(uint16_t port, uint32_t first, uint32_t count);
  void send(uint16_t port, uint32_t first, uint64_t which);
  void send_arp(uint16_t port, const Ipv4Address& ip);
  uint64_t hear(uint16_t at, uint16_t from, uint32_t first);

  rte_mempool& buffers_;
  uint16_t bytes_ = 0;
  std::vector<uint16_t> ports_;
};

}  // namespace podswitch::bench
