// SPDX-License-Identifier: Apache-2.0
// Packets to and from Services, one by one through the whole pipeline.
#include <gtest/gtest.h>

#include "switch/net/headers.h"
#include "tests/unit/service_rig.h"

namespace podswitch::test {
namespace {

constexpr uint8_t kSyn = 0x02, kSynAck = 0x12, kAck = 0x10;

class TranslateTest : public testing::Test {
 protected:
  TranslateTest()
      : rig_({{{ip(kVip), 80, Protocol::Tcp}, make_service(0, {{ip(kPods[3]), 8080}})},
              {{ip(kVip), 53, Protocol::Udp}, make_service(1, {{ip(kPods[3]), 5353}})},
              {{ip(kVip6), 53, Protocol::Udp}, make_service(2, {{ip(kPods6[3]), 5353}})},
              {{ip(kVip), 81, Protocol::Tcp}, make_service(3, {})}}) {}

  Outcome send(PortId in, const Packet& packet) { return rig_.rig().send(in, packet); }
  ServiceRig rig_;
};

Bytes bytes_of(const Outcome& outcome) {
  const rte_mbuf& packet = *outcome.packet;
  const auto* start = rte_pktmbuf_mtod(&packet, const uint8_t*);
  return {start, start + packet.data_len};
}

TEST_F(TranslateTest, AUdpPacketToAServiceReachesItsEndpointAndTheAnswerComesFromTheService) {
  const auto there = send(1, ServiceRig::from(1).ipv4(kPods[1], kVip, {.ttl = 64}).udp(4000, 53).payload(20));
  ASSERT_EQ(there.verdict(), "to 3");
  EXPECT_EQ(bytes_of(there), Packet()
                                 .eth(kGatewayMac, kPodMacs[3])
                                 .ipv4(kPods[1], kPods[3], {.ttl = 63})
                                 .udp(4000, 5353)
                                 .payload(20)
                                 .bytes());
  const auto back =
      send(3, ServiceRig::from(3).ipv4(kPods[3], kPods[1], {.ttl = 64}).udp(5353, 4000).payload(30));
  ASSERT_EQ(back.verdict(), "to 1");
  EXPECT_EQ(bytes_of(back), Packet()
                                .eth(kGatewayMac, kPodMacs[1])
                                .ipv4(kVip, kPods[1], {.ttl = 63})
                                .udp(53, 4000)
                                .payload(30)
                                .bytes());
}

}  // namespace
}  // namespace podswitch::test
