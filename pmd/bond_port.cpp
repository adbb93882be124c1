// SPDX-License-Identifier: Apache-2.0
// A port on several NICs that are one: active-backup or 802.3ad. Workers see the bonding device as an atomic
// number, as in ethdev.cpp. Who polls it does two chores beside, which the bonding driver leaves to its user.
// In 802.3ad: transmit calls, be it without packets, since the driver sends its LACP frames in them. In
// active-backup: taking what comes in by the standby members.
#include <fmt/format.h>
#include <rte_eth_bond.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <array>
#include <mutex>

#include "pmd/bond_member.h"
#include "pmd/bond_watch.h"
#include "pmd/error.h"
#include "pmd/eth_device.h"
#include "pmd/eth_errors.h"
#include "pmd/port.h"
#include "lb/spin_lock.h"
#include "switch/burst.h"

namespace podswitch {
namespace {

constexpr unsigned kRetrySeconds = 10;  // after DPDK itself said no; its attempts fill the log
constexpr int kNoDevice = -1;
// LACP needs a transmit call every 100 ms; an idle worker looks at the port every half millisecond.
constexpr unsigned kPollsPerChore = 16;

class BondPort final : public Port {
 public:
  BondPort(PortId id, const PortSpec& spec, PortHost& host, OpenPolicy policy)
      : Port(id, spec, host), is_lacp_(spec.bond_mode == BondMode::Lacp) {
    try {
      open();
    } catch (const Error& error) {
      close();
      if (policy == OpenPolicy::Strict) throw;
      fail(error.what());
    }
  }

  uint16_t receive(uint16_t queue, rte_mbuf** packets, uint16_t max) noexcept override {
    const int device = published_.load(std::memory_order_acquire);
    if (device == kNoDevice) return 0;
    const auto id = static_cast<uint16_t>(device);
    if (++queues_[queue].polls % kPollsPerChore == 0) do_chore(id, queue);
    const uint16_t count = rte_eth_rx_burst(id, queue, packets, max);
    // No offload was asked for; what drivers say of checksums and hashes all the same means nothing here.
    for (uint16_t i = 0; i < count; ++i) packets[i]->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
    return count;
  }

  uint16_t send(uint16_t queue, rte_mbuf** packets, uint16_t count) noexcept override {
    const int device = published_.load(std::memory_order_acquire);
    if (device == kNoDevice) return 0;
    queue = static_cast<uint16_t>(queue % spec().queues);
    if (!is_lacp_) return rte_eth_tx_burst(static_cast<uint16_t>(device), queue, packets, count);
    const std::scoped_lock lock(queues_[queue].lacp_lock);
    return rte_eth_tx_burst(static_cast<uint16_t>(device), queue, packets, count);
  }

  bool send_is_thread_safe() const noexcept override { return is_lacp_; }

  TxCaps tx_caps() const noexcept override { return caps_.load(std::memory_order_relaxed); }

  WakeSource wake_source(uint16_t queue) noexcept override {
    return {.fd = -1, .generation = 0, .is_silent = false, .is_polled_while_down = is_lacp_ && queue == 0};
  }

  void maintain() noexcept override {
    try {
      if (device_) return errors_.sample(device_->id(), true, rx_errors_, tx_errors_);
      if (const std::string missing = missing_member(); !missing.empty()) {
        retry_in_seconds_ = 0;
        return set_down(missing);
      }
      if (retry_in_seconds_ > 0 && --retry_in_seconds_ > 0) return;
      open();
    } catch (const std::exception& error) {
      close();
      fail(error.what());
    }
  }

  uint64_t way_changes() const noexcept override {
    return state_changes() + active_changes_.load(std::memory_order_relaxed);
  }

  std::vector<MemberStatus> members() const override {
    const std::scoped_lock lock(watch_mutex_);
    return watch_ ? watch_->members() : std::vector<MemberStatus>{};
  }

 private:
  void do_chore(uint16_t id, uint16_t queue) noexcept {
    if (!is_lacp_) return drop_on_standby(id, queue);
    if (queue != 0) return;
    const std::scoped_lock lock(queues_[0].lacp_lock);
    rte_eth_tx_burst(id, 0, nullptr, 0);
  }

  // Old frames would come in when the member takes over, and until then a full queue may stop the sender.
  void drop_on_standby(uint16_t id, uint16_t queue) noexcept {
    const int primary = rte_eth_bond_primary_get(id);
    for (const uint16_t member : member_ids_) {
      if (member == primary) continue;
      std::array<rte_mbuf*, kBurstSize> packets;
      const uint16_t count = rte_eth_rx_burst(member, queue, packets.data(), kBurstSize);
      rte_pktmbuf_free_bulk(packets.data(), count);
    }
  }

  std::string missing_member() const {
    for (const std::string& member : spec().members)
      if (std::string missing = why_no_member(member); !missing.empty()) return missing;
    return {};
  }

  void open() {
    device_ = std::make_unique<EthDevice>(spec(), host_.pool(), flows_);
    caps_ = device_->tx_caps();
    if (device_->start() != 0) throw Error("members", "DPDK cannot start the bond: the log says more");
    errors_.reset();
    member_ids_ = device_->bond()->member_ids();
    published_.store(device_->id(), std::memory_order_release);
    auto watch = std::make_unique<BondWatch>(*device_->bond(), spec().name,
                                             [this](const auto& members) { follow(members); });
    host_.wake_workers();
    const std::scoped_lock lock(watch_mutex_);
    watch_ = std::move(watch);
  }

  void follow(const std::vector<MemberStatus>& members) {
    std::vector<bool> active;
    for (const MemberStatus& member : members) active.push_back(member.is_active());
    if (active != std::exchange(active_, active)) active_changes_.fetch_add(1, std::memory_order_relaxed);
    const auto any = [&](auto&& is) { return std::any_of(members.begin(), members.end(), is); };
    if (any([](const MemberStatus& member) { return member.is_active(); })) return set_up();
    const bool has_link = any([](const MemberStatus& member) { return member.has_link(); });
    set_down(!has_link  ? "no member has a link"
             : is_lacp_ ? "no LACP partner on any member"
                        : "no member is active yet");
  }

  void close() {
    std::unique_ptr<BondWatch> watch;
    {
      const std::scoped_lock lock(watch_mutex_);
      watch = std::move(watch_);
    }
    watch.reset();
    published_.store(kNoDevice, std::memory_order_release);
    host_.wait_for_workers();
    device_.reset();
  }

  void fail(const std::string& reason) {
    retry_in_seconds_ = kRetrySeconds;
    set_down(reason);
  }

  const bool is_lacp_;
  std::atomic<int> published_{kNoDevice};  // the device's number, for workers
  std::atomic<TxCaps> caps_{TxCaps{}};
  std::vector<bool> active_;  // of each member, when it was looked at last
  std::atomic<uint64_t> active_changes_{0};
  std::vector<uint16_t> member_ids_;  // written before the device is published
  struct alignas(64) Queue {
    unsigned polls = 0;  // of the receive queue, by its worker
    SpinLock lacp_lock;  // of the transmit queue
  };
  std::array<Queue, kMaxQueues> queues_;

  // The thread that maintains, or opens.
  FlowOffload flows_;  // members have theirs; nothing is asked of them
  std::unique_ptr<EthDevice> device_;
  unsigned retry_in_seconds_ = 0;
  EthErrors errors_;

  mutable std::mutex watch_mutex_;
  std::unique_ptr<BondWatch> watch_;  // gone before device_
};

}  // namespace

std::unique_ptr<Port> open_bond(PortId id, const PortSpec& spec, PortHost& host, OpenPolicy policy) {
  return std::make_unique<BondPort>(id, spec, host, policy);
}

}  // namespace podswitch
