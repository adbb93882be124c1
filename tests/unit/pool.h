// SPDX-License-Identifier: Apache-2.0
// Packet pools of the unit tests, made once per program in the EAL of main.cpp, and an owner for an mbuf.
#pragma once

#include <rte_mbuf.h>

#include <memory>

namespace podswitch::test {

struct FreePacket {
  void operator()(rte_mbuf* packet) const { rte_pktmbuf_free(packet); }
};
using PacketPtr = std::unique_ptr<rte_mbuf, FreePacket>;

// Buffers as the switch has them: 2,048 bytes behind the headroom.
rte_mempool& packet_pool();
// Buffers of 256 bytes behind the headroom: what is longer gets chained.
rte_mempool& small_pool();

}  // namespace podswitch::test
