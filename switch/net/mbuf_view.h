// SPDX-License-Identifier: Apache-2.0
// Bounded views over the first segment of an mbuf: what a header is read through, so that no offset from a
// packet is followed unchecked. Called by the worker that owns the packet.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

namespace podswitch::net {

// The T at `offset`, or nullptr when the first segment does not hold all of it.
template <typename T>
T* header_at(rte_mbuf& packet, uint32_t offset) noexcept {
  static_assert(alignof(T) == 1);
  if (uint64_t{offset} + sizeof(T) > packet.data_len) return nullptr;
  return rte_pktmbuf_mtod_offset(&packet, T*, offset);
}
template <typename T>
const T* header_at(const rte_mbuf& packet, uint32_t offset) noexcept {
  return header_at<T>(const_cast<rte_mbuf&>(packet), offset);
}

// All of the chain: who makes another packet of it trims or frees the mbufs behind the first, so that they
// must be ours as well.
inline bool is_shared(const rte_mbuf& packet) noexcept {
  for (const rte_mbuf* segment = &packet; segment != nullptr; segment = segment->next)
    if (rte_mbuf_refcnt_read(segment) != 1) return true;
  if (RTE_MBUF_CLONED(&packet)) return true;
  return RTE_MBUF_HAS_EXTBUF(&packet) && rte_mbuf_ext_refcnt_read(packet.shinfo) != 1;
}

}  // namespace podswitch::net
