// SPDX-License-Identifier: Apache-2.0
// Frames of a network that is stretched over nodes, on their way into a tunnel (RFC 7348 section 4): each
// goes as it is to one VTEP, by that VTEP's next hop, which all such networks share. Called by the worker
// that owns the packet.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <optional>

#include "switch/drop_reason.h"
#include "switch/ip_ids.h"
#include "switch/next_hop.h"

namespace podswitch {

// Puts the tunnel's headers in front of the frame. The packet's data must not be shared. A reason: why it
// cannot be sent; nothing has changed then.
std::optional<DropReason> wrap_frame(rte_mbuf& packet, uint16_t ether_type, uint16_t l3_offset, uint32_t vni,
                                     const NextHop& hop, IpIds& ip_ids) noexcept;

}  // namespace podswitch
