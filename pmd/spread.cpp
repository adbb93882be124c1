// SPDX-License-Identifier: Apache-2.0
#include "pmd/spread.h"

#include <rte_cycles.h>

#include <chrono>
#include <thread>

namespace podswitch {
namespace {

constexpr uint64_t kWindowsPerSecond = 1000;

std::vector<Spreader::Way> ways_from(SpreadMesh& mesh, unsigned self) {
  std::vector<Spreader::Way> ways;
  for (unsigned to = 0; to < mesh.workers(); ++to) ways.push_back({mesh.ring(self, to), &mesh.doorbell(to)});
  return ways;
}

}  // namespace

SpreadMesh::SpreadMesh(unsigned workers, SpreadPolicy policy) : policy_(policy), seats_(workers) {
  for (unsigned from = 0; from < workers; ++from)
    for (unsigned to = 0; to < workers; ++to)
      rings_.push_back(from == to ? nullptr : std::make_unique<HandOverRing>());
}

SpreadMesh::~SpreadMesh() {
  HandedOver left;
  for (const auto& ring : rings_)
    while (ring != nullptr && ring->take(&left, 1) != 0) rte_pktmbuf_free(left.packet);
}

void SpreadMesh::wait_until_finished() const noexcept {
  for (const auto& ring : rings_) {
    if (ring == nullptr) continue;
    for (const auto end = ring->published(); !ring->is_past(end);)
      std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
}

Spread::Spread(SpreadMesh& mesh, unsigned self)
    : mesh_(mesh),
      self_(self),
      doorbell_(mesh.doorbell(self)),
      spreader_(static_cast<uint16_t>(self), ways_from(mesh, self)),
      balance_(spreader_, static_cast<uint16_t>(self)),
      window_cycles_(rte_get_tsc_hz() / kWindowsPerSecond),
      busy_before_(mesh.workers()),
      busy_(mesh.workers()) {
  for (unsigned from = 0; from < mesh.workers(); ++from)
    if (from != self) from_.push_back(mesh.ring(from, self));
}

void Spread::after_loop(const Revision& revision, uint64_t now_tsc, Local& local) noexcept {
  if (has_taken_) {
    for (HandOverRing* ring : from_) ring->finish();
    has_taken_ = false;
  }
  if (revision.number != revision_) [[unlikely]]
    adopt(revision, local);
  if (local.spreader == nullptr) [[likely]]
    return;
  spreader_.wake_receivers([this](unsigned worker) noexcept { mesh_.wake(worker); });
  if (now_tsc - window_start_ >= window_cycles_) look_at_loads(now_tsc);
}

// Only a worker that polls an uplink has anything to give away. When one comes or goes nothing is on its way
// any more: publishing waits for it.
void Spread::adopt(const Revision& revision, Local& local) noexcept {
  revision_ = revision.number;
  const bool has_uplink = revision.workers[self_].has_uplink;
  if (has_uplink == (local.spreader != nullptr)) return;
  local.spreader = has_uplink ? &spreader_ : nullptr;
  spreader_.reset();
  if (mesh_.policy() != SpreadPolicy::Always) return;
  for (uint16_t share = 0; share < Spreader::kShares; ++share)
    spreader_.want(share, static_cast<uint16_t>(share % mesh_.workers()));
}

void Spread::look_at_loads(uint64_t now_tsc) noexcept {
  const auto cycles = static_cast<double>(now_tsc - window_start_);
  window_start_ = now_tsc;
  for (unsigned worker = 0; worker < mesh_.workers(); ++worker) {
    const uint64_t busy = mesh_.busy_cycles(worker);
    busy_[worker] = static_cast<double>(busy - busy_before_[worker]) / cycles;
    busy_before_[worker] = busy;
  }
  if (mesh_.policy() == SpreadPolicy::Auto) balance_.step(busy_);
}

}  // namespace podswitch
