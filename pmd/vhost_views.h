// SPDX-License-Identifier: Apache-2.0
// Packets with open offload requests, dressed for rte_vhost_enqueue_burst(). The library would write the
// pseudo-header sum into the packet, which may be shared; and for TSO it writes one without the length,
// while Virtio 1.1 (5.1.6.2) and Linux want it with. It leaves a packet alone whose headers are not whole
// in the first segment, so each such packet is shown to it as a chain cut behind the L3 header. It only
// reads mbufs and copies before it returns, so the chains live on the worker's stack.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>

#include "switch/burst.h"
#include "switch/offload.h"

namespace podswitch {

class ViewBurst {
 public:
  // Arrays of mbufs are large: they stay uninitialised until used.
  ViewBurst() noexcept {}

  // At most kBurstSize packets. The result lives as long as this object.
  rte_mbuf** make(rte_mbuf** packets, uint16_t count) noexcept {
    for (uint16_t i = 0; i < count; ++i)
      shown_[i] =
          has_open_request(*packets[i]) ? cut(*packets[i], parts_[2 * i], parts_[2 * i + 1]) : packets[i];
    return shown_.data();
  }

 private:
  static rte_mbuf* cut(rte_mbuf& packet, rte_mbuf& head, rte_mbuf& tail) noexcept {
    const auto at = static_cast<uint16_t>(packet.l2_len + packet.l3_len);
    if (at == 0 || at >= packet.data_len) return &packet;
    head = packet;
    tail = packet;
    head.data_len = at;
    head.next = &tail;
    head.nb_segs = static_cast<uint16_t>(packet.nb_segs + 1);
    // "Whole" is l2 + l3 + l4, and plain checksum requests may come without l4_len.
    if (head.l4_len == 0) head.l4_len = 1;
    tail.data_off = static_cast<uint16_t>(packet.data_off + at);
    tail.data_len = static_cast<uint16_t>(packet.data_len - at);
    return &head;
  }

  std::array<rte_mbuf*, kBurstSize> shown_;
  union {
    std::array<rte_mbuf, 2 * kBurstSize> parts_;
  };
};

}  // namespace podswitch
