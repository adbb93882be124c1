// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/generator/run.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <utility>

namespace podswitch::bench {
namespace {

constexpr uint64_t kDrainMs = 100, kAnnounceMs = 100;
constexpr uint64_t kOthersEvery = 64;        // turns
constexpr uint32_t kStampEveryFlatOut = 64;  // frames

uint64_t milliseconds(uint64_t count) {
  return rte_get_tsc_hz() / 1000 * count;
}

uint32_t stamp_every(const Trial& trial) {
  if (!trial.latency) return 0;
  return trial.rate == 0 ? kStampEveryFlatOut : 1;
}

uint16_t largest(const std::vector<uint16_t>& sizes) {
  return *std::max_element(sizes.begin(), sizes.end());
}

void discard(uint16_t port) {
  rte_mbuf* burst[kBurst];
  const uint16_t count = rte_eth_rx_burst(port, 0, burst, kBurst);
  rte_pktmbuf_free_bulk(burst, count);
}

}  // namespace

std::vector<uint16_t> ports_of(const Trial& trial, uint16_t count) {
  std::vector<uint16_t> ports{0, 1};
  if (trial.pattern == Pattern::TwoWay)
    for (uint16_t port = 2; port < count; ++port) ports.push_back(port);
  return ports;
}

Run::Lane::Lane(const Ports& ports, Histogram& latencies, const Trial& trial, uint8_t from, uint8_t to,
                uint16_t number)
    : stream(trial, from, to, number),
      sender(stream, ports.buffers_for(largest(trial.wire_sizes())), stamp_every(trial)),
      receiver(stream, trial.pattern == Pattern::Echo, trial.latency ? &latencies : nullptr),
      received_at(trial.pattern == Pattern::Echo ? from : to) {}

Run::Run(const Ports& ports, Announcer& announcer, Histogram& latencies, const Trial& trial, uint16_t number)
    : ports_(ports), announcer_(announcer), latencies_(latencies), trial_(trial) {
  const auto used = ports_of(trial, ports.count());
  for (const uint16_t port : used)
    if (port == 0 || trial.pattern == Pattern::TwoWay)
      lanes_.emplace_back(ports, latencies, trial, static_cast<uint8_t>(port), static_cast<uint8_t>(port ^ 1),
                          number);
  if (trial.pattern == Pattern::Echo) echo_.emplace(lanes_.front().stream);
  for (const Lane& lane : lanes_) announced_.push_back(lane.stream.to_port());
  for (uint16_t port = 0; port < ports.count(); ++port) {
    const bool read = std::any_of(lanes_.begin(), lanes_.end(),
                                  [port](const Lane& lane) { return lane.received_at == port; });
    if (!read && !(echo_ && port == 1)) unread_.push_back(port);
  }
}

Outcome Run::measure() {
  const uint64_t start = rte_rdtsc(), hz = rte_get_tsc_hz();
  if (trial_.rate > 0) pacer_.emplace(trial_.rate, static_cast<double>(hz), kBurst, start);
  move_until(start + milliseconds(trial_.warmup_ms));
  const uint64_t from = rte_rdtsc();
  begin_count(from);
  move_until(from + static_cast<uint64_t>(trial_.seconds * static_cast<double>(hz)));
  const auto cycles = static_cast<double>(rte_rdtsc() - from);
  const Received meanwhile = sum();
  outcome_.seconds = cycles / static_cast<double>(hz);
  outcome_.busy = static_cast<double>(busy_) / cycles;
  outcome_.longest_turn_seconds = static_cast<double>(longest_turn_) / static_cast<double>(hz);
  if (echo_) outcome_.echo_refused = echo_->refused();
  drain();
  outcome_.received = sum();
  // The rate is that of the time that counts; what came later was on its way.
  outcome_.received.arrived = meanwhile.arrived;
  outcome_.received.bytes = meanwhile.bytes;
  outcome_.first_arrival = lanes_.front().receiver.first_arrival();
  for (const Lane& lane : lanes_) outcome_.starved |= lane.sender.starved();
  return outcome_;
}

void Run::begin_count(uint64_t now) {
  for (Lane& lane : lanes_) lane.receiver.begin_count(lane.sender.position(), now, rte_get_tsc_hz());
  latencies_.clear();
  if (echo_) echo_->clear();
  outcome_ = {};
  busy_ = longest_turn_ = 0;
}

void Run::move_until(uint64_t end) {
  for (uint64_t now = rte_rdtsc(); now < end;) {
    send(now);
    receive();
    if (++turns_ % kOthersEvery == 0) look_after_others(now);
    const uint64_t before = std::exchange(now, rte_rdtsc());
    longest_turn_ = std::max(longest_turn_, now - before);
  }
}

void Run::send(uint64_t now) {
  if (!pacer_) {
    for (Lane& lane : lanes_) send_from(lane, kBurst, now);
    return;
  }
  const uint16_t due = pacer_->due(now);
  if (due == 0) return;
  send_from(lanes_[next_lane_], due, now);
  if (++next_lane_ == lanes_.size()) next_lane_ = 0;
}

void Run::send_from(Lane& lane, uint16_t count, uint64_t now) {
  const uint64_t before = rte_rdtsc();
  const uint16_t sent = lane.sender.send(count, now);
  outcome_.sent += sent;
  outcome_.refused += static_cast<uint64_t>(count - sent);
  if (sent != 0) busy_ += rte_rdtsc() - before;
}

void Run::receive() {
  uint64_t before = rte_rdtsc();
  const auto spent = [&](bool moved) {
    const uint64_t now = rte_rdtsc();
    if (moved) busy_ += now - before;
    before = now;
  };
  if (echo_) spent(echo_->poll());
  for (Lane& lane : lanes_) spent(lane.receiver.poll(lane.received_at));
}

void Run::look_after_others(uint64_t now) {
  if (!unread_.empty()) {
    next_unread_ = (next_unread_ + 1) % unread_.size();
    discard(unread_[next_unread_]);
  }
  if (now < next_announcement_) return;
  next_announcement_ = now + milliseconds(kAnnounceMs);
  for (const uint16_t port : announced_) announcer_.announce_first(port, trial_);
}

Received Run::sum() const {
  Received all;
  for (const Lane& lane : lanes_) all += lane.receiver.received();
  return all;
}

void Run::drain() {
  const uint64_t end = rte_rdtsc() + milliseconds(kDrainMs);
  while (rte_rdtsc() < end && sum().frames < outcome_.sent) receive();
}

}  // namespace podswitch::bench
