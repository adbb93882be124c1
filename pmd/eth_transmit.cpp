// SPDX-License-Identifier: Apache-2.0
#include "pmd/eth_transmit.h"

#include <rte_ethdev.h>

#include <array>

#include "pmd/eth_offload.h"
#include "switch/burst.h"

namespace podswitch {
namespace {

constexpr size_t kMaxPieces = 65536 / kMinSegmentSize + 1;

bool is_shared(const rte_mbuf& packet) noexcept {
  for (const rte_mbuf* segment = &packet; segment != nullptr; segment = segment->next)
    if (rte_mbuf_refcnt_read(segment) > 1) return true;
  return false;
}

uint64_t flags_of(rte_mbuf* const* packets, uint16_t count) noexcept {
  uint64_t flags = 0;
  for (uint16_t i = 0; i < count; ++i) flags |= packets[i]->ol_flags;
  return flags;
}

}  // namespace

uint16_t EthTransmit::send(uint16_t device, uint16_t queue, rte_mbuf** packets, uint16_t count) noexcept {
  if (!has_device_form(flags_of(packets, count))) [[likely]]
    return rte_eth_tx_burst(device, queue, packets, count);
  uint16_t sent = 0;   // taken by the device, or no packets any more
  uint16_t ready = 0;  // those behind `sent` that wait
  for (uint16_t i = 0; i < count; ++i) {
    const Ready is_ready = make_ready(device, queue, packets[i]);
    if (is_ready == Ready::Yes) {
      ++ready;
      continue;
    }
    const uint16_t taken = rte_eth_tx_burst(device, queue, packets + sent, ready);
    sent = static_cast<uint16_t>(sent + taken);
    if (taken < ready) return sent;  // the refused one, too, is the caller's
    ready = 0;
    if (is_ready == Ready::Refused)
      send_in_software(device, queue, packets[i]);
    else
      lose(&packets[i], 1);
    ++sent;
  }
  return static_cast<uint16_t>(sent + rte_eth_tx_burst(device, queue, packets + sent, ready));
}

EthTransmit::Ready EthTransmit::make_ready(uint16_t device, uint16_t queue, rte_mbuf*& packet) noexcept {
  if (!has_device_form(packet->ol_flags)) return Ready::Yes;
  if (is_shared(*packet)) {
    rte_mbuf* copy = copy_packet(*packet, pool_);
    if (copy == nullptr) return Ready::NoBuffer;
    rte_pktmbuf_free(packet);
    packet = copy;
  }
  to_device_form(*packet);
  if (rte_eth_tx_prepare(device, queue, &packet, 1) == 1) return Ready::Yes;
  from_device_form(*packet);
  return Ready::Refused;
}

void EthTransmit::send_in_software(uint16_t device, uint16_t queue, rte_mbuf* packet) noexcept {
  std::array<rte_mbuf*, kMaxPieces> pieces;
  uint16_t count = 1;
  if ((packet->ol_flags & RTE_MBUF_F_TX_TCP_SEG) == 0) {
    complete_checksum(*packet);
    pieces[0] = packet;
  } else {
    count = segment(*packet, pool_, pieces.data(), static_cast<uint16_t>(pieces.size()));
    if (count == 0) return lose(&packet, 1);
    rte_pktmbuf_free(packet);
  }
  uint16_t sent = 0;
  while (sent < count) {
    const auto batch = static_cast<uint16_t>(std::min<int>(kBurstSize, count - sent));
    const uint16_t taken = rte_eth_tx_burst(device, queue, &pieces[sent], batch);
    sent = static_cast<uint16_t>(sent + taken);
    if (taken < batch) return lose(&pieces[sent], static_cast<uint16_t>(count - sent));
  }
}

void EthTransmit::lose(rte_mbuf** packets, uint16_t count) noexcept {
  rte_pktmbuf_free_bulk(packets, count);
  lost_.fetch_add(count, std::memory_order_relaxed);
}

}  // namespace podswitch
