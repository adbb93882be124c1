// SPDX-License-Identifier: Apache-2.0
#include "pmd/mbuf_iov.h"

#include <rte_ether.h>

#include <algorithm>

namespace podswitch {

FrameBuffers::FrameBuffers() {
  iov_[0] = {&header_, sizeof header_};
}

FrameBuffers::~FrameBuffers() {
  for (uint32_t i = missing_; i < kBuffersPerFdQueue; ++i) rte_pktmbuf_free(buffers_[i]);
}

bool FrameBuffers::allocate_missing(rte_mempool& pool) noexcept {
  if (rte_pktmbuf_alloc_bulk(&pool, buffers_.data(), missing_) != 0) return false;
  for (uint32_t i = 0; i < missing_; ++i) {
    const uint16_t room = rte_pktmbuf_tailroom(buffers_[i]);
    iov_[1 + i] = {rte_pktmbuf_mtod(buffers_[i], void*), room};
  }
  capacity_ = static_cast<uint32_t>(iov_[1].iov_len) * kBuffersPerFdQueue;
  missing_ = 0;
  return true;
}

rte_mbuf* FrameBuffers::take(size_t bytes_read) noexcept {
  if (bytes_read < sizeof header_ + RTE_ETHER_HDR_LEN) return nullptr;
  const auto length = static_cast<uint32_t>(bytes_read - sizeof header_);
  if (length >= capacity_) return nullptr;
  rte_mbuf* packet = buffers_[0];
  uint32_t left = length;
  uint32_t used = 0;
  for (rte_mbuf** next = &packet; left > 0; next = &(*next)->next) {
    *next = buffers_[used++];
    (*next)->data_len = static_cast<uint16_t>(std::min<size_t>(left, iov_[used].iov_len));
    left -= (*next)->data_len;
  }
  packet->pkt_len = length;
  packet->nb_segs = static_cast<uint16_t>(used);
  missing_ = used;
  if (apply_vnet_header(header_, *packet)) return packet;
  rte_pktmbuf_free(packet);
  return nullptr;
}

}  // namespace podswitch
