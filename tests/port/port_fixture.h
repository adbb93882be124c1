// SPDX-License-Identifier: Apache-2.0
// What a port needs around it, made real: a packet pool, a "worker" (the test's thread) that others can wait
// for, and helpers to poll, to wait for a state and to make packets.
#pragma once

#include <gtest/gtest.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "pmd/port.h"
#include "switch/burst.h"

namespace podswitch {

class TestHost final : public PortHost {
 public:
  TestHost() { pool_ = rte_pktmbuf_pool_create("test_pool", 8191, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0); }
  ~TestHost() override { rte_mempool_free(pool_); }
  rte_mempool& pool() noexcept override { return *pool_; }
  void wake_workers() noexcept override { ++wakes; }
  void wait_for_workers() noexcept override { const std::scoped_lock lock(burst_); }

  // One turn of the worker.
  template <typename Work>
  auto turn(Work&& work) {
    const std::scoped_lock lock(burst_);
    return work();
  }
  unsigned in_use() const { return rte_mempool_in_use_count(pool_); }

  std::atomic<unsigned> wakes{0};

 private:
  rte_mempool* pool_ = nullptr;
  std::mutex burst_;
};

class PortTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("podswitch-ports-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override {
    EXPECT_EQ(host_.in_use(), 0U) << "packets leaked";
    std::filesystem::remove_all(folder_);
  }

  std::string path(const std::string& name) const { return folder_ / name; }

  // Polls until `done` or a generous deadline; maintains `ports` meanwhile, as housekeeping does.
  bool eventually(const std::function<bool()>& done, std::initializer_list<Port*> ports = {}) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    auto next_second = std::chrono::steady_clock::now();
    while (!done()) {
      const auto now = std::chrono::steady_clock::now();
      if (now > deadline) return false;
      if (now >= next_second) {
        for (Port* port : ports) port->maintain();
        next_second = now + std::chrono::milliseconds(300);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

  bool gets_reason(Port& port, const std::string& reason) {
    return eventually([&] { return !port.is_up() && port.state().reason.find(reason) != std::string::npos; },
                      {&port});
  }

  // Receives one burst of `queue` and frees it; how many came.
  uint16_t drain(Port& port, uint16_t queue = 0) {
    return host_.turn([&] {
      std::array<rte_mbuf*, kBurstSize> burst{};
      const uint16_t count = port.receive(queue, burst.data(), kBurstSize);
      for (uint16_t i = 0; i < count; ++i) last_length_ = burst[i]->pkt_len;
      rte_pktmbuf_free_bulk(burst.data(), count);
      return count;
    });
  }

  rte_mbuf* make_packet(uint32_t length, uint8_t fill = 0xa5) {
    rte_mbuf* head = rte_pktmbuf_alloc(&host_.pool());
    rte_mbuf* last = head;
    for (uint32_t left = length; left > 0;) {
      if (rte_pktmbuf_tailroom(last) == 0) {
        last->next = rte_pktmbuf_alloc(&host_.pool());
        last = last->next;
        ++head->nb_segs;
      }
      const auto part = static_cast<uint16_t>(std::min<uint32_t>(left, rte_pktmbuf_tailroom(last)));
      std::memset(rte_pktmbuf_mtod_offset(last, char*, last->data_len), fill, part);
      last->data_len = static_cast<uint16_t>(last->data_len + part);
      head->pkt_len += part;
      left -= part;
    }
    std::memset(rte_pktmbuf_mtod(head, char*), 0x02, 12);
    return head;
  }

  // Sends one packet; frees it when it was not taken.
  bool send_one(Port& port, rte_mbuf* packet, uint16_t queue = 0) {
    return host_.turn([&] {
      if (port.send(queue, &packet, 1) == 1) return true;
      rte_pktmbuf_free(packet);
      return false;
    });
  }

  TestHost host_;
  std::filesystem::path folder_;
  uint32_t last_length_ = 0;
};

}  // namespace podswitch
