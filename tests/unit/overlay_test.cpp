// SPDX-License-Identifier: Apache-2.0
// Packets between the pods of two nodes.
#include <gtest/gtest.h>

#include "switch/net/checksum.h"
#include "switch/net/headers.h"
#include "tests/unit/node_rig.h"
#include "tests/unit/provoked.h"

namespace podswitch::test {
namespace {

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

// The tunnel's port belongs to the tunnel's ends: elsewhere it is one like others.
TEST(Overlay, LeavesOthersTheTunnelsPort) {
  Node two(2);
  const auto to = [](std::string_view address) {
    return Packet().eth(kNicOne, kNicTwo).ipv4("192.0.2.1", address).udp(5000, net::kVxlanPort).payload(3);
  };
  EXPECT_EQ(fate(two, to("192.0.2.2").mbuf()), "tunnel_malformed");
  EXPECT_EQ(two.send(kUplink, to("192.0.2.99")).verdict(), "to 3");
}

TEST(Overlay, JudgesEachPacketOfABurstByItself) {
  Node one(1), two(2);
  std::vector<PacketPtr> burst;
  for (const uint8_t last : {1, 77, 77, 1, 1, 78, 1}) {
    burst.push_back(in_tunnel(one));
    set_outer_source(*burst.back(), last);
  }
  burst.push_back(in_tunnel(one));
  rte_pktmbuf_mtod_offset(burst.back().get(), net::Ipv4Header*, 14)->id = be16_t(0x1234);  // wrong sum
  std::vector<std::string> fates;
  for (const Outcome& outcome : two.rig().send_together(kUplink, std::move(burst)))
    fates.push_back(outcome.verdict());
  const std::string unknown = "tunnel_vtep_unknown";
  EXPECT_EQ(fates, (std::vector<std::string>{"to 1", unknown, unknown, "to 1", "to 1", unknown, "to 1",
                                             "tunnel_malformed"}));
}

TEST(Overlay, RoutesEachPacketOfABurstByItself) {
  Node one(1);
  one.resolve(ip("192.0.2.2"), mac(kNicTwo));
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

TEST(Overlay, SendsAsItIsInDirectMode) {
  OverlayOptions overlay;
  overlay.mode = OverlayMode::Auto;
  Node one(1, overlay), two(2, overlay);
  Outcome out = one.send(kPod, to_peer());
  ASSERT_EQ(out.verdict(), "to 2");
  EXPECT_EQ(text_of(*out.packet), text_of(Packet()
                                              .eth(kNicOne, kNicTwo)
                                              .ipv4("10.244.1.1", "10.244.2.1", {.ttl = 59})
                                              .udp(1000, 53)
                                              .payload(40)
                                              .bytes()));
  const Outcome in = two.send(kUplink, std::move(out.packet));
  EXPECT_EQ(in.verdict(), "to 1");
  EXPECT_EQ(text_of(*in.packet), text_of(at_peer().bytes()));
  // IPv6 by a neighbour that is known by its IPv4 address.
  Outcome out6 =
      one.send(kPod, Packet().eth(kPodMac, kGatewayMac).ipv6("fd00:244:1::1", "fd00:244:2::1").udp(1, 2));
  ASSERT_EQ(out6.verdict(), "to 2");
  EXPECT_EQ(two.send(kUplink, std::move(out6.packet)).verdict(), "to 1");
  // What a tunnelling node sends is taken, too.
  Node tunnelling(1);
  EXPECT_EQ(fate(two, in_tunnel(tunnelling)), "to 1");
}

TEST(Overlay, GoesByATaggedUplink) {
  for (const auto mode : {OverlayMode::Tunnel, OverlayMode::Direct}) {
    OverlayOptions overlay;
    overlay.mode = mode;
    Node one(1, overlay, 4, 100), two(2, overlay, 4, 100);
    Outcome out = one.send(kPod, to_peer());
    ASSERT_EQ(out.verdict(), "to 2");
    const auto* tag = rte_pktmbuf_mtod_offset(out.packet.get(), const be16_t*, 12);
    EXPECT_EQ(tag[0].host(), 0x8100);
    EXPECT_EQ(tag[1].host() & 0xfff, 100);
    const Outcome in = two.send(kUplink, std::move(out.packet));
    EXPECT_EQ(in.verdict(), "to 1");
    EXPECT_EQ(text_of(*in.packet), text_of(at_peer().bytes()));
    EXPECT_EQ(fate(two, in_tunnel(one, 15, 101)), "vlan_not_allowed");
    two.send(kUplink,
             Packet().eth(kNicOne, kNicTwo).vlan(100).arp(2, kNicOne, "192.0.2.1", kNicTwo, "192.0.2.2"));
    EXPECT_EQ(two.rig().heard().size(), 1u);
  }
}

TEST(Overlay, AsksForHostsOnTheLink) {
  Node one(1);
  const auto to_host = [] {
    return Packet().eth(kPodMac, kGatewayMac).ipv4("10.244.1.1", "192.0.2.77", {.ttl = 60}).udp(1, 2);
  };
  Outcome dropped = one.send(kPod, to_host());
  provoked_reasons().insert(dropped.meta.reason);
  EXPECT_EQ(dropped.verdict(), "next_hop_unresolved");
  EXPECT_EQ(one.rig().wanted(), std::vector{ip("192.0.2.77")});
  for (int i = 0; i < 1000; ++i) one.send(kPod, to_host());
  EXPECT_LE(one.rig().wanted().size(), 50u) << "not every packet asks";
  one.resolve(ip("192.0.2.77"), mac("02:00:00:00:00:77"));
  const Outcome out = one.send(kPod, to_host());
  EXPECT_EQ(out.verdict(), "to 2");
  EXPECT_EQ(text_of(*out.packet), text_of(Packet()
                                              .eth(kNicOne, "02:00:00:00:00:77")
                                              .ipv4("10.244.1.1", "192.0.2.77", {.ttl = 59})
                                              .udp(1, 2)
                                              .bytes()));
  const auto back = [](std::string_view to) {
    return Packet().eth("02:00:00:00:00:77", kNicOne).ipv4("192.0.2.77", to).udp(2, 1).mbuf();
  };
  EXPECT_EQ(fate(one, back("10.244.1.1")), "to 1");
  EXPECT_TRUE(one.rig().wanted().empty());
}

TEST(Overlay, BelievesNoWrongChecksum) {
  Node one(1), two(2);
  PacketPtr forged = too_big("192.0.2.1", "192.0.2.2", 1400);
  net::header_at<net::IcmpErrorHeader>(*forged, 34)->mtu = be32_t(600);
  one.send(kUplink, std::move(forged));
  EXPECT_TRUE(one.rig().heard().empty());
  PacketPtr advert = Packet()
                         .eth(kNicOne, kNicTwo)
                         .ipv6("2001:db8::1", "2001:db8::2", {.hop_limit = 255})
                         .advertisement("2001:db8::1", 0x60000000)
                         .nd_option(2, kNicOne)
                         .mbuf();
  ++rte_pktmbuf_mtod(advert.get(), uint8_t*)[advert->data_len - 1];
  two.send(kUplink, std::move(advert));
  EXPECT_TRUE(two.rig().heard().empty());
}

TEST(Overlay, HearsWhatFitsOnTheWay) {
  Node one(1);
  EXPECT_EQ(fate(one, too_big("192.0.2.1", "192.0.2.2", 1400)), "to 3") << "it is the host's as well";
  const auto heard = one.rig().heard();
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_EQ(heard[0].ip, ip("192.0.2.2"));
  EXPECT_EQ(heard[0].path_mtu, 1400);
  fate(one, too_big("192.0.2.9", "192.0.2.2", 1400));       // not ours
  fate(one, too_big("192.0.2.1", "192.0.2.9", 1400));       // to nobody we know
  fate(one, too_big("192.0.2.1", "192.0.2.2", 1400, 443));  // no tunnel's
  PacketPtr cut = too_big("192.0.2.1", "192.0.2.2", 1400);
  rte_pktmbuf_trim(cut.get(), 20);  // ends within the quoted headers
  auto* outer = rte_pktmbuf_mtod_offset(cut.get(), net::Ipv4Header*, 14);
  outer->total_length = be16_t(static_cast<uint16_t>(cut->pkt_len - 14));
  fate(one, std::move(cut));
  EXPECT_TRUE(one.rig().heard().empty());
}

TEST(Overlay, HearsWhatFitsOnTheWayOfIpv6) {
  Node one(1, {}, 6);
  const Bytes quoted =
      Packet().eth(kNicOne, kNicTwo).ipv6("2001:db8::1", "2001:db8::2").udp(50000, 4789).payload(8).bytes();
  one.send(kUplink, Packet()
                        .eth(kNicTwo, kNicOne)
                        .ipv6("2001:db8::fe", "2001:db8::1")
                        .icmpv6(2)
                        .payload(with_mtu(1400, quoted)));
  const auto heard = one.rig().heard();
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_EQ(heard[0].ip, ip("2001:db8::2"));
  EXPECT_EQ(heard[0].path_mtu, 1400);
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
