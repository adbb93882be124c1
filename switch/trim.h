// SPDX-License-Identifier: Apache-2.0
// Takes off what is behind an IP packet: the padding of the link that it came by, the rest of what is quoted.
// Called by the worker that owns the packet.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

namespace podswitch {

// Cuts the chain off behind `length` bytes, 1 or more; what is shorter stays as it is.
inline void trim(rte_mbuf& packet, uint32_t length) noexcept {
  if (packet.pkt_len <= length) [[likely]]
    return;
  packet.pkt_len = length;
  rte_mbuf* last = &packet;
  for (packet.nb_segs = 1; length > last->data_len; ++packet.nb_segs) {
    length -= last->data_len;
    last = last->next;
  }
  last->data_len = static_cast<uint16_t>(length);
  rte_pktmbuf_free(last->next);
  last->next = nullptr;
}

}  // namespace podswitch
