// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/generator/sender.h"

#include <rte_ethdev.h>

#include <algorithm>

namespace podswitch::bench {

bool Sender::get_buffers(uint16_t count) {
  if (spares_ >= count) return true;
  // Not rte_pktmbuf_alloc_bulk(): nobody else uses the pool, and fill() sets all that changes.
  if (rte_mempool_get_bulk(&buffers_, reinterpret_cast<void**>(spare_ + spares_), count - spares_) != 0) {
    starved_ = true;
    return false;
  }
  spares_ = count;
  return true;
}

// Writes the next frames into the first buffers; the cursor behind them.
template <Protocol kProtocol>
Cursor Sender::fill(uint16_t count, uint64_t now) {
  Cursor cursor = cursor_;
  uint32_t since_stamp = since_stamp_;
  const uint16_t outer = stream_.outer_sent();
  for (uint16_t i = 0; i < count; ++i) {
    rte_mbuf* buffer = spare_[i];
    const bool stamped = stamp_every_ != 0 && ++since_stamp >= stamp_every_;
    if (stamped) since_stamp = 0;
    buffer->data_off = static_cast<uint16_t>(RTE_PKTMBUF_HEADROOM - outer);
    buffer->data_len = static_cast<uint16_t>(stream_.wire_bytes(cursor) + outer);
    buffer->pkt_len = buffer->data_len;
    auto* start = rte_pktmbuf_mtod(buffer, uint8_t*);
    // The frame itself begins where it always does, as payload lies behind it.
    if (outer != 0) stream_.write_outer(start, cursor);
    stream_.write<kProtocol>(start + outer, cursor, stamped ? now : 0);
    stream_.advance(cursor);
  }
  return cursor;
}

uint16_t Sender::send(uint16_t count, uint64_t now) {
  if (!get_buffers(count)) return 0;
  const Cursor behind = with_protocol(stream_.trial().protocol,
                                      [&]<Protocol kProtocol>() { return fill<kProtocol>(count, now); });
  const uint16_t sent = rte_eth_tx_burst(stream_.from_port(), 0, spare_, count);
  if (stamp_every_ != 0) since_stamp_ = (since_stamp_ + sent) % stamp_every_;
  if (sent == count)
    cursor_ = behind;
  else
    for (uint16_t i = 0; i < sent; ++i) stream_.advance(cursor_);
  spares_ = static_cast<uint16_t>(spares_ - sent);
  std::copy_n(spare_ + sent, spares_, spare_);
  return sent;
}

}  // namespace podswitch::bench
