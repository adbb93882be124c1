// SPDX-License-Identifier: Apache-2.0
// Sends a stream's frames. A frame that the ring refuses is sent by the next call, so that none is missing in
// the stream. One thread.
#pragma once

#include <rte_mbuf.h>

#include "tests/bench/generator/stream.h"

namespace podswitch::bench {

inline constexpr uint16_t kBurst = 32;

class Sender {
 public:
  // Of `stamp_every` frames one gets a time stamp; 0: none. Both others must outlive it.
  Sender(const Stream& stream, rte_mempool& buffers, uint32_t stamp_every)
      : stream_(stream), buffers_(buffers), stamp_every_(stamp_every) {}
  ~Sender() { rte_pktmbuf_free_bulk(spare_, spares_); }
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  // Up to kBurst frames; how many the ring took. `now` is the time stamp.
  uint16_t send(uint16_t count, uint64_t now);

  // The position in the stream of the frame that comes next.
  uint64_t position() const { return stream_.position(cursor_.flow, cursor_.sequence); }
  // Whether there once were no buffers: whoever sends has then been the limit.
  bool starved() const { return starved_; }

 private:
  bool get_buffers(uint16_t count);
  template <Protocol kProtocol>
  Cursor fill(uint16_t count, uint64_t now);

  const Stream& stream_;
  rte_mempool& buffers_;
  const uint32_t stamp_every_;
  Cursor cursor_;
  uint32_t since_stamp_ = 0;
  rte_mbuf* spare_[kBurst];  // refused ones and those not yet written
  uint16_t spares_ = 0;
  bool starved_ = false;
};

}  // namespace podswitch::bench
