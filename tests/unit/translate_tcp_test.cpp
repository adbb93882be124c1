// SPDX-License-Identifier: Apache-2.0
// Which backend a packet gets while connections begin, go on and end, backends and routes change, time
// passes, and the table of flows fills.
#include <gtest/gtest.h>

#include <set>

#include "tests/unit/service_rig.h"

namespace podswitch::test {
namespace {

ServiceChanges services(std::vector<uint16_t> ports) {
  ServiceChanges all;
  ServiceId id = 0;
  for (const Family& f : kFamilies)
    for (const Protocol protocol : {Protocol::Tcp, Protocol::Udp}) {
      std::vector<Backend> backends;
      for (const uint16_t port : ports) backends.push_back({ip(f.pods[3]), port});
      all.push_back({{ip(f.vip), 80, protocol}, make_service(id++, backends)});
    }
  return all;
}

class TranslateTcpTest : public testing::TestWithParam<bool> {
 protected:
  TranslateTcpTest() : rig_(services({8080})) {}
  Outcome send(uint16_t port, uint8_t flags) {
    auto packet = f_.sent(1, f_.pods[1], f_.vip);
    return rig_.send(1, packet.tcp(port, 80, {.flags = flags}));
  }
  Outcome answer(uint16_t port, uint8_t flags, uint16_t from = 8080) {
    auto packet = f_.sent(3, f_.pods[3], f_.pods[1]);
    return rig_.send(3, packet.tcp(from, port, {.flags = flags}));
  }
  // The endpoint's port that the packet left for.
  uint16_t backend_of(const Outcome& outcome) const {
    EXPECT_EQ(outcome.verdict(), "to 3");
    const Bytes frame = bytes_of(*outcome.packet);
    const size_t l4 = 14 + (f_.is_v6 ? 40 : 20);
    return static_cast<uint16_t>(frame[l4 + 2] << 8 | frame[l4 + 3]);
  }
  FlowState state_of(uint16_t port) {
    const FlowKey key = FlowKey::of(ip(f_.pods[1]), port, ip(f_.vip), 80, net::kProtoTcp, 1);
    const auto found = rig_.rig().flows().find(rig_.rig().flows().hash(key), key);
    if (!found) return FlowState::Free;
    return rig_.rig().flows().read(found.slot, 1)->state;
  }
  void open(uint16_t port) {
    send(port, kSyn);
    answer(port, kSynAck);
    send(port, kAck);
    ASSERT_EQ(state_of(port), FlowState::TcpEstablished);
  }

  const Family& f_ = GetParam() ? kV6 : kV4;
  ServiceRig rig_;
};
INSTANTIATE_TEST_SUITE_P(BothFamilies, TranslateTcpTest, testing::Bool());

TEST_P(TranslateTcpTest, ASegmentWithoutAConnectionIsDroppedAndBeginsNothing) {
  for (const uint8_t flags : {kAck, kSynAck, kFinAck, kRst, uint8_t{0}, uint8_t{kSyn | kRst}})
    EXPECT_EQ(send(4000, flags).verdict(), "service_no_connection") << unsigned{flags};
  EXPECT_EQ(state_of(4000), FlowState::Free);
}

TEST_P(TranslateTcpTest, AConnectionKeepsItsBackendWhateverBecomesOfTheService) {
  open(4000);
  rig_.set_services(services({9090}));
  EXPECT_EQ(backend_of(send(4000, kAck)), 8080);
  EXPECT_EQ(answer(4000, kAck).verdict(), "to 1");
  EXPECT_EQ(backend_of(send(4001, kSyn)), 9090);
  rig_.set_services(services({}));
  EXPECT_EQ(backend_of(send(4000, kAck)), 8080);
  EXPECT_EQ(backend_of(send(4001, kSyn)), 9090);
  rig_.set_services(ServiceChanges{});  // and when the last one goes
  EXPECT_EQ(backend_of(send(4000, kAck)), 8080);
  EXPECT_EQ(answer(4000, kAck).verdict(), "to 1");
}

TEST_P(TranslateTcpTest, ASynBeginsAnewWhatIsOverMaybeWithAnotherBackend) {
  const auto close = [&](uint16_t port) {
    send(port, kFinAck);
    answer(port, kFinAck);
    send(port, kAck);
  };
  open(4000);
  close(4000);
  ASSERT_EQ(state_of(4000), FlowState::TcpTimeWait);
  open(4001);
  answer(4001, kRst);
  ASSERT_EQ(state_of(4001), FlowState::TcpClose);
  open(4002);
  rig_.set_services(services({9090}));
  EXPECT_EQ(backend_of(send(4000, kAck)), 8080);  // a last segment sent again
  EXPECT_EQ(backend_of(send(4000, kSyn)), 9090);
  EXPECT_EQ(backend_of(send(4001, kSyn)), 9090);
  EXPECT_EQ(backend_of(send(4002, kSyn)), 8080);  // is not over
  EXPECT_EQ(answer(4000, kSynAck, 9090).verdict(), "to 1");
  EXPECT_EQ(state_of(4000), FlowState::TcpSynReceived);
}

TEST_P(TranslateTcpTest, WhatWasSilentForTooLongIsForgotten) {
  send(4000, kSyn);
  open(4001);
  rig_.rig().pass_seconds(120);
  EXPECT_EQ(backend_of(send(4000, kSyn)), 8080);
  rig_.rig().pass_seconds(121);
  rig_.set_services(services({9090}));
  EXPECT_EQ(send(4000, kAck).verdict(), "service_no_connection");
  EXPECT_EQ(backend_of(send(4000, kSyn)), 9090);
  EXPECT_EQ(backend_of(send(4001, kAck)), 8080);
  rig_.rig().pass_seconds(86400);
  EXPECT_EQ(backend_of(send(4001, kAck)), 8080);
  rig_.rig().pass_seconds(86401);
  EXPECT_EQ(send(4001, kAck).verdict(), "service_no_connection");
}

TEST_P(TranslateTcpTest, TheNextHopIsLookedForAgainWhenTheRoutesHaveChanged) {
  open(4000);
  rig_.set_pod_hop(7, 2, 1500);
  rig_.set_route(f_.pods[3], 7);
  rig_.set_services(services({8080}), 1);
  EXPECT_EQ(send(4000, kAck).verdict(), "to 3");
  rig_.set_services(services({8080}), 2);
  EXPECT_EQ(send(4000, kAck).verdict(), "to 2");
  EXPECT_EQ(send(4000, kAck).verdict(), "to 2");
}

TEST_P(TranslateTcpTest, AFullTableGivesUpWhatNobodyAnsweredAndThenDropsWhatIsNew) {
  for (uint16_t i = 0; i < kMinFlows; ++i) ASSERT_EQ(send(2000 + i, kSyn).verdict(), "to 3");
  EXPECT_EQ(rig_.rig().local().flow_figures.evicted.get(), 0u);
  for (uint16_t i = 0; i < kMinFlows; ++i) open(20000 + i);
  EXPECT_EQ(rig_.rig().local().flow_figures.evicted.get(), kMinFlows);
  EXPECT_EQ(send(4000, kSyn).verdict(), "flow_table_full");
  EXPECT_EQ(rig_.rig().local().flow_figures.refused.get(), 1u);
  for (uint16_t i = 0; i < kMinFlows; ++i) ASSERT_EQ(send(20000 + i, kAck).verdict(), "to 3");
  // A direct packet to an endpoint goes on its way.
  auto direct = f_.sent(1, f_.pods[1], f_.pods[3]);
  auto arrives = f_.received(3, f_.pods[1], f_.pods[3]);
  expect_out(rig_.send(1, direct.tcp(4000, 8080, {.flags = kSyn})), "to 3",
             arrives.tcp(4000, 8080, {.flags = kSyn}));
}

// Its port is among the 511 lowest, and all of them are in use towards the one backend.
TEST_P(TranslateTcpTest, AConnectionForWhichNoSourcePortIsLeftIsDropped) {
  ServiceChanges two = services({8080});
  two.push_back({{ip(f_.other_vip), 80, Protocol::Tcp}, make_service(9, {{ip(f_.pods[3]), 8080}})});
  rig_.set_services(two);
  for (uint16_t port = 1; port < 512; ++port) ASSERT_EQ(send(port, kSyn).verdict(), "to 3");
  auto packet = f_.sent(1, f_.pods[1], f_.other_vip);
  EXPECT_EQ(rig_.send(1, packet.tcp(300, 80, {.flags = kSyn})).verdict(), "flow_no_port");
  EXPECT_EQ(rig_.rig().local().flow_figures.refused.get(), 1u);
  auto another = f_.sent(1, f_.pods[1], f_.other_vip);
  EXPECT_EQ(rig_.send(1, another.tcp(600, 80, {.flags = kSyn})).verdict(), "to 3");
}

TEST_P(TranslateTcpTest, AllBackendsGetConnectionsAndAClientsPortAlwaysTheSameOne) {
  rig_.set_services(services({9001, 9002, 9003, 9004}));
  std::map<uint16_t, uint16_t> backends;
  std::set<uint16_t> seen;
  for (uint16_t port = 2000; port < 2100; ++port) seen.insert(backends[port] = backend_of(send(port, kSyn)));
  EXPECT_EQ(seen.size(), 4u);
  rig_.rig().pass_seconds(1000);
  for (uint16_t port = 2000; port < 2100; ++port) EXPECT_EQ(backend_of(send(port, kSyn)), backends[port]);
}

TEST_P(TranslateTcpTest, ABurstOfManyFlowsIsTranslatedPacketByPacket) {
  std::vector<PacketPtr> packets;
  for (uint16_t i = 0; i < kBurstSize; ++i) {
    auto packet = f_.sent(1, f_.pods[1], i % 3 == 0 ? f_.pods[2] : f_.vip);
    packets.push_back(packet.tcp(4000 + i / 2, 80, {.flags = kSyn}).mbuf());
  }
  const auto outcomes = rig_.rig().send_together(1, std::move(packets));
  for (uint16_t i = 0; i < kBurstSize; ++i) {
    auto arrives =
        i % 3 == 0 ? f_.received(2, f_.pods[1], f_.pods[2]) : f_.received(3, f_.pods[1], f_.pods[3]);
    expect_out(outcomes[i], i % 3 == 0 ? "to 2" : "to 3",
               arrives.tcp(4000 + i / 2, i % 3 == 0 ? 80 : 8080, {.flags = kSyn}));
  }
}

}  // namespace
}  // namespace podswitch::test
