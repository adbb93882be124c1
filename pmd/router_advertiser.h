// SPDX-License-Identifier: Apache-2.0
// Tells pods about the gateway without being asked (RFC 4861 section 6.2.4): three times when a port comes up
// or its MTU changes, then at random intervals. Housekeeping thread.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <vector>

#include "pmd/port.h"
#include "switch/net/address.h"

namespace podswitch {

class RouterAdvertiser {
 public:
  struct Listener {
    const Port* port = nullptr;
    uint16_t mtu = 0;
  };
  // Takes the packet, which is for the port.
  using Send = std::function<void(PortId, rte_mbuf*)>;

  RouterAdvertiser(rte_mempool& pool, const MacAddress& mac, uint16_t lifetime_seconds, Send send)
      : pool_(pool), mac_(mac), lifetime_seconds_(lifetime_seconds), send_(std::move(send)) {}

  // The listeners from now on, untagged ones; their ports live until they are set anew.
  void set(const std::vector<Listener>& listeners);
  void every_second(uint32_t now);

 private:
  struct Entry {
    Listener listener;
    bool is_up = false;
    uint32_t next = 0;  // second of the switch's clock
    unsigned initial_left = 0;
  };
  void look_at(Entry& entry, uint32_t now);
  void advertise(const Listener& listener);

  rte_mempool& pool_;
  const MacAddress mac_;
  const uint16_t lifetime_seconds_;
  const Send send_;
  std::map<PortId, Entry> entries_;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace podswitch
