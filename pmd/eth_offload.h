// SPDX-License-Identifier: Apache-2.0
// What of a packet's open request (switch/offload.h) an ethdev completes, as its driver says, and the request
// in the form that DPDK's drivers want (rte_mbuf_core.h, RTE_MBUF_F_TX_TCP_SEG and TX_TUNNEL_*). Pure
// functions; the forms are changed by the worker that owns the packet, whose data must not be shared.
#pragma once

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <cstdint>

#include "switch/offload.h"

namespace podswitch {

struct EthTxOffloads {
  TxCaps caps;
  uint64_t flags = 0;  // RTE_ETH_TX_OFFLOAD_* to configure the device with
};
EthTxOffloads tx_offloads_of(const rte_eth_dev_info& info);

// Whether the packet's request has another form for a driver than inside the switch.
inline bool has_device_form(uint64_t ol_flags) noexcept {
  return (ol_flags & kOffloadMask) != 0 &&
         (ol_flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TUNNEL_MASK)) != 0;
}
// l2_len without the outer lengths; for segmentation the TCP checksum field without the length, and IPv4
// header checksums left to the device.
void to_device_form(rte_mbuf& packet) noexcept;
// Undoes it, but for checksums that are made anew anyway: an outer UDP header's, a super frame's IPv4 ones.
void from_device_form(rte_mbuf& packet) noexcept;

}  // namespace podswitch
