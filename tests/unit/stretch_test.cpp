// SPDX-License-Identifier: Apache-2.0
// Two networks stretched over two nodes, with the same addresses in both. On each node port 1 is a pod in
// network blue, port 4 one in red, port 2 the uplink, port 3 the host's; port 5 is a trunk of guests in blue
// whose MACs nobody gave.
#include <gtest/gtest.h>

#include "pmd/routing.h"
#include "pmd/transmitter.h"
#include "pmd/underlay.h"
#include "switch/net/headers.h"
#include "tests/unit/fake_port.h"
#include "tests/unit/provoked.h"
#include "tests/unit/rig.h"

namespace podswitch::test {
namespace {

constexpr std::string_view kGatewayMac = "02:00:00:00:00:fe", kGuestMac = "02:00:00:00:09:09";
constexpr std::string_view kNicOne = "02:00:00:00:11:01", kNicTwo = "02:00:00:00:11:02";
constexpr std::string_view kPodOne = "02:00:00:00:00:01", kPodTwo = "02:00:00:00:00:02";
constexpr PortId kBlue = 1, kUplink = 2, kHost = 3, kRed = 4, kGuests = 5;
constexpr uint32_t kBlueVni = 100, kRedVni = 0xabcdef;
constexpr size_t kVxlan = 14 + 20 + 8, kInner = kVxlan + 8;

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

class Node {
 public:
  explicit Node(int number, net::Encapsulation encapsulation = net::Encapsulation::Vxlan, uint16_t mtu = 1500)
      : planner_("n", OverlayOptions{.encapsulation = encapsulation, .vtep_mac = {}}, Gateway{}) {
    PortSpec uplink;
    uplink.name = "uplink";
    uplink.role = PortRole::Uplink;
    uplink.network = "underlay";
    uplink.mac = mac(number == 1 ? kNicOne : kNicTwo);
    uplink.mtu = mtu;
    uplink.underlay = {*PrefixedAddress::parse(number == 1 ? "192.0.2.1/24" : "192.0.2.2/24")};
    const IpAddress peer = ip(number == 1 ? "192.0.2.2" : "192.0.2.1");
    Nodes nodes;
    nodes["peer"] = std::make_shared<const NodeSpec>(
        NodeSpec{.name = "peer", .vteps = {peer}, .vtep_mac = {}, .pod_cidrs = {}});
    auto plan = planner_.plan({{kUplink, &uplink}}, nodes, {}, {{"blue", kBlueVni}, {"red", kRedVni}}, fids_);
    underlay_.set(plan.uplink, plan.hops, 1);
    underlay_.heard(peer, mac(number == 1 ? kNicTwo : kNicOne), 1);
    plan.routing.next_hops = &table_;
    peer_ = plan.routing.tunnel->peers.at(0).hop;
    const MacAddress pod = mac(number == 1 ? kPodOne : kPodTwo);
    const std::vector<BridgePort> ports{
        {.id = kBlue, .network = "blue", .mac = pod},
        {.id = kRed, .network = "red", .mac = pod},
        {.id = kUplink, .network = "underlay", .mtu = mtu, .allow_spoofing = true, .is_uplink = true},
        {.id = kHost, .network = "underlay", .mac = uplink.mac},
        {.id = kGuests, .network = "blue"}};
    rig_ = std::make_unique<Rig>(ports, Gateway{mac(kGatewayMac), {ip("10.0.0.254")}}, plan.routing);
  }

  Rig& rig() { return *rig_; }
  NextHopId peer() const { return peer_; }
  uint64_t key(std::string_view address, PortId port = kBlue) const {
    return fdb_key(mac(address).as_u64(), rig_->snapshot().ports[port].fid);
  }
  // "to 1", "flood", or the reason, which is noted as seen.
  std::string send(PortId in, PacketPtr packet) {
    last_ = rig_->send(in, std::move(packet));
    if (last_.meta.verdict == Verdict::Drop) provoked_reasons().insert(last_.meta.reason);
    rig_->apply_learned();
    return last_.verdict();
  }
  std::string send(PortId in, const Packet& packet) { return send(in, packet.mbuf()); }
  PacketPtr take() { return std::move(last_.packet); }
  const Outcome& last() const { return last_; }

 private:
  FidMap fids_;
  RoutePlanner planner_;
  NextHopTable table_;
  NeighbourTable link_hosts_{{.capacity = 64}};
  Underlay underlay_{table_, link_hosts_, packet_pool(),
                     [](PortId, rte_mbuf* packet) { rte_pktmbuf_free(packet); }};
  NextHopId peer_ = kNoNextHop;
  std::unique_ptr<Rig> rig_;
  Outcome last_;
};

Packet frame(std::string_view from = kPodOne, std::string_view to = kPodTwo) {
  return Packet().eth(from, to).ipv4("10.0.0.1", "10.0.0.2", {.ttl = 60}).udp(1000, 53).payload(40);
}

// `packet` as node 1 wraps it for node 2, which it knows to have the destination.
PacketPtr wrapped(Node& one, const Packet& packet, PortId in = kBlue, std::string_view to = kPodTwo) {
  one.rig().remote_fdb().learn(one.key(to, in), one.peer(), 1);
  EXPECT_EQ(one.send(in, packet), "to 2");
  return one.take();
}

TEST(Stretch, CarriesAFrameAsItIs) {
  for (const auto encapsulation : {net::Encapsulation::Vxlan, net::Encapsulation::Geneve})
    for (const PortId pod : {kBlue, kRed}) {
      Node one(1, encapsulation), two(2, encapsulation);
      PacketPtr packet = wrapped(one, frame(), pod);
      const auto* vni = rte_pktmbuf_mtod_offset(packet.get(), const be32_t*, kInner - 4);
      EXPECT_EQ(vni->host() >> 8, pod == kBlue ? kBlueVni : kRedVni);
      EXPECT_EQ(two.send(kUplink, std::move(packet)), "to " + std::to_string(pod));
      EXPECT_EQ(text_of(*two.last().packet), text_of(frame().bytes()));
      // Node 2 knows now where the answer goes, in this network only.
      EXPECT_EQ(two.send(pod, frame(kPodTwo, kPodOne)), "to 2");
      EXPECT_EQ(two.send(pod == kBlue ? kRed : kBlue, frame(kPodTwo, kPodOne)), "flood");
    }
}

TEST(Stretch, FloodsWhatNobodyHasSent) {
  Node one(1);
  EXPECT_EQ(one.send(kBlue, frame()), "flood");
  EXPECT_EQ(one.send(kRed, frame()), "flood");  // no other port here, but other nodes
  EXPECT_EQ(one.send(kBlue, frame(kPodOne, kBroadcastMac)), "flood");
}

TEST(Stretch, FloodsFromATunnelToPodsAlone) {
  Node one(1), two(2);
  EXPECT_EQ(two.send(kUplink, wrapped(one, frame(kPodOne, "02:00:00:00:77:77"), kBlue, "02:00:00:00:77:77")),
            "flood");
  // Known behind a tunnel, and still not sent into one.
  two.rig().remote_fdb().learn(two.key("02:00:00:00:77:77"), two.peer(), 1);
  EXPECT_EQ(two.send(kUplink, wrapped(one, frame(kPodOne, "02:00:00:00:77:77"), kBlue, "02:00:00:00:77:77")),
            "flood");
}

TEST(Stretch, FollowsAMacFromOneNodeToTheOther) {
  Node one(1), two(2);
  EXPECT_EQ(two.send(kGuests, frame(kGuestMac, kPodTwo)), "to 1");  // learned here
  EXPECT_EQ(two.send(kBlue, frame(kPodTwo, kGuestMac)), "to 5");
  EXPECT_EQ(two.send(kUplink, wrapped(one, frame(kGuestMac, kPodTwo), kGuests)), "to 1");
  EXPECT_EQ(two.rig().remote_fdb().find(two.key(kGuestMac)).hop(), two.peer());
}

TEST(Stretch, RefusesAPodOfThisNodeFromATunnel) {
  constexpr std::string_view kElsewhere = "02:00:00:00:77:77";
  Node liar(1), one(1), two(2);
  EXPECT_EQ(two.send(kUplink, wrapped(liar, frame(kPodTwo, kElsewhere), kGuests, kElsewhere)),
            "tunnel_source");
  // Likewise whom the operator has put behind another VTEP.
  two.rig().remote_fdb().add_static(two.key(kGuestMac), two.peer() + 1);
  EXPECT_EQ(two.send(kUplink, wrapped(one, frame(kGuestMac, kPodTwo), kGuests)), "tunnel_source");
  two.rig().remote_fdb().add_static(two.key(kGuestMac), two.peer());
  EXPECT_EQ(two.send(kUplink, wrapped(one, frame(kGuestMac, kPodTwo), kGuests)), "to 1");
}

TEST(Stretch, RefusesWhatNoFrameOfAPodWouldBe) {
  Node one(1), two(2);
  const auto changed = [&](size_t offset, uint8_t value) {
    PacketPtr packet = wrapped(one, frame());
    *rte_pktmbuf_mtod_offset(packet.get(), uint8_t*, offset) = value;
    return packet;
  };
  EXPECT_EQ(two.send(kUplink, changed(kVxlan + 6, 101)), "tunnel_vni_unknown");
  EXPECT_EQ(two.send(kUplink, changed(kInner + 6, 0x03)), "source_mac_invalid");
  EXPECT_EQ(two.send(kUplink, changed(kInner + 12, 0x81)), "vlan_tagged");
  const auto to = [&](std::string_view address) {
    PacketPtr packet = wrapped(one, frame());
    *rte_pktmbuf_mtod_offset(packet.get(), MacAddress*, kInner) = mac(address);
    return packet;
  };
  EXPECT_EQ(two.send(kUplink, to(kGatewayMac)), "tunnel_not_for_us");
  EXPECT_EQ(two.send(kUplink, to("01:80:c2:00:00:0e")), "reserved_group");
}

// Who was heard through a tunnel is not asked for on every node again.
TEST(Stretch, AnswersForWhomItHasHeardThroughATunnel) {
  Node one(1), two(2);
  const auto arp = [](std::string_view from, std::string_view ip_from, std::string_view ip_to) {
    return Packet().eth(from, kBroadcastMac).arp(1, from, ip_from, kZeroMac, ip_to);
  };
  // `packet` of the guest on node 1, as it comes out of the tunnel.
  const auto through_tunnel = [&](Packet packet) {
    Node fresh(1);
    fresh.rig().remote_fdb().learn(fresh.key(kPodTwo, kGuests), fresh.peer(), 1);
    return two.send(kUplink, wrapped(fresh, packet, kGuests));
  };
  const auto reply = [](std::string_view ip_from) {
    return Packet().eth(kGuestMac, kPodTwo).arp(2, kGuestMac, ip_from, kPodTwo, "10.0.0.2");
  };
  EXPECT_EQ(two.send(kBlue, arp(kPodTwo, "10.0.0.2", "10.0.0.9")), "flood");
  EXPECT_EQ(through_tunnel(reply("10.0.0.9")), "to 1");
  EXPECT_EQ(two.send(kBlue, arp(kPodTwo, "10.0.0.2", "10.0.0.9")), "to 1");
  const auto* answer = rte_pktmbuf_mtod_offset(two.last().packet.get(), const net::ArpPacket*, 14);
  EXPECT_EQ(answer->sender_mac, mac(kGuestMac));
  EXPECT_EQ(answer->operation, be16_t(net::kArpReply));
  EXPECT_EQ(two.rig().neighbour_answers(), 1u);
  EXPECT_EQ(two.send(kRed, arp(kPodTwo, "10.0.0.2", "10.0.0.9")), "flood");  // another network

  // Somebody here says to have it: both are asked.
  EXPECT_EQ(two.send(kGuests, arp("02:00:00:00:08:08", "10.0.0.9", "10.0.0.77")), "flood");
  EXPECT_EQ(two.send(kBlue, arp(kPodTwo, "10.0.0.2", "10.0.0.9")), "flood");
  EXPECT_EQ(through_tunnel(reply("10.0.0.9")), "to 1");
  // It has moved here, and probes whether its address is taken.
  EXPECT_EQ(two.send(kGuests, arp(kGuestMac, "0.0.0.0", "10.0.0.9")), "flood");
  // A MAC that is behind no tunnel any more is no answer.
  two.rig().remote_fdb().remove(two.key(kGuestMac));
  EXPECT_EQ(two.send(kBlue, arp(kPodTwo, "10.0.0.2", "10.0.0.9")), "flood");
  two.rig().remote_fdb().learn(two.key(kGuestMac), two.peer(), 1);
  // Nobody speaks for another one.
  EXPECT_EQ(
      through_tunnel(
          Packet().eth(kGuestMac, kPodTwo).arp(2, "02:00:00:00:06:06", "10.0.0.6", kPodTwo, "10.0.0.2")),
      "to 1");
  EXPECT_EQ(two.send(kBlue, arp(kPodTwo, "10.0.0.2", "10.0.0.6")), "flood");

  const auto solicitation = [] {
    return Packet()
        .eth(kPodTwo, "33:33:ff:00:00:09")
        .ipv6("fd00::2", "ff02::1:ff00:9", {.hop_limit = 255})
        .solicitation("fd00::9")
        .nd_option(1, kPodTwo);
  };
  const auto advertisement = [](uint32_t flags) {
    return Packet()
        .eth(kGuestMac, kPodTwo)
        .ipv6("fd00::9", "fd00::2", {.hop_limit = 255})
        .advertisement("fd00::9", flags)
        .nd_option(2, kGuestMac);
  };
  EXPECT_EQ(two.send(kBlue, solicitation()), "flood");
  EXPECT_EQ(through_tunnel(advertisement(net::kNdSolicited)), "to 1");
  EXPECT_EQ(two.send(kBlue, solicitation()), "to 1");
  // A router says in each answer that it is one.
  EXPECT_EQ(through_tunnel(advertisement(net::kNdSolicited | net::kNdRouter)), "to 1");
  EXPECT_EQ(two.send(kBlue, solicitation()), "flood");
}

// The error comes from the packet's destination, whose neighbour the sender believes to be.
TEST(Stretch, SaysThatAFrameIsTooLargeForTheTunnel) {
  Node one(1, net::Encapsulation::Vxlan, 600);
  one.rig().remote_fdb().learn(one.key(kPodTwo), one.peer(), 1);
  const auto large = [](uint16_t fragment) {
    return Packet()
        .eth(kPodOne, kPodTwo)
        .ipv4("10.0.0.1", "10.0.0.2", {.fragment = fragment})
        .udp(1000, 53)
        .payload(550);
  };
  EXPECT_EQ(one.send(kBlue, large(0)), "mtu_exceeded");
  EXPECT_EQ(one.send(kBlue, large(net::kIpv4DontFragment)), "to 1");
  const rte_mbuf& error = *one.last().packet;
  EXPECT_EQ(rte_pktmbuf_mtod(&error, const net::EtherHeader*)->destination, mac(kPodOne));
  EXPECT_EQ(rte_pktmbuf_mtod(&error, const net::EtherHeader*)->source, mac(kPodTwo));
  const auto* header = rte_pktmbuf_mtod_offset(&error, const net::Ipv4Header*, 14);
  EXPECT_EQ(header->source, ip4("10.0.0.2"));
  const auto* icmp = rte_pktmbuf_mtod_offset(&error, const net::IcmpErrorHeader*, 34);
  EXPECT_EQ(icmp->icmp.type, 3);
  EXPECT_EQ(icmp->mtu.host(), 550u);
  EXPECT_EQ(one.rig().counted(kBlue, DropReason::MtuExceeded), 1u);
  EXPECT_EQ(
      one.send(kBlue, Packet().eth(kPodOne, kPodTwo).ipv6("fd00::1", "fd00::2").udp(1000, 53).payload(550)),
      "to 1");
}

TEST(Stretch, KeepsASuperFramesRequest) {
  Node one(1);
  one.rig().remote_fdb().learn(one.key(kPodTwo), one.peer(), 1);
  Packet packet = Packet().eth(kPodOne, kPodTwo).ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).payload(3000);
  packet.partial_checksum();
  PacketPtr super = packet.mbuf({2000});
  super->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE | RTE_MBUF_F_RX_LRO;
  super->tso_segsz = 1000;
  EXPECT_EQ(one.send(kBlue, std::move(super)), "to 2");
  EXPECT_NE(one.last().packet->ol_flags & RTE_MBUF_F_TX_TCP_SEG, 0u);
  EXPECT_NE(one.last().packet->ol_flags & RTE_MBUF_F_TX_TUNNEL_VXLAN, 0u);
}

// One copy for each other node beside those for the pods of this one.
TEST(Stretch, CopiesAFloodIntoTheTunnels) {
  const unsigned before = rte_mempool_in_use_count(&packet_pool());
  {
    Node one(1), two(2);
    FakeHost host;
    FakePort blue(kBlue, host), uplink(kUplink, host), guests(kGuests, host);
    auto counters = std::make_unique<PortCounterTable>();
    std::atomic<uint32_t> shared_ids{0};
    IpIds ip_ids(shared_ids);
    Transmitter transmitter(packet_pool(), *counters, ip_ids);
    WorkerView view;
    view.routes.resize(kMaxPorts);
    for (FakePort* port : {&blue, &uplink, &guests}) view.routes[port->id()] = {port, nullptr, 0};
    const auto hand_on = [&](Node& node, PortId in, PacketPtr packet) {
      ASSERT_EQ(node.send(in, std::move(packet)), "flood");
      Burst burst;
      burst.in_port = in;
      burst.count = 1;
      burst.meta[0] = node.last().meta;
      burst.packets[0] = node.take().release();
      transmitter.hand_on(burst, view, node.rig().snapshot());
      transmitter.flush(view);
    };
    hand_on(one, kBlue, frame(kPodOne, kBroadcastMac).mbuf());
    ASSERT_EQ(uplink.sent.size(), 1u);
    ASSERT_EQ(guests.sent.size(), 1u);
    EXPECT_TRUE(blue.sent.empty());
    EXPECT_EQ(text_of(*guests.sent[0]), text_of(frame(kPodOne, kBroadcastMac).bytes()));
    // It arrives, and goes to the pods there alone.
    PacketPtr packet(uplink.sent[0]);
    uplink.sent.clear();
    guests.clear();
    hand_on(two, kUplink, std::move(packet));
    EXPECT_EQ(blue.sent.size(), 1u);
    EXPECT_EQ(guests.sent.size(), 1u);
    EXPECT_TRUE(uplink.sent.empty());
    // Too large for the tunnel, not for the ports.
    hand_on(one, kBlue,
            Packet().eth(kPodOne, kBroadcastMac).ipv4("10.0.0.1", "10.0.0.2").payload(1460).mbuf());
    EXPECT_EQ((*counters)[kBlue].reasons[static_cast<size_t>(DropReason::MtuExceeded)].get(), 1u);
    EXPECT_TRUE(uplink.sent.empty());
    EXPECT_EQ(guests.sent.size(), 2u);
  }
  EXPECT_EQ(rte_mempool_in_use_count(&packet_pool()), before);
}

}  // namespace
}  // namespace podswitch::test
