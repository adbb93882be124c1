// SPDX-License-Identifier: Apache-2.0
#include "switch/chain_copy.h"

#include <algorithm>
#include <cstring>

namespace podswitch {

bool ChainReader::read(char* to, uint32_t length) noexcept {
  while (length > 0) {
    while (segment_ != nullptr && offset_ >= segment_->data_len) {
      offset_ -= segment_->data_len;
      segment_ = segment_->next;
    }
    if (segment_ == nullptr) return false;
    const uint32_t size = std::min<uint32_t>(length, segment_->data_len - offset_);
    std::memcpy(to, rte_pktmbuf_mtod_offset(segment_, const char*, offset_), size);
    to += size;
    offset_ += size;
    length -= size;
  }
  return true;
}

bool append_copy(rte_mbuf& head, rte_mempool& pool, ChainReader& from, uint32_t size) noexcept {
  rte_mbuf* last = &head;
  while (size > 0) {
    const uint16_t room = rte_pktmbuf_tailroom(last);
    if (room == 0) {
      rte_mbuf* next = rte_pktmbuf_alloc(&pool);
      if (next == nullptr) return false;
      next->data_off = 0;  // headroom is the first buffer's business
      if (rte_pktmbuf_tailroom(next) == 0) return rte_pktmbuf_free(next), false;
      last->next = next;
      last = next;
      ++head.nb_segs;
      continue;
    }
    const uint16_t piece = static_cast<uint16_t>(std::min<uint32_t>(size, room));
    if (!from.read(rte_pktmbuf_mtod_offset(last, char*, last->data_len), piece)) return false;
    last->data_len = static_cast<uint16_t>(last->data_len + piece);
    head.pkt_len += piece;
    size -= piece;
  }
  return true;
}

}  // namespace podswitch
