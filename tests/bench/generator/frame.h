// SPDX-License-Identifier: Apache-2.0
// The frames' layout: Ethernet, IP, UDP or TCP, the stamp, and a payload that is the same in every frame. All
// lengths are wire bytes, without FCS. Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "switch/net/headers.h"
#include "tests/bench/generator/trial.h"

namespace podswitch::bench {

using be64_t = BigEndian<uint64_t>;

// Identifies a frame within its stream; right behind the layer 4 header.
struct Stamp {
  be16_t trial;     // so that a late frame of an earlier trial is known
  be32_t flow;      // from 0
  be32_t sequence;  // within the flow, from 0
  be64_t tsc;       // when it was sent; 0: not a frame to measure
};
static_assert(sizeof(Stamp) == 18);

template <Protocol kProtocol>
struct Layout {
  static constexpr bool kV6 = kProtocol == Protocol::Udp6 || kProtocol == Protocol::Tcp6;
  static constexpr bool kTcp = kProtocol == Protocol::Tcp4 || kProtocol == Protocol::Tcp6;
  using Ip = std::conditional_t<kV6, net::Ipv6Header, net::Ipv4Header>;
  using L4 = std::conditional_t<kTcp, net::TcpHeader, net::UdpHeader>;

  struct Head {
    net::EtherHeader ether;
    Ip ip;
    L4 l4;
    Stamp stamp;
  };
  static constexpr size_t kL4At = offsetof(Head, l4);
  static constexpr size_t kStampAt = offsetof(Head, stamp);
  // What is copied at once; the rest of the last 16 bytes is payload.
  static constexpr size_t kBlock = (sizeof(Head) + 15) / 16 * 16;
};
inline constexpr size_t kLargestBlock = Layout<Protocol::Tcp6>::kBlock;

// Calls visit.operator()<PROTOCOL>().
template <typename Visit>
decltype(auto) with_protocol(Protocol protocol, Visit&& visit) {
  switch (protocol) {
    case Protocol::Tcp4:
      return visit.template operator()<Protocol::Tcp4>();
    case Protocol::Udp6:
      return visit.template operator()<Protocol::Udp6>();
    case Protocol::Tcp6:
      return visit.template operator()<Protocol::Tcp6>();
    default:
      return visit.template operator()<Protocol::Udp4>();
  }
}

uint16_t smallest_frame(Protocol protocol);

inline constexpr uint16_t kLargestWireBytes = 9018 - kFcsBytes;

// What stands at each offset of a frame, counted from its first byte, unless a header or the stamp does.
const std::array<uint8_t, kLargestWireBytes>& payload();

// MAC number `index` of those behind the generator's port `port`.
inline MacAddress mac_behind(uint8_t port, uint32_t index) {
  return {{0x02, port, 0, static_cast<uint8_t>(index >> 16), static_cast<uint8_t>(index >> 8),
           static_cast<uint8_t>(index)}};
}

inline uint32_t as_number(const Ipv4Address& ip) {
  return be32_t::from_raw(ip.raw()).host();
}

// Turns a frame back to where it came from. Checksums stay right: their sums do not change.
template <Protocol kProtocol>
void swap_ends(uint8_t* frame) noexcept {
  auto& head = *reinterpret_cast<typename Layout<kProtocol>::Head*>(frame);
  std::swap(head.ether.source, head.ether.destination);
  std::swap(head.ip.source, head.ip.destination);
  std::swap(head.l4.source_port, head.l4.destination_port);
}

// A station's first words: with them a learning switch gets to know its MAC.
inline constexpr uint16_t kAnnouncementType = 0x88b5;  // IEEE 802, local experiments

}  // namespace podswitch::bench
