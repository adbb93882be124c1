// SPDX-License-Identifier: Apache-2.0
// What a device has counted as lost, added to a port's counters. The thread that maintains the port.
#pragma once

#include <rte_ethdev.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace podswitch {

class EthErrors {
 public:
  // Of a device that was started anew and counts from zero.
  void reset() { reported_rx_ = reported_tx_ = 0; }
  // Adds what is new. `counts_tx`: what the driver did not send is an error, and nobody else counts it.
  void sample(uint16_t device, bool counts_tx, std::atomic<uint64_t>& rx_errors,
              std::atomic<uint64_t>& tx_errors) {
    rte_eth_stats stats{};
    if (rte_eth_stats_get(device, &stats) != 0) return;
    const uint64_t rx = stats.ierrors + stats.imissed + stats.rx_nombuf;
    const uint64_t tx = counts_tx ? stats.oerrors : 0;
    rx_errors.fetch_add(rx - std::min(rx, reported_rx_), std::memory_order_relaxed);
    tx_errors.fetch_add(tx - std::min(tx, reported_tx_), std::memory_order_relaxed);
    reported_rx_ = rx;
    reported_tx_ = tx;
  }

 private:
  uint64_t reported_rx_ = 0, reported_tx_ = 0;
};

}  // namespace podswitch
