// SPDX-License-Identifier: Apache-2.0
// The VXLAN headers (RFC 7348) in front of a frame: written as other nodes would, looked at when they arrive.
// Not changed once made: any thread.
#pragma once

#include <rte_mbuf.h>

#include "switch/net/headers.h"
#include "tests/bench/generator/trial.h"

namespace podswitch::bench {

struct OuterHead {
  net::EtherHeader ether;
  net::Ipv4Header ip;
  net::UdpHeader udp;
  net::VxlanHeader vxlan;
};
inline constexpr uint16_t kOuterBytes = sizeof(OuterHead);
static_assert(kOuterBytes == 50);

class Outer {
 public:
  // Of what the trial sends from this port.
  Outer(const Trial& trial, uint8_t from_port);

  // In front of `inner_bytes` of a flow that comes from this node, from 0.
  void write(uint8_t* to, uint16_t inner_bytes, uint32_t flow, uint32_t node) const noexcept;

  // Whether the packet has right headers of this kind in front, whoever they are from and to.
  static bool is_right(const rte_mbuf& packet) noexcept;

 private:
  OuterHead template_{};
  uint32_t ip_sum_;  // of all that does not change
};

}  // namespace podswitch::bench
