// SPDX-License-Identifier: Apache-2.0
// What the files of the guard stage share. Called by a worker on its own packets.
#pragma once

#include <rte_mbuf.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "switch/drop_reason.h"
#include "switch/net/headers.h"
#include "switch/net/l3.h"
#include "switch/snapshot.h"

namespace podswitch::stages {

using Objection = std::optional<DropReason>;

template <typename Address>
bool contains(const std::vector<Address>& list, const Address& address) noexcept {
  return std::find(list.begin(), list.end(), address) != list.end();
}

// `mac` is the frame's source. A port whose MAC nobody gave may use the link-local address made of whatever
// MAC it has; one with a MAC has that address in its list.
inline bool owns(const Guard& guard, const Ipv6Address& address, const MacAddress& mac) noexcept {
  return contains(guard.v6, address) || (guard.mac == 0 && address == Ipv6Address::link_local_of(mac));
}

// Judges an ICMPv6 packet by its contents. `mac` is the frame's source, already found to be the port's.
Objection judge_icmpv6(const rte_mbuf& packet, const net::L3& l3, const net::Ipv6Header& ip,
                       const MacAddress& mac, const Guard& guard) noexcept;

}  // namespace podswitch::stages
