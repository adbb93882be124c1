// SPDX-License-Identifier: Apache-2.0
// Frames of a stream as mbufs, without DPDK's EAL.
#pragma once

#include <rte_mbuf.h>

#include <algorithm>
#include <deque>
#include <vector>

#include "tests/bench/generator/stream.h"

namespace podswitch::bench {

// The whole frame.
inline std::vector<uint8_t> make_frame(const Stream& stream, const Cursor& cursor, uint64_t tsc = 0) {
  const size_t bytes = stream.wire_bytes(cursor);
  std::vector<uint8_t> frame(payload().begin(), payload().begin() + static_cast<ptrdiff_t>(bytes));
  frame.resize(std::max(bytes, kLargestBlock));
  with_protocol(stream.trial().protocol,
                [&]<Protocol kProtocol>() { stream.write<kProtocol>(frame.data(), cursor, tsc); });
  frame.resize(bytes);
  return frame;
}

inline void turn_back(const Stream& stream, std::vector<uint8_t>& frame) {
  with_protocol(stream.trial().protocol, [&]<Protocol kProtocol>() { swap_ends<kProtocol>(frame.data()); });
}

// A received frame in buffers of at most `buffer_bytes`.
class Packet {
 public:
  explicit Packet(const std::vector<uint8_t>& frame, size_t buffer_bytes = 2048) : bytes_(frame) {
    for (size_t at = 0; at < bytes_.size(); at += buffer_bytes) {
      rte_mbuf& segment = segments_.emplace_back();
      segment.buf_addr = bytes_.data() + at;
      segment.data_len = static_cast<uint16_t>(std::min(buffer_bytes, bytes_.size() - at));
      if (at > 0) segments_[segments_.size() - 2].next = &segment;
    }
    segments_.front().pkt_len = static_cast<uint32_t>(bytes_.size());
    segments_.front().nb_segs = static_cast<uint16_t>(segments_.size());
  }
  Packet(const Packet&) = delete;
  Packet& operator=(const Packet&) = delete;

  const rte_mbuf& operator*() const { return segments_.front(); }
  uint8_t& operator[](size_t at) { return bytes_[at]; }
  size_t size() const { return bytes_.size(); }

 private:
  std::vector<uint8_t> bytes_;
  std::deque<rte_mbuf> segments_;
};

}  // namespace podswitch::bench
