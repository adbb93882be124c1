// SPDX-License-Identifier: Apache-2.0
// A TCP reset in answer to a segment that nobody takes (RFC 9293 section 3.10.7.1), made in its place. Called
// by the worker that owns the packet.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "switch/net/l3.h"

namespace podswitch {

// `l3`: what is at `l3_offset`. The packet goes back to its sender, from the address that it was sent to; the
// frame keeps its MACs. Of a chained packet the rest is freed. False: a reset is not answered, a fragment
// cannot be, or the data is shared or malformed; nothing has changed then.
[[nodiscard]] bool make_tcp_reset(rte_mbuf& packet, uint16_t l3_offset, const net::L3& l3) noexcept;

}  // namespace podswitch
