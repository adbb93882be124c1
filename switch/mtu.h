// SPDX-License-Identifier: Apache-2.0
// Whether a frame fits a port's MTU. Called by workers.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "switch/net/headers.h"

namespace podswitch {

// `mtu` counts bytes behind the Ethernet header of an untagged frame. A super frame fits when the
// segments fit that it will be cut into.
inline bool fits_mtu(const rte_mbuf& packet, uint16_t mtu) noexcept {
  if (packet.pkt_len <= sizeof(net::EtherHeader) + mtu) [[likely]]
    return true;
  if ((packet.ol_flags & RTE_MBUF_F_TX_TCP_SEG) == 0) return false;
  const uint32_t segment = packet.l2_len + packet.l3_len + packet.l4_len + packet.tso_segsz;
  return segment <= sizeof(net::EtherHeader) + mtu;
}

}  // namespace podswitch
