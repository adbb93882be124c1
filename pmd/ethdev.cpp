// SPDX-License-Identifier: Apache-2.0
// A port on a DPDK ethdev: af-xdp, memif and ethdev. Workers see the device as an atomic number, so that
// the housekeeping thread can take it away (the interface is gone) and bring it back.
#include <fmt/format.h>
#include <net/if.h>
#include <rte_ethdev.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <thread>

#include "pmd/af_xdp_pool.h"
#include "pmd/error.h"
#include "pmd/eth_device.h"
#include "pmd/eth_errors.h"
#include "pmd/eth_transmit.h"
#include "pmd/port.h"
#include "pmd/socket_path.h"

namespace podswitch {
namespace {

constexpr unsigned kRetrySeconds = 10;   // after DPDK itself said no; its attempts fill the log
constexpr unsigned kConnectSeconds = 2;  // for a memif client and its server to shake hands
constexpr int kNoDevice = -1;

// The flags of an interface (IFF_*), none when there is no such interface.
std::optional<short> interface_flags(const std::string& name, std::optional<short> set = std::nullopt) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::nullopt;
  ifreq request{};
  std::memcpy(request.ifr_name, name.c_str(), std::min(name.size(), sizeof(request.ifr_name) - 1));
  bool ok = ioctl(fd, SIOCGIFFLAGS, &request) == 0;
  if (ok && set) {
    request.ifr_flags = static_cast<short>(request.ifr_flags | *set);
    ok = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  }
  close(fd);
  return ok ? std::optional<short>(request.ifr_flags) : std::nullopt;
}

class EthdevPort final : public Port {
 public:
  EthdevPort(PortId id, const PortSpec& spec, PortHost& host, OpenPolicy policy) : Port(id, spec, host) {
    try {
      open();
    } catch (const Error& error) {
      device_.reset();
      if (policy == OpenPolicy::Strict) throw;
      fail(error.what());
    }
  }

  uint16_t receive(uint16_t queue, rte_mbuf** packets, uint16_t max) noexcept override {
    const int device = published_.load(std::memory_order_acquire);
    if (device == kNoDevice) return 0;
    const uint16_t count = rte_eth_rx_burst(static_cast<uint16_t>(device), queue, packets, max);
    // No offload was asked for; what drivers say of checksums and hashes all the same means nothing here.
    for (uint16_t i = 0; i < count; ++i) packets[i]->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
    return count;
  }

  uint16_t send(uint16_t queue, rte_mbuf** packets, uint16_t count) noexcept override {
    const int device = published_.load(std::memory_order_acquire);
    if (device == kNoDevice) return 0;
    const auto id = static_cast<uint16_t>(device);
    queue = static_cast<uint16_t>(queue % spec().queues);
    uint16_t sent = 0;
    while (sent < count) {
      // AF_XDP's driver copies without looking: a frame must fit its buffer.
      const auto* too_large = std::find_if(packets + sent, packets + count,
                                           [this](rte_mbuf* packet) { return packet->pkt_len > max_frame_; });
      const auto fitting = static_cast<uint16_t>(too_large - (packets + sent));
      const uint16_t taken = fitting == 0 ? uint16_t{0} : transmit_.send(id, queue, packets + sent, fitting);
      sent = static_cast<uint16_t>(sent + taken);
      if (taken < fitting || sent == count) break;
      rte_pktmbuf_free(packets[sent++]);
      oversized_.fetch_add(1, std::memory_order_relaxed);
    }
    return sent;
  }

  bool send_is_thread_safe() const noexcept override { return false; }

  TxCaps tx_caps() const noexcept override { return caps_.load(std::memory_order_relaxed); }

  WakeSource wake_source(uint16_t queue) noexcept override {
    const uint32_t generation = generation_.load(std::memory_order_acquire);
    const int device = published_.load(std::memory_order_acquire);
    if (device == kNoDevice || !has_interrupts_.load(std::memory_order_relaxed)) return {-1, generation};
    return {rte_eth_dev_rx_intr_ctl_q_get_fd(static_cast<uint16_t>(device), queue), generation};
  }

  void set_wakeup(uint16_t queue, bool enabled) noexcept override {
    const int device = published_.load(std::memory_order_acquire);
    if (device == kNoDevice || !has_interrupts_.load(std::memory_order_relaxed)) return;
    if (enabled)
      rte_eth_dev_rx_intr_enable(static_cast<uint16_t>(device), queue);
    else
      rte_eth_dev_rx_intr_disable(static_cast<uint16_t>(device), queue);
  }

  FlowOffload* flows() noexcept override { return &flows_; }

  uint64_t tx_errors() const noexcept override {
    return tx_errors_.load(std::memory_order_relaxed) + oversized_.load(std::memory_order_relaxed) +
           transmit_.lost();
  }

  void maintain() noexcept override {
    try {
      if (is_interface_gone()) close(fmt::format("interface {} is gone", spec().ifname));
      if (!device_ && retry_in_seconds_ > 0) --retry_in_seconds_;
      if (!device_) return try_open();
      if (!device_->is_started()) start();
      if (device_->is_started()) check_link();
      sample_errors();
    } catch (const std::exception& error) {
      withdraw();
      device_.reset();
      fail(error.what());
    }
  }

 private:
  bool is_client() const { return spec().kind == PortKind::Memif && !spec().server; }

  void try_open() {
    if (const std::string missing = why_no_device(spec()); !missing.empty()) {
      retry_in_seconds_ = 0;
      return set_down(missing);
    }
    if (retry_in_seconds_ == 0) open();
  }

  void open() {
    if (spec().kind == PortKind::Memif && spec().server) make_room_unless_ours();
    device_ = make_device();
    caps_ = device_->tx_caps();
    has_interrupts_ = device_->has_receive_interrupts();
    if (spec().kind == PortKind::AfXdp) {
      max_frame_ = AfXdpPool::max_frame();
      if_index_ = if_nametoindex(spec().ifname.c_str());
      interface_flags(spec().ifname, static_cast<short>(IFF_UP));
    }
    errors_.reset();
    start();
    if (device_->is_started()) check_link();
  }

  std::unique_ptr<EthDevice> make_device() {
    // The kernel lets go of an AF_XDP queue some time after its socket was closed, by us or a daemon before.
    constexpr auto kPause = std::chrono::milliseconds(50);
    for (int attempts = spec().kind == PortKind::AfXdp ? 20 : 1;; --attempts) {
      try {
        return std::make_unique<EthDevice>(spec(), host_.pool(), flows_);
      } catch (const DeviceBusy&) {
        if (attempts <= 1) throw;
      }
      std::this_thread::sleep_for(kPause);
    }
  }

  // Several memif ports may share one listener of ours, told apart by their ids.
  void make_room_unless_ours() const {
    try {
      make_room_for_listener(spec().path);
    } catch (const Error&) {
      struct stat status {};
      if (stat(spec().path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) throw;
    }
  }

  void start() {
    if (is_client()) {
      if (const std::string reason = why_not_connectable(spec().path); !reason.empty())
        return set_down(reason);
      if (start_in_seconds_ > 0 && --start_in_seconds_ > 0 && !is_new_socket()) return;
    }
    const int result = device_->start();
    if (result == 0) {
      start_in_seconds_ = seconds_without_link_ = 0;
      generation_.fetch_add(1, std::memory_order_release);
      published_.store(device_->id(), std::memory_order_release);
      return;
    }
    if (!is_client()) check(result, "start the device");
    start_in_seconds_ = kRetrySeconds;
    set_down(fmt::format("nobody listens on {}", spec().path));
  }

  // Whether there is another file at the path than at the last call.
  bool is_new_socket() {
    struct stat status {};
    if (stat(spec().path.c_str(), &status) != 0 || status.st_ino == last_inode_) return false;
    last_inode_ = status.st_ino;
    return true;
  }

  void check_link() {
    if (spec().kind == PortKind::AfXdp) {
      const std::optional<short> flags = interface_flags(spec().ifname);
      if (flags && (*flags & IFF_UP) == 0)
        return set_down(fmt::format("interface {} is set down", spec().ifname));
      if (flags && (*flags & IFF_RUNNING) == 0)
        return set_down(fmt::format("interface {} has no carrier", spec().ifname));
      return set_up();
    }
    if (device_->has_link()) return set_up();
    set_down(spec().kind != PortKind::Memif ? "no link"
             : spec().server                ? fmt::format("waiting for a peer on {}", spec().path)
                                            : fmt::format("waiting for the memif server on {}", spec().path));
    if (is_client() && ++seconds_without_link_ > kConnectSeconds) {
      // The driver connects at its start only.
      withdraw();
      device_->stop();
    }
  }

  bool is_interface_gone() const {
    return device_ && spec().kind == PortKind::AfXdp && if_nametoindex(spec().ifname.c_str()) != if_index_;
  }

  void withdraw() {
    published_.store(kNoDevice, std::memory_order_release);
    host_.wait_for_workers();
  }

  void close(const std::string& reason) {
    set_down(reason);
    withdraw();
    device_.reset();
  }

  void fail(const std::string& reason) {
    published_.store(kNoDevice, std::memory_order_release);
    retry_in_seconds_ = kRetrySeconds;
    set_down(reason);
  }

  void sample_errors() {
    // AF_XDP's driver counts there what it did not take, which the switch drops and counts itself.
    errors_.sample(device_->id(), spec().kind != PortKind::AfXdp, rx_errors_, tx_errors_);
  }

  std::atomic<int> published_{kNoDevice};  // the device's number, for workers
  std::atomic<uint32_t> generation_{0};
  std::atomic<TxCaps> caps_{TxCaps{}};
  static_assert(std::atomic<TxCaps>::is_always_lock_free);
  std::atomic<bool> has_interrupts_{false};
  std::atomic<uint64_t> oversized_{0};
  uint32_t max_frame_ = UINT32_MAX;  // written before the device is published

  FlowOffload flows_;
  EthTransmit transmit_{host_.pool()};

  // The thread that maintains, or opens.
  std::unique_ptr<EthDevice> device_;
  unsigned if_index_ = 0;
  unsigned retry_in_seconds_ = 0;
  unsigned start_in_seconds_ = 0;
  ino_t last_inode_ = 0;
  unsigned seconds_without_link_ = 0;
  EthErrors errors_;
};

}  // namespace

std::unique_ptr<Port> open_ethdev(PortId id, const PortSpec& spec, PortHost& host, OpenPolicy policy) {
  return std::make_unique<EthdevPort>(id, spec, host, policy);
}

}  // namespace podswitch
