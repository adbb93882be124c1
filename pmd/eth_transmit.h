// SPDX-License-Identifier: Apache-2.0
// The transmit side of an ethdev for packets whose request the device is to complete: put into the drivers'
// form, shown to the driver (rte_eth_tx_prepare), and completed in software when it refuses one all the same
// (too many segments, too small ones). Owned by its port; workers call it, never two for one queue.
#pragma once

#include <rte_mbuf.h>

#include <atomic>
#include <cstdint>

namespace podswitch {

class EthTransmit {
 public:
  explicit EthTransmit(rte_mempool& pool) : pool_(pool) {}

  // As Port::send().
  uint16_t send(uint16_t device, uint16_t queue, rte_mbuf** packets, uint16_t count) noexcept;
  // Packets that the driver refused and for which there was no buffer or no room then. Any thread.
  uint64_t lost() const noexcept { return lost_.load(std::memory_order_relaxed); }

 private:
  enum class Ready : uint8_t { Yes, Refused, NoBuffer };
  Ready make_ready(uint16_t device, uint16_t queue, rte_mbuf*& packet) noexcept;
  void send_in_software(uint16_t device, uint16_t queue, rte_mbuf* packet) noexcept;
  void lose(rte_mbuf** packets, uint16_t count) noexcept;

  rte_mempool& pool_;
  std::atomic<uint64_t> lost_{0};
};

}  // namespace podswitch
