// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/generator/receiver.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_prefetch.h>

#include <ctime>

#include "tests/bench/generator/sender.h"

namespace podswitch::bench {
namespace {

constexpr int kBurstsAPoll = 4;
constexpr uint32_t kSampleEvery = 64;  // bursts
// What was on its way when the count began has arrived by then.
constexpr uint64_t kSettleMs = 20;

// Buffers that came one by one go back as they are, which is all that rte_pktmbuf_free_bulk() would find out.
void release(rte_mbuf** burst, uint16_t count) {
  bool chained = false;
  for (uint16_t i = 0; i < count; ++i) chained |= burst[i]->nb_segs > 1;
  if (chained)
    rte_pktmbuf_free_bulk(burst, count);
  else
    rte_mempool_put_bulk(burst[0]->pool, reinterpret_cast<void**>(burst), count);
}

uint64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

Received& Received::operator+=(const Received& other) {
  frames += other.frames;
  arrived += other.arrived;
  bytes += other.bytes;
  verified += other.verified;
  corrupt += other.corrupt;
  unexpected += other.unexpected;
  reordered += other.reordered;
  announcements += other.announcements;
  return *this;
}

Receiver::Receiver(const Stream& stream, bool echoed, Histogram* latencies)
    : stream_(stream), checker_(stream, echoed), latencies_(latencies) {}

void Receiver::begin_count(uint64_t first_position, uint64_t now, uint64_t hz) {
  received_ = {};
  first_arrival_ = 0;
  first_position_ = first_position;
  settled_at_ = now + hz / 1000 * kSettleMs;
}

bool Receiver::poll(uint16_t port) {
  rte_mbuf* burst[kBurst];
  for (int i = 0; i < kBurstsAPoll; ++i) {
    const uint16_t count = rte_eth_rx_burst(port, 0, burst, kBurst);
    if (count == 0) return i > 0;
    take(burst, count);
    if (first_arrival_ == 0 && received_.frames != 0) first_arrival_ = monotonic_ns();
    release(burst, count);
    if (count < kBurst) return true;
  }
  return true;
}

void Receiver::take(rte_mbuf* const* burst, uint16_t count) {
  const Verify wanted = stream_.trial().verify;
  const bool verify = wanted == Verify::All || (wanted == Verify::Sample && bursts_++ % kSampleEvery == 0);
  if (verify || latencies_ != nullptr) return look(burst, count, verify);
  if (settled_at_ != 0) {
    if (rte_rdtsc() < settled_at_) return look(burst, count, false);
    settled_at_ = 0;
  }
  uint64_t bytes = 0, frames = 0;
  for (uint16_t i = 0; i < count; ++i) {
    if (!stream_.has_size(burst[i]->pkt_len)) {
      look_at(*burst[i], 0, false);
      continue;
    }
    bytes += burst[i]->pkt_len + kFcsBytes;
    ++frames;
  }
  received_.bytes += bytes;
  received_.frames += frames;
  received_.arrived += frames;
}

void Receiver::look(rte_mbuf* const* burst, uint16_t count, bool verify) {
  const uint64_t now = rte_rdtsc();
  for (uint16_t i = 0; i < count; ++i) {
    rte_prefetch0(rte_pktmbuf_mtod(burst[i], void*));
    rte_prefetch0(rte_pktmbuf_mtod_offset(burst[i], void*, RTE_CACHE_LINE_SIZE));
  }
  for (uint16_t i = 0; i < count; ++i) look_at(*burst[i], now, verify);
}

void Receiver::look_at(const rte_mbuf& packet, uint64_t now, bool verify) {
  const Stamp* stamp = checker_.stamp_of(packet);
  if (verify || stamp == nullptr) {
    const Verdict verdict = checker_.verify(packet);
    if (verdict == Verdict::Announcement) {
      ++received_.announcements;
      return;
    }
    if (verdict == Verdict::Unexpected) {
      ++received_.unexpected;
      return;
    }
    ++received_.verified;
    if (verdict == Verdict::Corrupt) {
      ++received_.corrupt;
      stamp = nullptr;
    } else if (!checker_.is_next(*stamp)) {
      ++received_.reordered;
    }
  }
  ++received_.arrived;
  received_.bytes += packet.pkt_len + kFcsBytes;
  // What cannot be placed counts as one of those sent since the count began.
  if (stamp != nullptr && stream_.position(stamp->flow.host(), stamp->sequence.host()) < first_position_)
    return;
  ++received_.frames;
  const uint64_t sent_at = stamp != nullptr ? stamp->tsc.host() : 0;
  if (latencies_ != nullptr && sent_at != 0) latencies_->add(now - sent_at);
}

}  // namespace podswitch::bench
