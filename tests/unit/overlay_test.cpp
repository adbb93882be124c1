// SPDX-License-Identifier: Apache-2.0
// Two nodes whose pods talk through a tunnel: what one switch puts in, the other takes out. Port 1 is a pod,
// port 2 the uplink, port 3 the host's.
#include <gtest/gtest.h>

#include "pmd/routing.h"
#include "pmd/underlay.h"
#include "switch/net/checksum.h"
#include "switch/net/headers.h"
#include "tests/unit/provoked.h"
#include "tests/unit/rig.h"

namespace podswitch::test {
namespace {

constexpr std::string_view kGatewayMac = "02:00:00:00:00:fe", kPodMac = "02:00:00:00:00:01";
constexpr std::string_view kNicOne = "02:00:00:00:11:01", kNicTwo = "02:00:00:00:11:02";
constexpr PortId kPod = 1, kUplink = 2, kHost = 3;

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

// A node of number 1 or 2: pods in 10.244.N.0/24 and fd00:244:N::/64, 192.0.2.N in the underlay.
class Node {
 public:
  explicit Node(int number, const OverlayOptions& overlay = {}, int vtep_family = 4)
      : planner_("n" + std::to_string(number), overlay, Gateway{mac(kGatewayMac), {}}) {
    const auto subnet = [](int n) { return std::to_string(n); };
    const std::string own_number = subnet(number);
    pod_.name = "pod";
    pod_.mac = mac(kPodMac);
    pod_.ips = {ip("10.244." + own_number + ".1"), ip("fd00:244:" + own_number + "::1")};
    uplink_.name = "uplink";
    uplink_.role = PortRole::Uplink;
    uplink_.network = "underlay";
    uplink_.mac = mac(number == 1 ? kNicOne : kNicTwo);
    host_.name = "host";
    host_.role = PortRole::Host;
    host_.network = "underlay";
    host_.mac = uplink_.mac;
    const std::string mine =
        vtep_family == 4 ? "192.0.2." + own_number + "/24" : "2001:db8::" + own_number + "/64";
    uplink_.underlay = {*PrefixedAddress::parse(mine)};
    const int peer = 3 - number;
    const IpAddress peers = ip(vtep_family == 4 ? "192.0.2." + subnet(peer) : "2001:db8::" + subnet(peer));
    Nodes nodes;
    nodes["peer"] = std::make_shared<const NodeSpec>(
        NodeSpec{.name = "peer",
                 .vteps = {peers},
                 .vtep_mac = {},
                 .pod_cidrs = {*Prefix::parse("10.244." + subnet(peer) + ".0/24"),
                               *Prefix::parse("fd00:244:" + subnet(peer) + "::/64")}});
    auto plan = planner_.plan({{kPod, &pod_}, {kUplink, &uplink_}, {kHost, &host_}}, nodes, {}, {}, fids_);
    underlay_.set(plan.uplink, plan.hops, 1);
    underlay_.heard(peers, mac(number == 1 ? kNicTwo : kNicOne), 1);
    plan.routing.next_hops = &table_;
    const std::vector<BridgePort> ports{
        {.id = kPod, .mac = pod_.mac, .ips = pod_.ips},
        {.id = kUplink, .network = "underlay", .allow_spoofing = true, .is_uplink = true},
        {.id = kHost, .network = "underlay", .mac = host_.mac}};
    rig_ = std::make_unique<Rig>(ports, Gateway{mac(kGatewayMac), {ip("10.244." + own_number + ".254")}},
                                 plan.routing);
  }

  Rig& rig() { return *rig_; }
  Outcome send(PortId in, PacketPtr packet) { return rig_->send(in, std::move(packet)); }
  Outcome send(PortId in, const Packet& packet) { return rig_->send(in, packet); }

 private:
  PortSpec pod_, uplink_, host_;
  FidMap fids_;
  RoutePlanner planner_;
  NextHopTable table_;
  Underlay underlay_{table_, packet_pool(), [](PortId, rte_mbuf* packet) { rte_pktmbuf_free(packet); }};
  std::unique_ptr<Rig> rig_;
};

Packet to_peer() {
  return Packet()
      .eth(kPodMac, kGatewayMac)
      .ipv4("10.244.1.1", "10.244.2.1", {.ttl = 60})
      .udp(1000, 53)
      .payload(40);
}
Packet at_peer() {
  return Packet()
      .eth(kGatewayMac, kPodMac)
      .ipv4("10.244.1.1", "10.244.2.1", {.ttl = 58})
      .udp(1000, 53)
      .payload(40);
}

std::string fate(Node& node, PacketPtr packet) {
  const Outcome outcome = node.send(kUplink, std::move(packet));
  if (outcome.meta.verdict == Verdict::Drop) provoked_reasons().insert(outcome.meta.reason);
  return outcome.verdict();
}

// `to_peer()` as it leaves node 1, changed at a byte.
PacketPtr in_tunnel(Node& one, size_t offset = 0, int value = -1) {
  Outcome out = one.send(kPod, to_peer());
  EXPECT_EQ(out.verdict(), "to 2");
  if (value >= 0) *rte_pktmbuf_mtod_offset(out.packet.get(), uint8_t*, offset) = static_cast<uint8_t>(value);
  return std::move(out.packet);
}

TEST(Overlay, CarriesPacketsFromPodToPod) {
  for (const auto encapsulation : {net::Encapsulation::Vxlan, net::Encapsulation::Geneve})
    for (const int family : {4, 6}) {
      OverlayOptions overlay;
      overlay.encapsulation = encapsulation;
      Node one(1, overlay, family), two(2, overlay, family);
      Outcome out = one.send(kPod, to_peer());
      ASSERT_EQ(out.verdict(), "to 2");
      const Outcome in = two.send(kUplink, std::move(out.packet));
      EXPECT_EQ(in.verdict(), "to 1");
      EXPECT_EQ(text_of(*in.packet), text_of(at_peer().bytes()));
    }
}

TEST(Overlay, RefusesWhatIsWrongAboutATunnelPacket) {
  constexpr size_t kIp = 14, kVxlan = kIp + 20 + 8, kInner = kVxlan + 8;
  Node one(1), two(2);
  EXPECT_EQ(fate(two, in_tunnel(one, kVxlan, 0)), "tunnel_malformed");  // no VNI
  EXPECT_EQ(fate(two, in_tunnel(one, kVxlan + 6, 9)), "tunnel_vni_unknown");
  EXPECT_EQ(fate(two, in_tunnel(one, kInner + 5, 9)), "tunnel_not_for_us");  // inner destination MAC
  Outcome out = one.send(kPod, to_peer());
  Node third(2, {}, 4);
  // From 192.0.2.77, with the header's checksum made right again.
  auto* outer = rte_pktmbuf_mtod_offset(out.packet.get(), net::Ipv4Header*, kIp);
  const be16_t before =
      be16_t::from_raw(static_cast<uint16_t>(outer->source.bytes[2] | outer->source.bytes[3] << 8));
  outer->source.bytes[3] = 77;
  const be16_t after =
      be16_t::from_raw(static_cast<uint16_t>(outer->source.bytes[2] | outer->source.bytes[3] << 8));
  outer->checksum = net::updated_checksum(outer->checksum, before, after);
  EXPECT_EQ(fate(third, std::move(out.packet)), "tunnel_vtep_unknown");
}

// The outer source becomes 192.0.2.LAST, with the header's checksum made right again.
void set_outer_source(rte_mbuf& packet, uint8_t last) {
  auto* outer = rte_pktmbuf_mtod_offset(&packet, net::Ipv4Header*, sizeof(net::EtherHeader));
  outer->source.bytes[3] = last;
  outer->checksum = {};
  outer->checksum = be16_t::from_raw(net::complement(net::sum_bytes(outer, sizeof *outer)));
}

TEST(Overlay, JudgesEachPacketOfABurstByItself) {
  Node one(1), two(2);
  std::vector<PacketPtr> burst;
  for (const uint8_t last : {1, 77, 77, 1, 1, 78, 1}) {
    burst.push_back(in_tunnel(one));
    set_outer_source(*burst.back(), last);
  }
  burst.push_back(in_tunnel(one));
  rte_pktmbuf_mtod_offset(burst.back().get(), net::Ipv4Header*, 14)->destination =
      ip4("192.0.2.9");  // wrong sum
  std::vector<std::string> fates;
  for (const Outcome& outcome : two.rig().send_together(kUplink, std::move(burst)))
    fates.push_back(outcome.verdict());
  const std::string unknown = "tunnel_vtep_unknown";
  EXPECT_EQ(fates, (std::vector<std::string>{"to 1", unknown, unknown, "to 1", "to 1", unknown, "to 1",
                                             "tunnel_malformed"}));
}

TEST(Overlay, RoutesEachPacketOfABurstByItself) {
  Node one(1);
  std::vector<PacketPtr> burst;
  const auto add = [&](std::string_view to, uint8_t ttl, size_t cut = 0) {
    burst.push_back(
        Packet().eth(kPodMac, kGatewayMac).ipv4("10.244.1.1", to, {.ttl = ttl}).udp(1, 2).cut(cut).mbuf());
  };
  add("10.244.2.1", 9);
  add("192.0.2.1", 9);
  add("10.244.2.1", 1);
  add("203.0.113.1", 9);
  add("192.0.2.2", 9);
  std::vector<std::string> fates;
  for (const Outcome& outcome : one.rig().send_together(kPod, std::move(burst)))
    fates.push_back(outcome.verdict());
  // Errors go back to the pod.
  EXPECT_EQ(fates, (std::vector<std::string>{"to 2", "to 3", "to 1", "to 1", "to 2"}));
}

TEST(Overlay, RefusesAPodOfThisNodeFromOutside) {
  constexpr size_t kInnerIp = 14 + 20 + 8 + 8 + 14;
  Node one(1), two(2);
  PacketPtr packet = in_tunnel(one);
  auto* inner = rte_pktmbuf_mtod_offset(packet.get(), net::Ipv4Header*, kInnerIp);
  inner->source = ip4("10.244.2.1");
  EXPECT_EQ(fate(two, std::move(packet)), "tunnel_source");
  // Neither without a tunnel, nor may a pod behind one come without it.
  const auto direct = [](std::string_view source) {
    return Packet().eth(kNicOne, kNicTwo).ipv4(source, "10.244.2.1").udp(1, 2).mbuf();
  };
  EXPECT_EQ(fate(two, direct("10.244.2.1")), "tunnel_source");
  EXPECT_EQ(fate(two, direct("10.244.1.1")), "tunnel_source");
  EXPECT_EQ(fate(two, direct("192.0.2.1")), "to 1");  // the other node itself
}

TEST(Overlay, LeavesTheHostItsOwn) {
  Node two(2);
  EXPECT_EQ(fate(two, Packet()
                          .eth(kNicOne, kNicTwo)
                          .ipv4("192.0.2.1", "192.0.2.2")
                          .udp(1, 4788)
                          .payload(20)
                          .cut(9)
                          .mbuf()),
            "to 3");  // truncated: the host counts it
  EXPECT_EQ(fate(two, Packet().eth(kNicOne, kNicTwo).ipv4("192.0.2.1", "192.0.2.2").tcp(1, 22).mbuf()),
            "to 3");
  const Outcome to_node =
      two.send(kPod, Packet().eth(kPodMac, kGatewayMac).ipv4("10.244.2.1", "192.0.2.2").tcp(1, 22));
  EXPECT_EQ(to_node.verdict(), "to 3");
  const Outcome from_host =
      two.send(kHost, Packet().eth(kNicTwo, kGatewayMac).ipv4("192.0.2.2", "10.244.2.1").tcp(22, 1));
  EXPECT_EQ(from_host.verdict(), "to 1");
}

TEST(Overlay, HearsNeighbours) {
  Node two(2);
  two.send(kUplink, Packet().eth(kNicOne, kNicTwo).arp(2, kNicOne, "192.0.2.1", kNicTwo, "192.0.2.2"));
  two.send(kUplink, Packet()
                        .eth(kNicOne, kNicTwo)
                        .ipv6("2001:db8::1", "2001:db8::2", {.hop_limit = 255})
                        .advertisement("2001:db8::1", 0x60000000)
                        .nd_option(2, kNicOne));
  const auto heard = two.rig().heard();
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_EQ(heard[0].ip, ip("192.0.2.1"));
  EXPECT_EQ(heard[1].ip, ip("2001:db8::1"));
  EXPECT_EQ(heard[1].mac, mac(kNicOne));
  two.send(kPod,
           Packet().eth(kPodMac, "ff:ff:ff:ff:ff:ff").arp(1, kPodMac, "10.244.2.1", kZeroMac, "10.244.2.9"));
  EXPECT_TRUE(two.rig().heard().empty());
}

TEST(Overlay, CopiesCongestionMarks) {
  Node one(1), two(2);
  PacketPtr packet = in_tunnel(one);
  // A router of the underlay marked a packet whose sender does not know about it: RFC 6040 drops it.
  auto* outer = rte_pktmbuf_mtod_offset(packet.get(), net::Ipv4Header*, 14);
  const auto word = [&] { return be16_t(static_cast<uint16_t>(outer->version_ihl << 8 | outer->tos)); };
  const be16_t before = word();
  outer->tos |= 3;
  outer->checksum = net::updated_checksum(outer->checksum, before, word());
  EXPECT_EQ(fate(two, std::move(packet)), "tunnel_malformed");
}

}  // namespace
}  // namespace podswitch::test
