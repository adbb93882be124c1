// SPDX-License-Identifier: Apache-2.0
// Makes the packets that ask for a neighbour's MAC, or tell ours. Any thread but a worker; nullptr when no
// buffer is left.
#pragma once

#include <rte_mbuf.h>

#include <optional>

#include "switch/net/address.h"

namespace podswitch {

// RFC 826; to `known` alone when given (RFC 1122 section 2.3.2.1), else to all.
rte_mbuf* arp_request(rte_mempool& pool, const MacAddress& own_mac, const Ipv4Address& own_ip,
                      const Ipv4Address& target, const std::optional<MacAddress>& known);

// RFC 4861 section 4.3; to `known` alone when given, else to the solicited-node group.
rte_mbuf* neighbour_solicitation(rte_mempool& pool, const MacAddress& own_mac, const Ipv6Address& own_ip,
                                 const Ipv6Address& target, const std::optional<MacAddress>& known);

// RFC 4861 section 7.2.6: to all nodes, that the address is at this MAC.
rte_mbuf* unsolicited_advertisement(rte_mempool& pool, const MacAddress& own_mac, const Ipv6Address& own_ip);

}  // namespace podswitch
