// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "pmd/mbuf_iov.h"
#include "tests/port/kernel_fixture.h"

namespace podswitch {
namespace {

using testing::HasSubstr;
using testing::Not;

PortSpec tap_spec(const Namespace& ns, const std::string& ifname = "eth0") {
  PortSpec spec;
  spec.name = "web";
  spec.kind = PortKind::Tap;
  spec.ifname = ifname;
  spec.netns = ns.path();
  return spec;
}

class TapPort : public KernelPortTest {
 protected:
  std::unique_ptr<Port> open(const PortSpec& spec, OpenPolicy policy = OpenPolicy::Strict) {
    return open_tap(1, spec, host_, policy);
  }
  // Removed, as at the end of a port's life.
  void discard(std::unique_ptr<Port> port) {
    port->remove();
    port.reset();
  }
};

TEST_F(TapPort, MakesTheInterfaceAsAskedFor) {
  const Namespace ns("a");
  PortSpec spec = tap_spec(ns);
  spec.mac = MacAddress::parse("02:00:00:00:12:34");
  spec.mtu = 9000;
  auto port = open(spec);
  EXPECT_TRUE(port->is_up());
  EXPECT_EQ(port->device_mac(), spec.mac);
  const std::string link = ns.ip("link show dev eth0");
  EXPECT_THAT(link, HasSubstr("02:00:00:00:12:34"));
  EXPECT_THAT(link, HasSubstr("mtu 9000"));
  EXPECT_THAT(link, HasSubstr("LOWER_UP"));
  const TxCaps caps = port->tx_caps();
  EXPECT_TRUE(caps.checksum && caps.tso4 && caps.tso6 && caps.tso_ecn && caps.multi_segment);
  discard(std::move(port));
  EXPECT_FALSE(ns.has("eth0"));
}

// The kernel's stack asks, we answer by hand: both directions, byte by byte.
TEST_F(TapPort, AnswersAPing) {
  const Namespace ns("a");
  auto port = open(tap_spec(ns));
  ns.ip("addr add 10.9.0.1/24 dev eth0");
  int ping_code = -1;
  std::jthread ping([&] { ping_code = shell(ns.inside("ping -c1 -W10 -s 3000 -M want 10.9.0.2")).code; });

  const MacAddress our_mac = *MacAddress::parse("02:00:00:00:00:02");
  rte_mbuf* arp = await_packet(*port, [](const rte_mbuf& p) { return ether_type(p) == net::kEtherTypeArp; });
  if (arp != nullptr) {
    auto* ether = rte_pktmbuf_mtod(arp, net::EtherHeader*);
    auto* body = reinterpret_cast<net::ArpPacket*>(ether + 1);
    EXPECT_EQ(body->target_ip, Ipv4Address::parse("10.9.0.2"));
    EXPECT_EQ(ether->source, port->device_mac());
    body->operation = be16_t(net::kArpReply);
    body->target_mac = body->sender_mac;
    body->target_ip = body->sender_ip;
    body->sender_mac = our_mac;
    body->sender_ip = *Ipv4Address::parse("10.9.0.2");
    ether->destination = ether->source;
    ether->source = our_mac;
    EXPECT_EQ(port->send(0, &arp, 1), 1);
  }
  // The echo comes in three fragments, which go back with their addresses swapped.
  for (int fragments = 0; arp != nullptr && fragments < 3; ++fragments) {
    rte_mbuf* echo =
        await_packet(*port, [](const rte_mbuf& p) { return ether_type(p) == net::kEtherTypeIpv4; });
    ASSERT_NE(echo, nullptr);
    auto* ether = rte_pktmbuf_mtod(echo, net::EtherHeader*);
    auto* ip = reinterpret_cast<net::Ipv4Header*>(ether + 1);
    std::swap(ether->source, ether->destination);
    std::swap(ip->source, ip->destination);
    auto* icmp = reinterpret_cast<net::IcmpHeader*>(ip + 1);
    if ((ip->fragment.host() & 0x1fff) == 0) {
      icmp->type = net::kIcmpEchoReply;
      const uint32_t sum = icmp->checksum.host() + 0x800U;  // RFC 1624: the type lost 8
      icmp->checksum = be16_t(static_cast<uint16_t>(sum + (sum >> 16)));
    }
    EXPECT_EQ(port->send(0, &echo, 1), 1);
  }
  ping.join();
  EXPECT_NE(arp, nullptr);
  EXPECT_EQ(ping_code, 0);
  EXPECT_EQ(port->rx_errors() + port->tx_errors(), 0u);
  discard(std::move(port));
}

class TapPair : public TapPort, public testing::WithParamInterface<uint16_t> {};

TEST_P(TapPair, CarriesTcpInSuperFramesAndPingsInJumboFrames) {
  const Namespace left("a"), right("b");
  PortSpec spec = tap_spec(left);
  spec.queues = GetParam();
  spec.mtu = 9000;
  auto a = open(spec);
  spec.netns = right.path();
  auto b = open(spec);
  left.ip("addr add 10.9.0.1/24 dev eth0");
  left.ip("addr add fd09::1/64 dev eth0 nodad");
  right.ip("addr add 10.9.0.2/24 dev eth0");
  right.ip("addr add fd09::2/64 dev eth0 nodad");
  {
    const Forwarder forwarder(*a, *b);
    must(left.inside("ping -c3 -i0.1 -W5 -s 8972 -M do 10.9.0.2"));
    must(left.inside("ping -c3 -i0.1 -W5 -s 8952 -M do fd09::2"));
    EXPECT_EQ(forwarder.largest, 9014u);
    EXPECT_EQ(forwarder.super_frames, 0u);
    expect_tcp_transfer(left, right, "10.9.0.2");
    expect_tcp_transfer(right, left, "fd09::1");
    EXPECT_GT(forwarder.largest, 60'000u);
    EXPECT_GT(forwarder.super_frames, 100u);
  }
  EXPECT_EQ(a->rx_errors() + a->tx_errors() + b->rx_errors() + b->tx_errors(), 0u);
  discard(std::move(a));
  discard(std::move(b));
}
INSTANTIATE_TEST_SUITE_P(Queues, TapPair, testing::Values(1, 2));

TEST_F(TapPort, SpreadsFlowsOverItsQueues) {
  const Namespace ns("a");
  PortSpec spec = tap_spec(ns);
  spec.queues = 4;
  auto port = open(spec);
  ns.ip("addr add 10.9.0.1/24 dev eth0");
  ns.ip("neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev eth0 nud permanent");
  must(ns.inside("bash -c 'for i in $(seq 200); do echo x > /dev/udp/10.9.0.2/$((2000 + i)); done'"));
  int queues_used = 0;
  for (uint16_t q = 0; q < spec.queues; ++q) {
    std::array<rte_mbuf*, 256> packets;
    const uint16_t count = port->receive(q, packets.data(), packets.size());
    queues_used += count > 0;
    rte_pktmbuf_free_bulk(packets.data(), count);
  }
  EXPECT_EQ(queues_used, 4);
  discard(std::move(port));
}

TEST_F(TapPort, ReceivesNoMoreThanAskedForAndWakesForTheRest) {
  const Namespace ns("a");
  auto port = open(tap_spec(ns));
  ns.ip("addr add 10.9.0.1/24 dev eth0");
  ns.ip("neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev eth0 nud permanent");
  must(ns.inside("bash -c 'for i in $(seq 10); do echo x > /dev/udp/10.9.0.2/2000; done'"));
  const uint32_t generation = port->wake_source(0).generation;
  std::array<rte_mbuf*, 64> packets;
  ASSERT_EQ(port->receive(0, packets.data(), 3), 3);
  rte_pktmbuf_free_bulk(packets.data(), 3);
  EXPECT_NE(port->wake_source(0).generation, generation);
  while (const uint16_t count = port->receive(0, packets.data(), 64))
    rte_pktmbuf_free_bulk(packets.data(), count);
  const uint32_t drained = port->wake_source(0).generation;
  EXPECT_EQ(port->wake_source(0).generation, drained);
  discard(std::move(port));
}

// The daemon's death and return: the pod notices nothing but the gap.
TEST_F(TapPort, AttachesToWhatItLeftAndKeepsWhatThePodHasSet) {
  const Namespace ns("a");
  for (const uint16_t queues : {1, 3}) {
    PortSpec spec = tap_spec(ns);
    spec.queues = queues;
    auto port = open(spec);
    const auto mac = port->device_mac();
    ASSERT_TRUE(mac);
    ns.ip("addr add 10.9.0.1/24 dev eth0");
    ns.ip("link set eth0 mtu 1400");
    port.reset();
    EXPECT_TRUE(ns.has("eth0"));
    port = open(spec, OpenPolicy::Patient);
    EXPECT_TRUE(port->is_up()) << port->state().reason;
    EXPECT_EQ(port->device_mac(), mac);
    EXPECT_THAT(ns.ip("addr show dev eth0"), testing::AllOf(HasSubstr("mtu 1400"), HasSubstr("10.9.0.1/24")));
    discard(std::move(port));
    EXPECT_FALSE(ns.has("eth0"));
  }
}

TEST_F(TapPort, RefusesWhatItCannotHave) {
  const Namespace ns("a");
  const PortSpec spec = tap_spec(ns);
  const auto refusal = [&](const PortSpec& wanted) { return error_of([&] { open(wanted); }); };

  ns.ip("link add eth0 type veth");
  EXPECT_THAT(refusal(spec), testing::AllOf(HasSubstr("ifname"), HasSubstr("no tap but veth")));
  ns.ip("link del eth0");
  ns.ip("tuntap add eth0 mode tun");
  EXPECT_THAT(refusal(spec), HasSubstr("no tap but tun"));
  ns.ip("link del eth0");

  PortSpec several = spec;
  several.queues = 2;
  for (const auto& [mine, theirs] : {std::pair{spec, spec}, std::pair{several, several}}) {
    auto holder = open(mine);
    EXPECT_THAT(refusal(theirs), HasSubstr("another process or port uses"));
    EXPECT_TRUE(ns.has("eth0"));
    discard(std::move(holder));
  }
  ns.ip("tuntap add eth0 mode tap");
  EXPECT_THAT(refusal(several), HasSubstr("a tap without several queues, but several are asked for"));
  ns.ip("link del eth0");

  PortSpec nowhere = spec;
  nowhere.netns = "/run/netns/psw-tapt-none";
  EXPECT_THAT(refusal(nowhere), HasSubstr("netns: network namespace /run/netns/psw-tapt-none is missing"));
  nowhere.netns = "/proc/self/status";
  EXPECT_THAT(refusal(nowhere), HasSubstr("/proc/self/status is no network namespace"));
}

TEST_F(TapPort, LeavesNothingWhenOpeningFailsHalfWay) {
  const Namespace ns("a");
  PortSpec spec = tap_spec(ns);
  spec.mac =
      MacAddress::parse("01:00:00:00:00:01");  // a group's: the kernel refuses it once the tap is there
  EXPECT_THAT(error_of([&] { open(spec); }), HasSubstr("setting MAC 01:00:00:00:00:01 of interface eth0"));
  EXPECT_FALSE(ns.has("eth0"));
}

TEST_F(TapPort, SaysThatTheInterfaceIsDown) {
  const Namespace ns("a");
  auto port = open(tap_spec(ns));
  ns.ip("link set eth0 down");
  port->maintain();
  EXPECT_FALSE(port->is_up());
  EXPECT_THAT(port->state().reason, HasSubstr("eth0 is down inside its namespace"));
  ns.ip("link set eth0 up");
  port->maintain();
  EXPECT_TRUE(port->is_up());
  EXPECT_EQ(port->state_changes(), 3u);
  EXPECT_EQ(host_.waits, 0);
  discard(std::move(port));
}

TEST_F(TapPort, CountsWhatItCannotDeliver) {
  const Namespace ns("a");
  auto port = open(tap_spec(ns));
  ns.ip("link set eth0 down");
  std::array<rte_mbuf*, 2> packets;
  ASSERT_EQ(rte_pktmbuf_alloc_bulk(&host_.pool(), packets.data(), packets.size()), 0);
  for (rte_mbuf* packet : packets) std::memset(rte_pktmbuf_append(packet, 60), 0, 60);
  EXPECT_EQ(port->send(0, packets.data(), packets.size()), 2);
  EXPECT_EQ(port->tx_errors(), 2u);
  discard(std::move(port));
}

TEST_F(TapPort, MakesADeletedInterfaceAgain) {
  const Namespace ns("a");
  auto port = open(tap_spec(ns));
  const WakeSource before = port->wake_source(0);
  ns.ip("link del eth0");
  port->maintain();
  EXPECT_TRUE(port->is_up()) << port->state().reason;
  EXPECT_TRUE(ns.has("eth0"));
  EXPECT_NE(port->wake_source(0).generation, before.generation);
  EXPECT_EQ(host_.waits, 1);
  discard(std::move(port));
}

TEST_F(TapPort, WaitsForADeletedNamespaceToComeBack) {
  const Namespace ns("a");
  auto port = open(tap_spec(ns));
  ns.del();
  port->maintain();
  EXPECT_FALSE(port->is_up());
  EXPECT_THAT(port->state().reason, HasSubstr(ns.path() + " is missing"));
  EXPECT_EQ(port->wake_source(0).fd, -1);
  rte_mbuf* packet = nullptr;
  EXPECT_EQ(port->receive(0, &packet, 1), 0);
  port->maintain();
  EXPECT_FALSE(port->is_up());
  ns.make();
  port->maintain();
  EXPECT_TRUE(port->is_up()) << port->state().reason;
  EXPECT_TRUE(ns.has("eth0"));
  discard(std::move(port));
}

TEST_F(TapPort, FollowsItsPathToAnotherNamespace) {
  const Namespace old("a");
  const std::string path = "/run/netns/" + old.name() + "-moved";
  const std::string name = old.name() + "-moved";
  must("ip netns add " + name);
  PortSpec spec = tap_spec(old);
  spec.netns = path;
  auto port = open(spec);
  // A process keeps the old one alive, as a pod's would.
  const int keeper = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  must("ip netns del " + name);
  must("ip netns add " + name);
  port->maintain();
  EXPECT_TRUE(port->is_up()) << port->state().reason;
  EXPECT_EQ(shell(fmt::format("ip -n {} link show dev eth0", name)).code, 0);
  EXPECT_NE(shell(fmt::format("nsenter --net=/proc/{}/fd/{} ip link show dev eth0", ::getpid(), keeper)).code,
            0);
  ::close(keeper);
  discard(std::move(port));
  must("ip netns del " + name);
}

TEST_F(TapPort, IsPatientWhenAskedTo) {
  const Namespace ns("a");
  PortSpec spec = tap_spec(ns);
  ns.del();
  auto port = open(spec, OpenPolicy::Patient);
  EXPECT_FALSE(port->is_up());
  EXPECT_THAT(port->state().reason, HasSubstr("is missing"));
  ns.make();
  port->maintain();
  EXPECT_TRUE(port->is_up());
  discard(std::move(port));
  EXPECT_FALSE(ns.has("eth0"));
}

TEST_F(TapPort, ThereMayBeHundreds) {
  const Namespace ns("a");
  std::vector<std::unique_ptr<Port>> ports;
  for (int i = 0; i < 256; ++i) {
    PortSpec spec = tap_spec(ns, fmt::format("pod{}", i));
    spec.name = spec.ifname;
    ports.push_back(open(spec));
  }
  for (auto& port : ports) {
    port->maintain();
    EXPECT_TRUE(port->is_up());
  }
  for (auto& port : ports) discard(std::move(port));
  EXPECT_THAT(ns.ip("-o link"), Not(HasSubstr("pod")));
}

}  // namespace
}  // namespace podswitch
