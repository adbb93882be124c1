// SPDX-License-Identifier: Apache-2.0
// Small integer names used by every table of the packet path. Plain values, any thread.
#pragma once

#include <cstdint>

#include "switch/net/address.h"

namespace podswitch {

using PortId = uint16_t;  // dense, below kMaxPorts
using Fid = uint16_t;     // filtering id (802.1Q): one per network and VLAN, the scope of a MAC address

inline constexpr PortId kMaxPorts = 1024;  // librte_vhost's own limit
inline constexpr PortId kNoPort = 0xffff;
inline constexpr Fid kNoFid = 0xffff;

// FDB key: the MAC in the low 48 bits, the filtering id above.
inline uint64_t fdb_key(uint64_t mac, Fid fid) {
  return mac | uint64_t{fid} << 48;
}
inline MacAddress mac_of_key(uint64_t key) {
  return MacAddress::from_u64(key & 0xffff'ffff'ffffULL);
}
inline Fid fid_of_key(uint64_t key) {
  return static_cast<Fid>(key >> 48);
}

}  // namespace podswitch
