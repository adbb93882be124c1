// SPDX-License-Identifier: Apache-2.0
// Whether both readers of tunnel packets say the same of one.
#pragma once

#include "switch/net/plain_tunnel.h"

namespace podswitch::test {

inline bool is_same(const net::PlainTunnel& plain, const net::TunnelPacket& whole) {
  return whole.outer_source.is_v4() && whole.outer_destination.is_v4() &&
         whole.outer_source.v4().raw() == plain.outer_source &&
         whole.outer_destination.v4().raw() == plain.outer_destination && whole.vni == plain.vni &&
         whole.inner_length == plain.inner_length && whole.inner_offset == plain.inner_offset &&
         whole.outer_ecn_tos == plain.outer_ecn_tos;
}

}  // namespace podswitch::test
