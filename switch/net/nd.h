// SPDX-License-Identifier: Apache-2.0
// The options of a neighbour discovery message (RFC 4861 section 4.6). Called by the worker that owns the
// packet.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "switch/net/headers.h"
#include "switch/net/l3.h"
#include "switch/net/mbuf_view.h"

namespace podswitch::net {

inline bool is_nd(uint8_t icmpv6_type) noexcept {
  return icmpv6_type >= kNdRouterSolicit && icmpv6_type <= kNdRedirect;
}

// Calls visit(option) for each link-layer address option behind the message's `fixed_length` bytes. False:
// the options don't fill the message, one of them has length 0, or they lie beyond the first segment.
template <typename Visit>
bool for_each_link_layer_option(const rte_mbuf& packet, const L3& l3, uint32_t fixed_length,
                                Visit&& visit) noexcept {
  if (l3.l4_length() < fixed_length) return false;
  uint32_t offset = l3.l4_offset + fixed_length;
  while (offset < l3.end) {
    const auto* option = header_at<NdLinkLayerOption>(packet, offset);
    if (option == nullptr || option->length == 0 || offset + option->length * 8u > l3.end) return false;
    if (option->type == kNdOptionSourceMac || option->type == kNdOptionTargetMac) visit(*option);
    offset += option->length * 8u;
  }
  return true;
}

}  // namespace podswitch::net
