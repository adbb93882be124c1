// SPDX-License-Identifier: Apache-2.0
// What tests of ports on the real kernel share: a small host around the port, namespaces that go with the
// test, and a loop that forwards between two ports as a worker would. The test's thread, except Forwarder.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <rte_mbuf.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "pmd/port.h"
#include "switch/burst.h"
#include "switch/net/headers.h"

namespace podswitch {

// Exit code and output (both streams) of a shell command.
struct CommandResult {
  int code = -1;
  std::string output;
};
inline CommandResult shell(const std::string& command) {
  CommandResult result;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return result;
  std::array<char, 4096> part;
  while (const size_t n = std::fread(part.data(), 1, part.size(), pipe)) result.output.append(part.data(), n);
  const int status = ::pclose(pipe);
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}
inline std::string must(const std::string& command) {
  const CommandResult result = shell(command);
  EXPECT_EQ(result.code, 0) << command << '\n' << result.output;
  return result.output;
}

class Namespace {
 public:
  explicit Namespace(const std::string& suffix) : name_(fmt::format("psw-tapt-{}-{}", ::getpid(), suffix)) {
    make();
  }
  ~Namespace() { shell("ip netns del " + name_); }
  void make() const {
    must("ip netns add " + name_);
    must(inside("sysctl -qw net.ipv6.conf.default.accept_dad=0"));
  }
  void del() const { must("ip netns del " + name_); }
  std::string path() const { return "/run/netns/" + name_; }
  std::string inside(const std::string& command) const {
    return fmt::format("ip netns exec {} {}", name_, command);
  }
  std::string ip(const std::string& command) const {
    return must(fmt::format("ip -n {} {}", name_, command));
  }
  bool has(const std::string& ifname) const {
    return shell(fmt::format("ip -n {} link show dev {}", name_, ifname)).code == 0;
  }
  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

class TestHost final : public PortHost {
 public:
  rte_mempool& pool() noexcept override {
    static rte_mempool* made = rte_pktmbuf_pool_create("packets", 16383, 0, 0, 2176, SOCKET_ID_ANY);
    return *made;
  }
  void wake_workers() noexcept override {}
  void wait_for_workers() noexcept override { ++waits; }
  std::atomic<int> waits{0};
};

class KernelPortTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: it makes network namespaces";
    buffers_before_ = rte_mempool_in_use_count(&host_.pool());
  }
  void TearDown() override {
    if (::geteuid() != 0) return;
    EXPECT_EQ(rte_mempool_in_use_count(&host_.pool()), buffers_before_) << "leaked buffers";
  }
  TestHost host_;

 private:
  unsigned buffers_before_ = 0;
};

// Message and path of the Error that opening throws; empty when it does not.
inline std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

// Waits on the port's wake source until `want` accepts a packet; those before it are freed.
inline rte_mbuf* await_packet(Port& port, const std::function<bool(const rte_mbuf&)>& want) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (std::chrono::steady_clock::now() < deadline) {
    pollfd event{port.wake_source(0).fd, POLLIN, 0};
    ::poll(&event, 1, 100);
    rte_mbuf* packet = nullptr;
    if (port.receive(0, &packet, 1) == 0) continue;
    if (want(*packet)) return packet;
    rte_pktmbuf_free(packet);
  }
  return nullptr;
}

inline uint16_t ether_type(const rte_mbuf& packet) {
  return rte_pktmbuf_mtod(&packet, const net::EtherHeader*)->ether_type.host();
}

// A request as received, stated as for sending (what the switch's parse stage does; IPv4 and IPv6 without
// options, untagged).
inline void turn_request_around(rte_mbuf& packet) {
  const uint64_t said = packet.ol_flags;
  packet.ol_flags = 0;
  if ((said & RTE_MBUF_F_RX_L4_CKSUM_MASK) != RTE_MBUF_F_RX_L4_CKSUM_NONE) return;
  const bool is_v4 = ether_type(packet) == net::kEtherTypeIpv4;
  packet.l2_len = sizeof(net::EtherHeader);
  packet.l3_len = is_v4 ? sizeof(net::Ipv4Header) : sizeof(net::Ipv6Header);
  const uint8_t protocol =
      is_v4 ? rte_pktmbuf_mtod_offset(&packet, const net::Ipv4Header*, packet.l2_len)->protocol
            : rte_pktmbuf_mtod_offset(&packet, const net::Ipv6Header*, packet.l2_len)->next_header;
  packet.ol_flags = (is_v4 ? RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM : RTE_MBUF_F_TX_IPV6) |
                    (protocol == net::kProtoTcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM);
  if ((said & RTE_MBUF_F_RX_LRO) == 0) return;
  packet.ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
  const auto* tcp = rte_pktmbuf_mtod_offset(&packet, const net::TcpHeader*, packet.l2_len + packet.l3_len);
  packet.l4_len = (tcp->data_offset >> 4) * 4U;
}

// Copies everything between two ports until destroyed, in a thread of its own.
class Forwarder {
 public:
  Forwarder(Port& a, Port& b) : thread_([this, &a, &b] { loop(a, b); }) {}
  ~Forwarder() {
    stopping_ = true;
    thread_.join();
  }
  std::atomic<uint32_t> largest{0};                  // frame, in bytes
  std::atomic<uint64_t> super_frames{0};             // that asked for segmentation
  std::array<std::atomic<uint64_t>, 16> by_queue{};  // packets received

 private:
  void loop(Port& a, Port& b) {
    std::vector<pollfd> events;
    for (Port* port : {&a, &b})
      for (uint16_t q = 0; q < port->spec().queues; ++q)
        events.push_back({port->wake_source(q).fd, POLLIN, 0});
    while (!stopping_) {
      ::poll(events.data(), events.size(), 20);
      bool moved = true;
      while (moved && !stopping_) {
        moved = false;
        for (uint16_t q = 0; q < a.spec().queues; ++q) moved |= move(a, q, b);
        for (uint16_t q = 0; q < b.spec().queues; ++q) moved |= move(b, q, a);
      }
    }
  }
  bool move(Port& from, uint16_t q, Port& to) {
    std::array<rte_mbuf*, kBurstSize> packets;
    const uint16_t count = from.receive(q, packets.data(), kBurstSize);
    for (uint16_t i = 0; i < count; ++i) {
      largest = std::max(largest.load(), packets[i]->pkt_len);
      if ((packets[i]->ol_flags & RTE_MBUF_F_RX_LRO) != 0) ++super_frames;
      turn_request_around(*packets[i]);
    }
    by_queue[q] += count;
    const uint16_t sent = to.send(static_cast<uint16_t>(q % to.spec().queues), packets.data(), count);
    if (sent < count) rte_pktmbuf_free_bulk(packets.data() + sent, count - sent);
    return count > 0;
  }

  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

// Sends 32 MiB over TCP from `from` to `address` in `to`; expects them to arrive as they were.
inline void expect_tcp_transfer(const Namespace& from, const Namespace& to, const std::string& address) {
  const std::string data = fmt::format("/tmp/{}.data", from.name());
  must(fmt::format("head -c 33554432 /dev/urandom > {}", data));
  const bool is_v6 = address.find(':') != std::string::npos;
  const std::string host = is_v6 ? "[" + address + "]" : address;
  const std::string family = is_v6 ? "6" : "4";
  std::string received;
  std::thread sink([&] {
    received = shell(to.inside(fmt::format(
                         "timeout 60 socat -u TCP{}-LISTEN:5201,reuseaddr STDOUT | sha256sum", family)))
                   .output;
  });
  must(from.inside(
      fmt::format("timeout 60 socat -u FILE:{} TCP{}:{}:5201,retry=50,interval=0.1", data, family, host)));
  sink.join();
  EXPECT_EQ(received.substr(0, 64), must("sha256sum " + data).substr(0, 64));
  ::unlink(data.c_str());
}

}  // namespace podswitch
