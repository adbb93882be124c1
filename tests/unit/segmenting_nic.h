// SPDX-License-Identifier: Apache-2.0
// A NIC's transmit offloads in software, for tests: takes packets in the form that DPDK documents, complains
// about any other, and says what would be on the wire. Written apart from the switch's own segmentation.
#pragma once

#include <gtest/gtest.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <vector>

#include "tests/unit/packet_builder.h"

namespace podswitch::test {

class SegmentingNic {
 public:
  explicit SegmentingNic(const rte_mbuf& packet)
      : packet_(packet), frame_(bytes_of(packet)), flags_(packet.ol_flags) {
    l3_ = packet.l2_len + (is_tunnel() ? packet.outer_l2_len + packet.outer_l3_len : 0U);
    l4_ = l3_ + packet.l3_len;
    is_v4_ = has(RTE_MBUF_F_TX_IPV4);
  }

  std::vector<Bytes> on_the_wire() {
    check_form();
    if (!has(RTE_MBUF_F_TX_TCP_SEG)) {
      Bytes frame = frame_;
      complete(frame, l4_end(frame));
      complete_outer(frame);
      return {frame};
    }
    std::vector<Bytes> pieces;
    const size_t payload = l4_ + packet_.l4_len;
    for (size_t at = payload; at < frame_.size(); at += packet_.tso_segsz)
      pieces.push_back(piece(payload, at, pieces.size()));
    return pieces;
  }

 private:
  bool has(uint64_t flag) const { return (flags_ & flag) != 0; }
  bool is_tunnel() const { return has(RTE_MBUF_F_TX_TUNNEL_MASK); }
  bool is_tcp() const {
    return has(RTE_MBUF_F_TX_TCP_SEG) || (flags_ & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_TCP_CKSUM;
  }
  static size_t word(const Bytes& frame, size_t at) {
    return static_cast<size_t>(frame[at] << 8 | frame[at + 1]);
  }
  static void put(Bytes& frame, size_t at, size_t value) {
    frame[at] = static_cast<uint8_t>(value >> 8);
    frame[at + 1] = static_cast<uint8_t>(value);
  }
  static uint16_t fold(uint32_t sum) {
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>(sum);
  }

  size_t l4_end(const Bytes& frame) const {
    return is_v4_ ? l3_ + word(frame, l3_ + 2) : l3_ + 40 + word(frame, l3_ + 4);
  }
  uint16_t pseudo_header(const Bytes& frame, size_t length) const {
    const size_t addresses = is_v4_ ? l3_ + 12 : l3_ + 8;
    return fold(slow_sum(frame, addresses, addresses + (is_v4_ ? 8 : 32)) + (is_tcp() ? 6U : 17U) +
                static_cast<uint32_t>(length));
  }

  void check_form() const {
    EXPECT_EQ(frame_.at(l3_) >> 4, is_v4_ ? 4 : 6) << "l2_len points elsewhere";
    EXPECT_NE(has(RTE_MBUF_F_TX_IPV4), has(RTE_MBUF_F_TX_IPV6));
    const bool is_super = has(RTE_MBUF_F_TX_TCP_SEG);
    const size_t sum_at = l4_ + (is_tcp() ? 16 : 6);
    const size_t length = is_super ? 0 : l4_end(frame_) - l4_;
    EXPECT_EQ(word(frame_, sum_at), pseudo_header(frame_, length)) << "pseudo header";
    EXPECT_EQ(has(RTE_MBUF_F_TX_IP_CKSUM), is_super && is_v4_);
    if (is_super && is_v4_) {
      EXPECT_EQ(word(frame_, l3_ + 10), 0U);
    }
    if (is_super) {
      EXPECT_EQ(packet_.l4_len, frame_.at(l4_ + 12) / 16 * 4);
    }
    if (!is_tunnel()) return;
    EXPECT_NE(has(RTE_MBUF_F_TX_OUTER_IPV4), has(RTE_MBUF_F_TX_OUTER_IPV6));
    const bool outer_v4 = has(RTE_MBUF_F_TX_OUTER_IPV4);
    EXPECT_EQ(frame_.at(packet_.outer_l2_len) >> 4, outer_v4 ? 4 : 6);
    EXPECT_EQ(packet_.outer_l3_len, outer_v4 ? 20 : 40);
    EXPECT_EQ(has(RTE_MBUF_F_TX_OUTER_IP_CKSUM), is_super && outer_v4);
    if (has(RTE_MBUF_F_TX_OUTER_UDP_CKSUM)) {
      const size_t udp = packet_.outer_l2_len + packet_.outer_l3_len;
      EXPECT_EQ(word(frame_, udp + 6), outer_pseudo_header(frame_, is_super ? 0 : word(frame_, udp + 4)));
    }
    if (is_super && outer_v4) {
      EXPECT_EQ(word(frame_, packet_.outer_l2_len + 10U), 0U);
    }
  }

  // The inner checksum, where the pseudo header's sum lies.
  void complete(Bytes& frame, size_t end) const {
    const size_t at = l4_ + (is_tcp() ? 16 : 6);
    auto sum = static_cast<uint16_t>(~slow_sum(frame, l4_, end));
    if (!is_tcp() && sum == 0) sum = 0xffff;
    put(frame, at, sum);
  }

  uint16_t outer_pseudo_header(const Bytes& frame, size_t length) const {
    const size_t addresses = packet_.outer_l2_len + 8U;
    return fold(slow_sum(frame, addresses, addresses + 32) + 17U + static_cast<uint32_t>(length));
  }
  void complete_outer(Bytes& frame) const {
    if (!has(RTE_MBUF_F_TX_OUTER_UDP_CKSUM)) return;
    const size_t udp = packet_.outer_l2_len + packet_.outer_l3_len;
    const auto sum = static_cast<uint16_t>(~slow_sum(frame, udp, udp + word(frame, udp + 4)));
    put(frame, udp + 6, sum == 0 ? 0xffff : sum);
  }

  static void fix_ip(Bytes& frame, size_t at, size_t length, size_t index, bool is_v4) {
    if (!is_v4) return put(frame, at + 4, length - 40);
    put(frame, at + 2, length);
    put(frame, at + 4, word(frame, at + 4) + index);
    put(frame, at + 10, 0);
    put(frame, at + 10, static_cast<uint16_t>(~slow_sum(frame, at, at + (frame[at] & 15U) * 4)));
  }

  Bytes piece(size_t payload, size_t at, size_t index) const {
    const size_t end = std::min<size_t>(at + packet_.tso_segsz, frame_.size());
    Bytes out(frame_.begin(), frame_.begin() + static_cast<ptrdiff_t>(payload));
    out.insert(out.end(), frame_.begin() + static_cast<ptrdiff_t>(at),
               frame_.begin() + static_cast<ptrdiff_t>(end));
    fix_ip(out, l3_, out.size() - l3_, index, is_v4_);
    const size_t sequence = (word(out, l4_ + 4) << 16 | word(out, l4_ + 6)) + (at - payload);
    put(out, l4_ + 4, sequence >> 16);
    put(out, l4_ + 6, sequence);
    if (end < frame_.size()) out[l4_ + 13] &= static_cast<uint8_t>(~0x09);  // FIN and PSH are the last one's
    put(out, l4_ + 16, 0);
    put(out, l4_ + 16, pseudo_header(out, out.size() - l4_));
    complete(out, out.size());
    if (is_tunnel()) {
      const size_t outer = packet_.outer_l2_len, udp = outer + packet_.outer_l3_len;
      fix_ip(out, outer, out.size() - outer, index, has(RTE_MBUF_F_TX_OUTER_IPV4));
      put(out, udp + 4, out.size() - udp);
      if (has(RTE_MBUF_F_TX_OUTER_UDP_CKSUM)) put(out, udp + 6, outer_pseudo_header(out, out.size() - udp));
      complete_outer(out);
    }
    return out;
  }

  const rte_mbuf& packet_;
  const Bytes frame_;
  const uint64_t flags_;
  size_t l3_ = 0, l4_ = 0;
  bool is_v4_ = false;
};

}  // namespace podswitch::test
