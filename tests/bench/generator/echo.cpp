// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/generator/echo.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "tests/bench/generator/sender.h"

namespace podswitch::bench {
namespace {

constexpr int kBurstsAPoll = 4;

template <Protocol kProtocol>
void turn(rte_mbuf* const* burst, uint16_t count) {
  for (uint16_t i = 0; i < count; ++i) rte_prefetch0(rte_pktmbuf_mtod(burst[i], void*));
  for (uint16_t i = 0; i < count; ++i) swap_ends<kProtocol>(rte_pktmbuf_mtod(burst[i], uint8_t*));
}

// Moves what is not of the stream behind the rest; how many are.
uint16_t keep_stream(rte_mbuf** burst, uint16_t count, const Stream& stream) {
  uint16_t kept = 0;
  for (uint16_t i = 0; i < count; ++i)
    if (stream.has_size(burst[i]->pkt_len)) std::swap(burst[i], burst[kept++]);
  return kept;
}

}  // namespace

bool Echo::poll() {
  rte_mbuf* burst[kBurst];
  for (int i = 0; i < kBurstsAPoll; ++i) {
    const uint16_t count = rte_eth_rx_burst(stream_.to_port(), 0, burst, kBurst);
    if (count == 0) return i > 0;
    const uint16_t ours = keep_stream(burst, count, stream_);
    with_protocol(stream_.trial().protocol, [&]<Protocol kProtocol>() { turn<kProtocol>(burst, ours); });
    const uint16_t sent = rte_eth_tx_burst(stream_.to_port(), 0, burst, ours);
    refused_ += static_cast<uint64_t>(ours - sent);
    if (sent < count) rte_pktmbuf_free_bulk(burst + sent, count - sent);
    if (count < kBurst) return true;
  }
  return true;
}

}  // namespace podswitch::bench
