// SPDX-License-Identifier: Apache-2.0
// Checksum and segmentation requests. Inside the switch a packet's open request is kept in the mbuf the
// way a sender states it to an ethdev: RTE_MBUF_F_TX_{TCP,UDP,SCTP}_CKSUM or _TCP_SEG, IPV4/IPV6,
// l2_len, l3_len, l4_len, tso_segsz, with the pseudo-header sum already in the TCP/UDP checksum field
// (as virtio has it: for TSO too the sum covers the full length). l2_len counts from the frame's start.
// Inside a tunnel the request is about the inner packet, and RTE_MBUF_F_TX_TUNNEL_*, OUTER_IPV4/IPV6,
// outer_l2_len and outer_l3_len say so; OUTER_UDP_CKSUM: the outer UDP checksum waits for the inner one.
// Still l2_len counts from the frame's start (an ethdev wants it without the outer lengths). The outer
// lengths of a super frame are those of the whole, or the largest possible; segment() gives each piece its
// own.
// Called by the worker that owns the packet.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "switch/burst.h"

namespace podswitch {

// What the receiver of a packet can be handed as it is.
struct TxCaps {
  bool checksum : 1 = false;  // partial TCP and UDP checksums
  bool tso4 : 1 = false;
  bool tso6 : 1 = false;
  bool tso_ecn : 1 = false;          // TSO frames that carry CWR
  bool multi_segment : 1 = true;     // chained mbufs
  bool tunnel_checksum : 1 = false;  // partial checksums inside a tunnel
  bool outer_checksum : 1 = false;   // the outer UDP checksum that waits for them
  bool vxlan_tso : 1 = false;
  bool geneve_tso : 1 = false;
};

inline constexpr uint64_t kOffloadMask = RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG;
inline constexpr uint32_t kMaxL2Length = 127 - 4;  // 7 bits, and push_vlan may add a tag
// A smaller one would let one guest's frame become thousands.
inline constexpr uint16_t kMinSegmentSize = 48;

inline bool has_open_request(const rte_mbuf& packet) noexcept {
  return (packet.ol_flags & kOffloadMask) != 0;
}

// Bytes of layer 4, header included, of a packet with an open request, as its IP header counts them: the
// frame may be padded behind it.
uint32_t l4_length(const rte_mbuf& packet) noexcept;

// Forgets a packet's request and what its receive side said; keeps what says who owns the buffer.
inline void clear_offload_request(rte_mbuf& packet) noexcept {
  packet.ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT;
}

// Turns what the receive side said (RX_L4_CKSUM_NONE: partial checksum; RX_LRO besides, with tso_segsz: a
// super frame) into the form above, all of it checked against the frame. False: the request does not fit
// it. `meta` has l3_offset and ether_type. Packets without a request only lose their receive flags; a super
// frame of one segment becomes a partial checksum.
[[nodiscard]] bool adopt_offload_request(rte_mbuf& packet, const PacketMeta& meta) noexcept;

// True when the receiver can complete the packet's partial checksum, and the outer one that waits for it.
// SCTP's CRC32c fits no virtio header.
bool takes_checksum(const rte_mbuf& packet, const TxCaps& caps) noexcept;

// True when `packet` can go to a receiver with `caps` untouched. A partial SCTP checksum never can.
bool fits(const rte_mbuf& packet, const TxCaps& caps) noexcept;

// Completes a partial checksum in place; the mbuf may be chained, but headers lie in its first segment
// and its data is not shared. Clears the request.
void complete_checksum(rte_mbuf& packet) noexcept;

// Writes the checksum of the outer UDP header at `udp_offset` (bytes from the frame's start, as is
// `l3_offset`) over IPv6: it covers all that lies behind it, as it is now.
void complete_outer_checksum(rte_mbuf& packet, uint32_t l3_offset, uint32_t udp_offset) noexcept;

// Cuts a TSO frame into segments of at most tso_segsz bytes of payload, checksums complete, each in
// fresh mbufs from `pool` (chained when larger than a buffer). Writes up to `max` packets to `out` and
// returns their number, or 0 when `pool` ran dry, has too small buffers for the headers, or `max` was too
// small (then nothing is kept). The original is left to the caller.
uint16_t segment(const rte_mbuf& packet, rte_mempool& pool, rte_mbuf** out, uint16_t max) noexcept;

// The number of packets segment() would make.
uint16_t segment_count(const rte_mbuf& packet) noexcept;

// A deep copy (chained as needed, headers in the first segment, offload request kept), or nullptr when
// `pool` ran dry.
rte_mbuf* copy_packet(const rte_mbuf& packet, rte_mempool& pool) noexcept;

// Inserts an 802.1Q tag behind the MACs; adjusts l2_len of an open request. False: no headroom.
[[nodiscard]] bool push_vlan(rte_mbuf& packet, uint16_t tci) noexcept;
// Removes the outermost tag, which the caller has seen to be there in the first segment.
void pop_vlan(rte_mbuf& packet) noexcept;

}  // namespace podswitch
