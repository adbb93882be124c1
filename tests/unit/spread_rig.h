// SPDX-License-Identifier: Apache-2.0
// What the tests of spreading share: a worker's ways to others, and numbered packets of flows as decapsulate
// leaves them.
#pragma once

#include <cstring>
#include <memory>
#include <vector>

#include "switch/net/flow_hash.h"
#include "switch/spreader.h"
#include "tests/unit/packet_builder.h"

namespace podswitch::test {

inline constexpr PortId kUplink = 2;
inline constexpr uint16_t kSelf = 0;

// Worker 0 with ways to `others` more.
class Mesh {
 public:
  explicit Mesh(unsigned others) : rings_(others + 1), bells_(others + 1) {
    std::vector<Spreader::Way> ways{{}};
    for (unsigned i = 1; i <= others; ++i) {
      rings_[i] = std::make_unique<HandOverRing>();
      ways.push_back({rings_[i].get(), &bells_[i]});
    }
    spreader = std::make_unique<Spreader>(kSelf, ways);
  }
  HandOverRing& ring(unsigned worker) { return *rings_[worker]; }
  Doorbell& bell(unsigned worker) { return bells_[worker]; }
  unsigned owned_by(uint16_t worker) const {
    unsigned shares = 0;
    for (uint16_t i = 0; i < Spreader::kShares; ++i) shares += spreader->wanted(i) == worker ? 1 : 0;
    return shares;
  }

  std::unique_ptr<Spreader> spreader;

 private:
  std::vector<std::unique_ptr<HandOverRing>> rings_;
  std::vector<Doorbell> bells_;
};

// A packet of a flow as decapsulate leaves it, with its number in the flow.
struct Numbered {
  uint32_t flow, number;
};
inline Packet inner(uint32_t flow) {
  return Packet()
      .eth("02:00:00:00:00:aa", "02:00:00:00:00:bb")
      .ipv4("10.1.0.1", "10.2.0.1")
      .udp(static_cast<uint16_t>(1000 + flow), 53)
      .payload(sizeof(Numbered));
}
inline char* number_in(rte_mbuf& packet) {
  return rte_pktmbuf_mtod_offset(&packet, char*, packet.data_len - sizeof(Numbered));
}
inline Numbered number_of(rte_mbuf& packet) {
  Numbered number;
  std::memcpy(&number, number_in(packet), sizeof number);
  return number;
}
inline void set_number(rte_mbuf& packet, const Numbered& number) {
  std::memcpy(number_in(packet), &number, sizeof number);
}
inline PacketMeta decapsulated(const rte_mbuf&) {
  PacketMeta meta{};
  meta.fid = 7;
  meta.ether_type = 0x0800;
  meta.l3_offset = 14;
  meta.verdict = Verdict::Route;
  return meta;
}
inline uint16_t share_of(const rte_mbuf& packet) {
  return static_cast<uint16_t>(net::flow_hash(packet, 0x0800, 14) % Spreader::kShares);
}

}  // namespace podswitch::test
