// SPDX-License-Identifier: Apache-2.0
// Ports without a ring or a kernel behind them: all that a packet costs there is its buffer and its first
// cache line, so that what the workers do is what is measured.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "pmd/port.h"
#include "tests/bench/inprocess/frames.h"

namespace podswitch::bench {

// What a port asks of the switch around it, which here is nothing but buffers.
class Host final : public PortHost {
 public:
  explicit Host(rte_mempool& pool) : pool_(pool) {}
  rte_mempool& pool() noexcept override { return pool_; }
  void wake_workers() noexcept override {}
  void wait_for_workers() noexcept override {}

 private:
  rte_mempool& pool_;
};

inline PortSpec spec_of(PortId id, uint16_t queues) {
  PortSpec spec;
  spec.name = "p" + std::to_string(id);
  spec.queues = queues;
  return spec;
}

// Always has a full burst, as a peer that sends flat out: fresh buffers, and frames written into them.
template <typename Frame>
class SourcePortOf final : public Port {
 public:
  SourcePortOf(PortId id, PortHost& host, std::vector<Frame> frames)
      : Port(id, spec_of(id, 1), host), pool_(host.pool()), frames_(std::move(frames)) {
    set_up();
  }
  uint16_t receive(uint16_t, rte_mbuf** packets, uint16_t max) noexcept override {
    if (!knows_worker_.load(std::memory_order_relaxed)) [[unlikely]]
      meet_worker();
    if (rte_pktmbuf_alloc_bulk(&pool_, packets, max) != 0) return 0;
    size_t next = next_;
    for (uint16_t i = 0; i < max; ++i) {
      rte_mbuf& packet = *packets[i];
      packet.data_len = Frame::kBytes;
      packet.pkt_len = Frame::kBytes;
      std::memcpy(rte_pktmbuf_mtod(&packet, char*), frames_[next].bytes.data(), Frame::kBytes);
      if (++next == frames_.size()) next = 0;
    }
    next_ = next;
    return max;
  }
  uint16_t send(uint16_t, rte_mbuf** packets, uint16_t count) noexcept override {
    rte_pktmbuf_free_bulk(packets, count);
    return count;
  }
  TxCaps tx_caps() const noexcept override { return {}; }
  WakeSource wake_source(uint16_t) noexcept override { return {.is_silent = true}; }

  // Main thread, while the worker lives: how long it has been on a core, in seconds. 0: it never polled.
  double worker_cpu_seconds() const {
    if (!knows_worker_.load(std::memory_order_acquire)) return 0;
    timespec time{};
    clock_gettime(worker_clock_, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  }

 private:
  void meet_worker() noexcept {
    pthread_getcpuclockid(pthread_self(), &worker_clock_);
    knows_worker_.store(true, std::memory_order_release);
  }

  rte_mempool& pool_;
  const std::vector<Frame> frames_;
  clockid_t worker_clock_{};
  std::atomic<bool> knows_worker_{false};
  alignas(64) size_t next_ = 0;  // the worker's alone
};
using SourcePort = SourcePortOf<Frame>;

// Takes everything, as a peer that is always faster, and gives the buffers back.
class SinkPort final : public Port {
 public:
  SinkPort(PortId id, PortHost& host, uint16_t queues) : Port(id, spec_of(id, queues), host) { set_up(); }
  uint16_t receive(uint16_t, rte_mbuf**, uint16_t) noexcept override { return 0; }
  uint16_t send(uint16_t, rte_mbuf** packets, uint16_t count) noexcept override {
    rte_pktmbuf_free_bulk(packets, count);
    return count;
  }
  bool send_is_thread_safe() const noexcept override { return false; }
  TxCaps tx_caps() const noexcept override { return {}; }
  WakeSource wake_source(uint16_t) noexcept override { return {.is_silent = true}; }
};

}  // namespace podswitch::bench
