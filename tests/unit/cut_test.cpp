// SPDX-License-Identifier: Apache-2.0
// IPv4 packets that are larger than their next hop takes, from the route stage to the ports: 1 is a pod, 2
// one of a small MTU, 3 an uplink behind which a tunnel ends, 4 a trunk.
#include <gtest/gtest.h>

#include <map>

#include "pmd/transmitter.h"
#include "switch/net/headers.h"
#include "switch/net/tunnel.h"
#include "tests/unit/encap_rig.h"
#include "tests/unit/fake_port.h"
#include "tests/unit/provoked.h"
#include "tests/unit/rig.h"

namespace podswitch::test {
namespace {

constexpr std::string_view kGatewayMac = "02:00:00:00:00:fe";
constexpr std::string_view kMacA = "02:00:00:00:00:01", kMacB = "02:00:00:00:00:02";
constexpr PortId kPod = 1, kSmallPod = 2, kUplink = 3, kTrunk = 4;
constexpr uint16_t kDontFragment = 0x4000;

// What a receiver makes of IPv4 fragments that start at `l3` in their frames.
Bytes reassembled(const std::vector<Bytes>& frames, size_t l3) {
  std::map<size_t, Bytes> parts;
  for (const Bytes& frame : frames) {
    const size_t offset = ((frame.at(l3 + 6) & 0x1fu) * 256 + frame.at(l3 + 7)) * 8;
    parts[offset] = Bytes(frame.begin() + static_cast<ptrdiff_t>(l3) + 20, frame.end());
  }
  Bytes whole;
  for (const auto& [offset, part] : parts) {
    EXPECT_EQ(offset, whole.size());
    whole.insert(whole.end(), part.begin(), part.end());
  }
  return whole;
}

class CutTest : public testing::Test {
 protected:
  CutTest() : counters_(std::make_unique<PortCounterTable>()) {
    put(1, NextHop::Kind::Pod, kSmallPod, 1000);
    put(2, NextHop::Kind::Tunnel, kUplink, 1450);
    put(3, NextHop::Kind::Pod, kTrunk, 1000);
    put(4, NextHop::Kind::Pod, kPod, 1500);
    Routing routing;
    routing.next_hops = &next_hops_;
    routing.tables["default"] = Lpm::build(std::vector<Route>{{*Prefix::parse("10.1.0.0/16"), 4},
                                                              {*Prefix::parse("10.2.0.0/16"), 1},
                                                              {*Prefix::parse("10.3.0.0/16"), 2},
                                                              {*Prefix::parse("10.4.0.0/16"), 3}});
    const std::vector<BridgePort> ports{
        {.id = kPod, .mac = mac(kMacA)},
        {.id = kSmallPod, .mtu = 1000},
        {.id = kUplink, .network = "underlay"},
        {.id = kTrunk, .network = "tagged", .vlan = {VlanMode::Trunk, 0, {7}}, .mtu = 1000}};
    rig_ =
        std::make_unique<Rig>(ports, Gateway{mac(kGatewayMac), {*IpAddress::parse("10.1.0.254")}}, routing);
    view_.routes.resize(kMaxPorts);
    for (FakePort* port : {&small_, &uplink_, &trunk_}) view_.routes[port->id()] = {port, nullptr, 0};
  }

  void put(NextHopId id, NextHop::Kind kind, PortId port, uint16_t mtu) {
    auto hop = std::make_unique<NextHop>();
    hop->kind = kind;
    hop->port = port;
    hop->fid = static_cast<Fid>(port == kTrunk ? 3 : 1);
    hop->mtu = mtu;
    const MacAddress to = mac(kMacB), from = mac(kGatewayMac);
    std::copy_n(to.bytes.begin(), 6, hop->macs.begin());
    std::copy_n(from.bytes.begin(), 6, hop->macs.begin() + 6);
    if (kind == NextHop::Kind::Tunnel) hop->tunnel = *make_template(spec_of({.is_routed = true}));
    next_hops_.set(id, std::move(hop)).reset();
  }

  static Packet to(std::string_view destination, const Ipv4Fields& fields = {}) {
    return Packet().eth(kMacA, kGatewayMac).ipv4("10.1.0.1", destination, fields);
  }
  std::string verdict(const Packet& packet) { return rig_->send(kPod, packet).verdict(); }

  void carry_out(PacketPtr packet, rte_mempool& pool = packet_pool()) {
    Outcome outcome = rig_->send(kPod, std::move(packet));
    ASSERT_EQ(outcome.verdict(), "fragment");
    Burst burst;
    burst.in_port = kPod;
    burst.count = 1;
    burst.packets[0] = outcome.packet.release();
    burst.meta[0] = outcome.meta;
    burst.cuts[0] = outcome.cut;
    std::atomic<uint32_t> shared{1};
    IpIds ip_ids(shared);
    Transmitter transmitter(pool, *counters_, ip_ids);
    transmitter.hand_on(burst, view_, rig_->snapshot());
    transmitter.flush(view_);
  }
  static std::vector<Bytes> frames_of(const FakePort& port) {
    std::vector<Bytes> frames;
    for (const rte_mbuf* packet : port.sent) frames.push_back(bytes_of(*packet));
    return frames;
  }
  uint64_t dropped(DropReason reason) const {
    const uint64_t packets = (*counters_)[kPod].reasons[static_cast<size_t>(reason)].get();
    if (packets != 0) provoked_reasons().insert(reason);
    return packets;
  }

  FakeHost host_;
  FakePort small_{kSmallPod, host_}, uplink_{kUplink, host_}, trunk_{kTrunk, host_};
  NextHopTable next_hops_;
  std::unique_ptr<Rig> rig_;
  WorkerView view_;
  std::unique_ptr<PortCounterTable> counters_;
};

TEST_F(CutTest, OnlyWhatIsTooLargeAndMayBeCut) {
  EXPECT_EQ(verdict(to("10.2.0.1").udp(1, 2).payload(972)), "to 2");
  EXPECT_EQ(verdict(to("10.2.0.1").udp(1, 2).payload(973)), "fragment");
  EXPECT_EQ(verdict(to("10.2.0.1", {.fragment = kDontFragment}).udp(1, 2).payload(973)), "to 1");
  // The last fragment of a datagram of more than 65,535 bytes: nobody can put it together.
  EXPECT_EQ(verdict(to("10.2.0.1", {.fragment = 0x1fff}).payload(1000)), "mtu_exceeded");
}

TEST_F(CutTest, ToAPod) {
  const Packet whole = to("10.2.0.1", {.ttl = 60}).udp(1, 2).payload(2400);
  carry_out(whole.mbuf());
  const auto frames = frames_of(small_);
  ASSERT_EQ(frames.size(), 3u);
  for (const Bytes& frame : frames) {
    EXPECT_LE(frame.size(), 1014u);
    EXPECT_TRUE(std::equal(frame.begin(), frame.begin() + 6, mac(kMacB).bytes.begin()));
    EXPECT_EQ(frame.at(14 + 8), 59) << "TTL";
  }
  const Bytes sent = whole.bytes();
  EXPECT_EQ(text_of(reassembled(frames, 14)), text_of(Bytes(sent.begin() + 34, sent.end())));
}

TEST_F(CutTest, InFrontOfATunnelAndAllPiecesOnOnePath) {
  const Packet whole = to("10.3.0.1").udp(1000, 2).payload(2400);
  carry_out(whole.mbuf());
  Outcome fitting = rig_->send(kPod, to("10.3.0.1").udp(1000, 2).payload(10));
  ASSERT_EQ(fitting.verdict(), "to 3");
  constexpr size_t kSourcePort = 14 + 20;
  std::vector<Bytes> inner;
  ASSERT_EQ(uplink_.sent.size(), 2u);
  for (rte_mbuf* packet : uplink_.sent) {
    EXPECT_LE(packet->pkt_len, 1514u);
    EXPECT_EQ(std::memcmp(rte_pktmbuf_mtod_offset(packet, char*, kSourcePort),
                          rte_pktmbuf_mtod_offset(fitting.packet.get(), char*, kSourcePort), 2),
              0);
    const net::TunnelRead read =
        net::read_tunnel(*packet, net::kEtherTypeIpv4, 14, net::kVxlanPort, net::Encapsulation::Vxlan);
    ASSERT_EQ(read.verdict, net::TunnelVerdict::Tunnel);
    decapsulate(*packet, read.packet.inner_offset, read.packet.inner_length);
    inner.push_back(bytes_of(*packet));
  }
  const Bytes sent = whole.bytes();
  EXPECT_EQ(text_of(reassembled(inner, 14)), text_of(Bytes(sent.begin() + 34, sent.end())));
}

// Where routers of the underlay may fragment, each packet has an identification of its own.
TEST_F(CutTest, IdentifiesPiecesInTunnelsThatMayBeFragmented) {
  TunnelSpec spec = spec_of({.is_routed = true});
  spec.dont_fragment = DontFragment::Clear;
  auto hop = std::make_unique<NextHop>(next_hops_[2]);
  hop->tunnel = *make_template(spec);
  next_hops_.set(2, std::move(hop)).reset();
  const auto id_of = [](const rte_mbuf& packet) {
    return rte_pktmbuf_mtod_offset(&packet, const net::Ipv4Header*, 14)->id.host();
  };
  const Outcome one = rig_->send(kPod, to("10.3.0.1").udp(1, 2)),
                two = rig_->send(kPod, to("10.3.0.1").udp(1, 2));
  EXPECT_NE(id_of(*one.packet), id_of(*two.packet));
  carry_out(to("10.3.0.1").udp(1000, 2).payload(2400).mbuf());
  ASSERT_EQ(uplink_.sent.size(), 2u);
  EXPECT_NE(id_of(*uplink_.sent[0]), id_of(*uplink_.sent[1]));
}

TEST_F(CutTest, TaggedForATrunk) {
  carry_out(to("10.4.0.1").udp(1, 2).payload(1800).mbuf());
  const auto frames = frames_of(trunk_);
  ASSERT_EQ(frames.size(), 2u);
  for (const Bytes& frame : frames)
    EXPECT_EQ(Bytes(frame.begin() + 12, frame.begin() + 16), (Bytes{0x81, 0x00, 0x00, 0x07}));
}

// A guest's super frame of segments that are too large, without DF: cut into them, and those into fragments.
TEST_F(CutTest, SuperFrames) {
  Packet super = to("10.2.0.1").tcp(1, 2).payload(2800);
  super.partial_checksum();
  PacketPtr packet = super.mbuf();
  packet->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE | RTE_MBUF_F_RX_LRO;
  packet->tso_segsz = 1400;
  carry_out(std::move(packet));
  const auto frames = frames_of(small_);
  ASSERT_EQ(frames.size(), 4u);
  for (const Bytes& frame : frames) EXPECT_LE(frame.size(), 1014u);
  const Bytes first = reassembled({frames[0], frames[1]}, 14),
              second = reassembled({frames[2], frames[3]}, 14);
  EXPECT_EQ(first.size(), 1420u);
  EXPECT_EQ(second.size(), 1420u);
  const Bytes sent = super.bytes();
  EXPECT_EQ(text_of(Bytes(second.begin() + 20, second.end())), text_of(Bytes(sent.end() - 1400, sent.end())));
}

TEST_F(CutTest, WithoutBuffers) {
  rte_mempool* pool = rte_pktmbuf_pool_create("cut_test_tiny", 1, 0, 0, 2048 + RTE_PKTMBUF_HEADROOM, 0);
  ASSERT_NE(pool, nullptr);
  carry_out(to("10.2.0.1").udp(1, 2).payload(2400).mbuf(), *pool);
  EXPECT_TRUE(small_.sent.empty());
  EXPECT_EQ(dropped(DropReason::NoBuffer), 1u);
  EXPECT_EQ(rte_mempool_in_use_count(pool), 0u);
  rte_mempool_free(pool);
}

}  // namespace
}  // namespace podswitch::test
