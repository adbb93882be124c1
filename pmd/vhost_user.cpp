// SPDX-License-Identifier: Apache-2.0
// A vhost-user port on librte_vhost. What workers need of a peer is one atomic word (Link), published by
// librte_vhost's threads. Vrings that the peer disables are safe without waiting, because librte_vhost
// looks at them under their locks; memory that goes is not, so driver_stopped() waits for the workers.
#include <fmt/format.h>
#include <rte_vhost.h>

#include <algorithm>
#include <array>
#include <bit>
#include <bitset>
#include <mutex>

#include "pmd/log.h"
#include "pmd/own_lines.h"
#include "pmd/port.h"
#include "pmd/socket_path.h"
#include "pmd/vhost_device.h"
#include "pmd/vhost_views.h"
#include "pmd/virtio_feature.h"
#include "pmd/vring_lookahead.h"

namespace podswitch {
namespace {

constexpr uint16_t kMaxPairs = 16;
constexpr size_t kMaxVrings = 256;      // librte_vhost's own limit
constexpr uint16_t kLibraryBurst = 32;  // it takes and gives no more at once
constexpr uint32_t kPlainFrame = 1518;  // what every guest's buffers hold (Virtio 1.1, 5.1.6.3.1)
constexpr uint64_t kReceiveFlags = RTE_MBUF_F_RX_L4_CKSUM_NONE | RTE_MBUF_F_RX_LRO | RTE_MBUF_F_EXTERNAL;

enum Capability : uint16_t { kChecksum = 1, kTso4 = 2, kTso6 = 4, kMergeable = 8, kPacked = 16 };

struct alignas(uint64_t) Link {
  int16_t vid = -1;      // -1: nobody may touch a vring
  uint16_t receive = 0;  // queue pairs whose guest-transmit vring is ready
  uint16_t send = 0;     // queue pairs whose guest-receive vring is ready
  uint16_t capabilities = 0;
};
static_assert(std::atomic<Link>::is_always_lock_free);

// In lines of its own: what its worker writes is beside neither another's nor what senders read.
struct alignas(kCacheLine) ReceiveQueue {
  std::atomic<uint32_t> generation{0};
  std::atomic<bool> wakeup_wanted{false};
  std::atomic<bool> vring_is_new{false};  // it notifies until told otherwise

  // Of the worker that polls it.
  uint16_t next = 0;         // where librte_vhost goes on in the avail ring
  uint16_t looked_only = 0;  // polls since librte_vhost was asked last
  bool must_ask = true;      // librte_vhost, not the ring
};

uint16_t capabilities_of(uint64_t features) {
  uint16_t result = 0;
  if ((features & virtio_feature::kGuestChecksum) != 0) result |= kChecksum;
  if ((features & virtio_feature::kGuestTso4) != 0) result |= kTso4;
  if ((features & virtio_feature::kGuestTso6) != 0) result |= kTso6;
  if ((features & virtio_feature::kMergeableBuffers) != 0) result |= kMergeable;
  if ((features & virtio_feature::kPackedRing) != 0) result |= kPacked;
  return result;
}

// The ready pair that carries the traffic of `queue`. `ready` is not empty.
uint16_t fold(uint16_t queue, uint16_t ready) noexcept {
  if (queue < kMaxPairs && (ready >> queue & 1) != 0) return queue;
  for (int skip = queue % std::popcount(ready); skip > 0; --skip) ready &= static_cast<uint16_t>(ready - 1);
  return static_cast<uint16_t>(std::countr_zero(ready));
}

class VhostUserPort final : public Port, private VhostEvents {
 public:
  VhostUserPort(PortId id, const PortSpec& spec, PortHost& host, OpenPolicy policy) : Port(id, spec, host) {
    try {
      open();
    } catch (const Error& error) {
      if (policy == OpenPolicy::Strict) throw;
      set_down(error.what());
    }
  }

  // No worker uses the port any more, so driver_stopped() needs no waiting; it could not wait there.
  ~VhostUserPort() override {
    closing_ = true;
    link_.store({}, std::memory_order_release);
    device_.reset();
  }

  uint16_t receive(uint16_t queue, rte_mbuf** packets, uint16_t max) noexcept override {
    const Link link = link_.load(std::memory_order_acquire);
    if ((link.receive >> queue & 1) == 0) return 0;
    if (queues_[queue].vring_is_new.load(std::memory_order_relaxed)) [[unlikely]]
      adopt_vring(link.vid, queue);
    const uint16_t vring = transmit_vring(queue);
    const VringLookahead* ahead = lookaheads_.of(vring);
    if (ahead != nullptr && looks_empty(*ahead, queues_[queue])) return 0;
    const uint16_t count =
        rte_vhost_dequeue_burst(link.vid, vring, &host_.pool(), packets, std::min(max, kLibraryBurst));
    if (ahead != nullptr) queues_[queue].next = look_further(*ahead, link.vid, vring);
    for (uint16_t i = 0; i < count; ++i) packets[i]->ol_flags &= kReceiveFlags;
    return count;
  }

  uint16_t send(uint16_t queue, rte_mbuf** packets, uint16_t count) noexcept override {
    const Link link = link_.load(std::memory_order_acquire);
    if (link.send == 0) return 0;
    const auto vring = static_cast<uint16_t>(fold(queue, link.send) * 2);
    uint16_t sent = 0;
    while (sent < count) {
      const uint16_t chunk = std::min<uint16_t>(count - sent, kLibraryBurst);
      const uint16_t taken = enqueue(link.vid, vring, packets + sent, chunk);
      rte_pktmbuf_free_bulk(packets + sent, taken);
      sent += taken;
      if (taken == chunk) continue;
      if (!is_too_large(link, vring, *packets[sent])) break;
      rte_pktmbuf_free(packets[sent++]);
      tx_errors_.fetch_add(1, std::memory_order_relaxed);
    }
    if (const VringLookahead* ahead = lookaheads_.of(vring)) look_further(*ahead, link.vid, vring);
    return sent;
  }

  TxCaps tx_caps() const noexcept override {
    const uint16_t has = link_.load(std::memory_order_relaxed).capabilities;
    // librte_vhost never sets VIRTIO_NET_HDR_GSO_ECN, so frames with CWR are segmented here.
    return {(has & kChecksum) != 0, (has & kTso4) != 0, (has & kTso6) != 0, false, true};
  }

  WakeSource wake_source(uint16_t queue) noexcept override {
    const uint32_t generation = queues_[queue].generation.load(std::memory_order_acquire);
    const Link link = link_.load(std::memory_order_acquire);
    rte_vhost_vring vring{};
    // A vring that is not ready brings nothing, and vring_changed() wakes when it gets ready.
    if ((link.receive >> queue & 1) == 0) return {.generation = generation, .is_silent = true};
    if (rte_vhost_get_vhost_vring(link.vid, transmit_vring(queue), &vring) != 0) return {-1, generation};
    return {vring.kickfd, generation};
  }

  void set_wakeup(uint16_t queue, bool enabled) noexcept override {
    queues_[queue].must_ask = true;
    queues_[queue].wakeup_wanted.store(enabled, std::memory_order_relaxed);
    const Link link = link_.load(std::memory_order_acquire);
    if ((link.receive >> queue & 1) != 0)
      rte_vhost_enable_guest_notification(link.vid, transmit_vring(queue), enabled ? 1 : 0);
    // The request must be seen before the ring is looked at once more.
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }

  void maintain() noexcept override {
    try {
      if (!device_) open();
      update_state();
    } catch (const std::exception& error) {
      set_down(error.what());
    }
  }

 private:
  enum class Stage : uint8_t { NoPeer, Connected, Running };

  static uint16_t transmit_vring(uint16_t queue) { return static_cast<uint16_t>(queue * 2 + 1); }

  void open() {
    const VhostDevice::Options options{spec().path, spec().server, spec().queues, spec().socket_group,
                                       spec().socket_mode ? static_cast<int>(*spec().socket_mode) : -1};
    VhostEvents& events = *this;
    device_ = std::make_unique<VhostDevice>(options, events);
    update_state();
  }

  // Worker.
  void adopt_vring(int vid, uint16_t queue) noexcept {
    ReceiveQueue& state = queues_[queue];
    state.vring_is_new.store(false, std::memory_order_relaxed);
    state.must_ask = true;
    const int wanted = state.wakeup_wanted.load(std::memory_order_relaxed) ? 1 : 0;
    if (rte_vhost_enable_guest_notification(vid, transmit_vring(queue), wanted) != 0)
      state.vring_is_new.store(true, std::memory_order_relaxed);
  }

  // Asking librte_vhost costs several times as much. It is asked now and then nevertheless: it has things of
  // its own to do, such as announcing a guest that has moved here.
  static bool looks_empty(const VringLookahead& ahead, ReceiveQueue& queue) noexcept {
    constexpr uint16_t kLooks = 256;
    const uint16_t available = ahead.available(queue.next);
    if (available == 0 && !queue.must_ask && ++queue.looked_only < kLooks) return true;
    queue.looked_only = 0;
    queue.must_ask = false;
    ahead.prefetch_frames(queue.next, std::min(available, kLibraryBurst));
    return false;
  }

  static uint16_t look_further(const VringLookahead& ahead, int vid, uint16_t vring) noexcept {
    uint16_t next = 0;
    uint16_t used = 0;
    rte_vhost_get_vring_base(vid, vring, &next, &used);
    ahead.prefetch_descriptors(next);
    return next;
  }

  static uint16_t enqueue(int vid, uint16_t vring, rte_mbuf** packets, uint16_t count) noexcept {
    const auto is_open = [](const rte_mbuf* packet) { return has_open_request(*packet); };
    if (std::none_of(packets, packets + count, is_open)) [[likely]]
      return rte_vhost_enqueue_burst(vid, vring, packets, count);
    ViewBurst views;
    return rte_vhost_enqueue_burst(vid, vring, views.make(packets, count), count);
  }

  // A guest without mergeable buffers cannot take a frame larger than one of them, now or later. Packed
  // rings do not tell whether they have room; there the packet goes the way of those a full ring refuses.
  static bool is_too_large(const Link& link, uint16_t vring, const rte_mbuf& packet) noexcept {
    return (link.capabilities & (kMergeable | kPacked)) == 0 && packet.pkt_len > kPlainFrame &&
           rte_vhost_avail_entries(link.vid, vring) > 0;
  }

  // librte_vhost's threads, from here on.
  bool peer_connected(int vid) noexcept override {
    if (stage_ != Stage::NoPeer) {
      log::warning("port {}: a second peer on {} is turned away", spec().name, spec().path);
      return false;
    }
    vid_ = vid;
    ready_.reset();
    excess_features_ = 0;
    stage_ = Stage::Connected;
    update_state();
    return true;
  }

  void features_refused(uint64_t excess) noexcept override { excess_features_ = excess; }

  void vring_changed(uint16_t vring, bool ready) noexcept override {
    if (vring >= kMaxVrings) return;
    ready_.set(vring, ready);
    const auto queue = static_cast<uint16_t>(vring / 2);
    if (vring % 2 == 1 && queue < kMaxPairs) {
      queues_[queue].vring_is_new.store(ready, std::memory_order_relaxed);
      queues_[queue].generation.fetch_add(1, std::memory_order_release);
    }
    if (stage_ != Stage::Running) return;
    publish_link();
    host_.wake_workers();
  }

  void message_handled(bool memory_moved) noexcept override {
    if (memory_moved && stage_ == Stage::Running) {
      lookaheads_.forget();
      publish_link();
    }
    host_.wake_workers();
  }

  void driver_started(int vid) noexcept override {
    vid_ = vid;
    uint64_t features = 0;
    rte_vhost_get_negotiated_features(vid, &features);
    capabilities_ = capabilities_of(features);
    warn_about_mtu();
    publish_link();
    stage_ = Stage::Running;
    update_state();
  }

  void driver_stopped() noexcept override {
    link_.store({}, std::memory_order_release);
    stage_ = Stage::Connected;
    if (closing_) return;
    host_.wait_for_workers();
    lookaheads_.clear();
    update_state();
  }

  void peer_gone() noexcept override {
    vid_ = -1;
    stage_ = Stage::NoPeer;
    if (!closing_) update_state();
  }

  // The front end decides what MTU the guest sees (host_mtu in qemu); a back end can only look at it.
  void warn_about_mtu() const {
    uint16_t mtu = 0;
    if (rte_vhost_get_mtu(vid_, &mtu) == 0 && mtu != spec().mtu)
      log::warning("port {}: the guest was given MTU {}, the port has {}", spec().name, mtu, spec().mtu);
  }

  void publish_link() noexcept {
    Link link{static_cast<int16_t>(vid_), 0, 0, capabilities_};
    size_t pairs = 0;
    for (size_t vring = 0; vring < kMaxVrings; ++vring) {
      if (!ready_.test(vring)) continue;
      pairs = vring / 2 + 1;
      if (pairs > spec().queues) continue;
      uint16_t& mask = vring % 2 == 1 ? link.receive : link.send;
      mask |= static_cast<uint16_t>(1U << (vring / 2));
      if ((capabilities_ & kPacked) == 0) lookaheads_.make(vid_, static_cast<uint16_t>(vring));
    }
    pairs_ = pairs;
    if (pairs > spec().queues) link = {};
    link_.store(link, std::memory_order_release);
  }

  // Any thread but a worker. The last to get the lock has looked last, so that the state is right.
  void update_state() {
    const std::scoped_lock lock(state_mutex_);
    if (const std::string reason = reason_to_be_down(); reason.empty())
      set_up();
    else
      set_down(reason);
  }

  std::string reason_to_be_down() const {
    switch (stage_.load()) {
      case Stage::NoPeer:
        return reason_without_peer();
      case Stage::Connected:
        return "connected, but the guest's driver has not started";
      case Stage::Running:
        break;
    }
    if (const size_t pairs = pairs_; pairs > spec().queues)
      return fmt::format("the peer uses {} queue pairs, the port has {}: give both the same number", pairs,
                         spec().queues);
    const Link link = link_.load(std::memory_order_relaxed);
    return link.send == 0 && link.receive == 0 ? "connected, but the guest's driver has no queue enabled"
                                               : "";
  }

  std::string reason_without_peer() const {
    if (const uint64_t excess = excess_features_; excess != 0)
      return fmt::format("the peer wants virtio features that the switch does not offer (bits {:#x})",
                         excess);
    const std::string problem = why_not_connectable(spec().path);
    if (!spec().server) return problem.empty() ? "waiting for the peer to connect" : problem;
    return problem.empty() ? fmt::format("waiting for a peer on {}", spec().path)
                           : fmt::format("the switch's own socket is gone: {}", problem);
  }

  std::atomic<Link> link_{Link{}};
  std::array<ReceiveQueue, kMaxPairs> queues_;
  VringLookaheads lookaheads_;
  static_assert(VringLookaheads::kMaxVrings == 2 * kMaxPairs);

  std::atomic<Stage> stage_{Stage::NoPeer};
  std::atomic<size_t> pairs_{0};  // that the peer has made ready
  std::atomic<uint64_t> excess_features_{0};
  std::atomic<bool> closing_{false};
  std::mutex state_mutex_;

  // Touched by events only, which come one at a time.
  int vid_ = -1;
  uint16_t capabilities_ = 0;
  std::bitset<kMaxVrings> ready_;

  std::unique_ptr<VhostDevice> device_;
};

}  // namespace

std::unique_ptr<Port> open_vhost_user(PortId id, const PortSpec& spec, PortHost& host, OpenPolicy policy) {
  return std::make_unique<VhostUserPort>(id, spec, host, policy);
}

}  // namespace podswitch
