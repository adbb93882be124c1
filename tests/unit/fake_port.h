// SPDX-License-Identifier: Apache-2.0
// A port without a device behind it: keeps what it is sent, in plain memory without any lock, so that
// ThreadSanitizer sees a send that nobody serialised.
#pragma once

#include <fmt/format.h>

#include <vector>

#include "pmd/port.h"
#include "tests/unit/pool.h"

namespace podswitch {

class FakeHost final : public PortHost {
 public:
  rte_mempool& pool() noexcept override { return test::packet_pool(); }
  void wake_workers() noexcept override {}
  void wait_for_workers() noexcept override {}
};

class FakePort final : public Port {
 public:
  FakePort(PortId id, PortHost& host, uint16_t queues = 1) : Port(id, spec_of(id, queues), host) { set_up(); }
  ~FakePort() override { clear(); }

  uint16_t receive(uint16_t, rte_mbuf**, uint16_t) noexcept override { return 0; }
  uint16_t send(uint16_t, rte_mbuf** packets, uint16_t count) noexcept override {
    const auto taken =
        static_cast<uint16_t>(std::min<size_t>(count, capacity - std::min(capacity, sent.size())));
    sent.insert(sent.end(), packets, packets + taken);
    ++sends;
    return taken;
  }
  bool send_is_thread_safe() const noexcept override { return false; }
  TxCaps tx_caps() const noexcept override { return caps; }
  WakeSource wake_source(uint16_t) noexcept override { return {}; }
  void go_down() { set_down("the test says so"); }
  void clear() {
    for (rte_mbuf* packet : sent) rte_pktmbuf_free(packet);
    sent.clear();
  }

  TxCaps caps{true, true, true, true, true};
  size_t capacity = SIZE_MAX;
  std::vector<rte_mbuf*> sent;
  size_t sends = 0;

 private:
  static PortSpec spec_of(PortId id, uint16_t queues) {
    PortSpec spec;
    spec.name = fmt::format("p{}", id);
    spec.queues = queues;
    return spec;
  }
};

}  // namespace podswitch
