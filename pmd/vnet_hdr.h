// SPDX-License-Identifier: Apache-2.0
// The virtio-net header (virtio 1.1, 5.1.6) that the kernel puts before each frame of a tap or a packet
// socket, to and from an mbuf's offload flags. What is read is not trusted: bounds first. Called by the
// worker that owns the packet.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

namespace podswitch {

// <linux/virtio_net.h> is not C++. Native byte order, as both kernel interfaces have it by default.
struct VnetHeader {
  uint8_t flags;
  uint8_t gso_type;
  uint16_t header_length;
  uint16_t gso_size;
  uint16_t csum_start;
  uint16_t csum_offset;
};
static_assert(sizeof(VnetHeader) == 10);

inline constexpr uint8_t kVnetNeedsCsum = 1;
inline constexpr uint8_t kVnetGsoNone = 0;
inline constexpr uint8_t kVnetGsoTcp4 = 1;
inline constexpr uint8_t kVnetGsoTcp6 = 4;
inline constexpr uint8_t kVnetGsoEcn = 0x80;

// Receive: a partial checksum of the frame's own TCP, UDP or SCTP header becomes RTE_MBUF_F_RX_L4_CKSUM_NONE,
// any other (of a tunnel's inner header, of ICMP) is completed here; TCP segmentation becomes
// RTE_MBUF_F_RX_LRO with tso_segsz. False: the header does not fit the frame, or asks for what was never
// enabled. The packet's data must not be shared; it may be chained.
[[nodiscard]] bool apply_vnet_header(const VnetHeader& header, rte_mbuf& packet) noexcept;

// Send: the header for the packet's open request as switch/offload.h describes it; all zeros without one.
VnetHeader make_vnet_header(const rte_mbuf& packet) noexcept;

}  // namespace podswitch
