// SPDX-License-Identifier: Apache-2.0
// Any header before any frame, in segments of any size: nothing outside the frame is read or written, and
// what is accepted can be stated again. Input: the header, the size of segments, the frame.
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "pmd/vnet_hdr.h"

namespace {

constexpr size_t kMaxFrame = 4096;

// The frame in buffers of exactly its size, outside any pool, so that the sanitizer sees each byte beyond.
class Chain {
 public:
  Chain(const uint8_t* bytes, size_t size, size_t segment_size) {
    for (size_t i = 0; i < size; i += segment_size)
      data_.emplace_back(bytes + i, bytes + std::min(size, i + segment_size));
    segments_.resize(data_.size());
    for (size_t i = 0; i < data_.size(); ++i) {
      segments_[i].buf_addr = data_[i].data();
      segments_[i].data_len = static_cast<uint16_t>(data_[i].size());
      segments_[i].next = i + 1 < data_.size() ? &segments_[i + 1] : nullptr;
    }
    segments_[0].pkt_len = static_cast<uint32_t>(size);
    segments_[0].nb_segs = static_cast<uint16_t>(data_.size());
  }
  rte_mbuf& head() { return segments_[0]; }

 private:
  std::vector<std::vector<uint8_t>> data_;
  std::vector<rte_mbuf> segments_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  podswitch::VnetHeader header;
  if (size < sizeof header + 2) return 0;
  std::memcpy(&header, data, sizeof header);
  const size_t segment_size = data[sizeof header] + 1U;
  data += sizeof header + 1;
  size = std::min(size - sizeof header - 1, kMaxFrame);
  Chain chain(data, size, segment_size);
  rte_mbuf& packet = chain.head();
  if (!podswitch::apply_vnet_header(header, packet)) return 0;
  const bool is_tso = (packet.ol_flags & RTE_MBUF_F_RX_LRO) != 0;
  if (is_tso && (packet.tso_segsz == 0 || (packet.ol_flags & RTE_MBUF_F_RX_L4_CKSUM_NONE) == 0)) std::abort();
  packet.ol_flags = is_tso ? RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
  packet.l2_len = header.csum_start & 0x7f;
  packet.l3_len = header.csum_offset & 0x1ff;
  (void)podswitch::make_vnet_header(packet);
  return 0;
}
