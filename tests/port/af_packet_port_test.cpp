// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "tests/port/kernel_fixture.h"

namespace podswitch {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// A pod whose veth pair ends in a namespace that stands for the host.
struct VethPod {
  explicit VethPod(const std::string& suffix) : host(suffix + "h"), pod(suffix + "p") { plug(); }
  void plug() const {
    host.ip(fmt::format("link add veth0 type veth peer name eth0 netns {}", pod.name()));
    host.ip("link set veth0 up");
    pod.ip("link set eth0 up");
    // The kernel tells of a link in its own time.
    for (int i = 0; i < 300 && host.ip("link show dev veth0").find("state UP") == std::string::npos; ++i)
      ::usleep(10'000);
  }
  PortSpec spec() const {
    PortSpec made;
    made.name = "web";
    made.kind = PortKind::AfPacket;
    made.ifname = "veth0";
    made.netns = host.path();
    return made;
  }
  Namespace host, pod;
};

// Sends one raw frame, given as hexadecimal digits, out of `ifname`.
void send_raw(const Namespace& ns, const std::string& ifname, const std::string& hex) {
  must(ns.inside(
      fmt::format("python3 -c \"import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); "
                  "s.bind(('{}', 0)); s.send(bytes.fromhex('{}'))\"",
                  ifname, hex)));
}

std::string hex_of(const rte_mbuf& packet) {
  std::string hex;
  for (uint32_t i = 0; i < packet.data_len; ++i)
    hex += fmt::format("{:02x}", *rte_pktmbuf_mtod_offset(&packet, const uint8_t*, i));
  return hex;
}

class AfPacketPort : public KernelPortTest {
 protected:
  std::unique_ptr<Port> open(const PortSpec& spec, OpenPolicy policy = OpenPolicy::Strict) {
    return open_af_packet(1, spec, host_, policy);
  }
  std::string refusal(const PortSpec& spec) {
    return error_of([&] { open(spec); });
  }
};

class AfPacketPair : public AfPacketPort, public testing::WithParamInterface<uint16_t> {};

TEST_P(AfPacketPair, CarriesTcpInSuperFrames) {
  const VethPod left("a"), right("b");
  PortSpec spec = left.spec();
  spec.queues = GetParam();
  auto a = open(spec);
  spec.netns = right.host.path();
  auto b = open(spec);
  left.pod.ip("addr add 10.9.0.1/24 dev eth0");
  left.pod.ip("addr add fd09::1/64 dev eth0 nodad");
  right.pod.ip("addr add 10.9.0.2/24 dev eth0");
  right.pod.ip("addr add fd09::2/64 dev eth0 nodad");
  {
    const Forwarder forwarder(*a, *b);
    must(left.pod.inside("ping -c3 -i0.1 -W5 10.9.0.2"));
    expect_tcp_transfer(left.pod, right.pod, "10.9.0.2");
    expect_tcp_transfer(right.pod, left.pod, "fd09::1");
    EXPECT_GT(forwarder.super_frames, 100u);
    EXPECT_GT(forwarder.largest, 30'000u);
  }
  EXPECT_EQ(a->rx_errors() + a->tx_errors() + b->rx_errors() + b->tx_errors(), 0u);
}
INSTANTIATE_TEST_SUITE_P(Queues, AfPacketPair, testing::Values(1, 2));

// The kernel takes a tag out of the frame before a packet socket sees it.
TEST_F(AfPacketPort, PutsTheVlanTagBack) {
  const VethPod pod("a");
  auto port = open(pod.spec());
  for (const std::string type : {"8100", "88a8"}) {
    const std::string frame = "020000000001020000000002" + type + "60070800" + std::string(92, 'e');
    send_raw(pod.pod, "eth0", frame);
    rte_mbuf* packet = await_packet(*port, [](const rte_mbuf& p) { return p.data_len == 64; });
    ASSERT_NE(packet, nullptr);
    EXPECT_EQ(hex_of(*packet), frame);
    rte_pktmbuf_free(packet);
  }
}

TEST_F(AfPacketPort, SendsTaggedFramesOfTheFullMtuAndCountsLargerOnes) {
  const VethPod pod("a");
  auto port = open(pod.spec());
  PortSpec back = pod.spec();
  back.ifname = "eth0";
  back.netns = pod.pod.path();
  auto other = open(back);
  const auto frame_of = [&](uint16_t size, uint16_t type) {
    rte_mbuf* packet = rte_pktmbuf_alloc(&host_.pool());
    std::memset(rte_pktmbuf_append(packet, size), 0x22, size);
    rte_pktmbuf_mtod(packet, net::EtherHeader*)->ether_type = be16_t(type);
    return packet;
  };
  rte_mbuf* tagged = frame_of(1518, net::kEtherTypeVlan);
  EXPECT_EQ(port->send(0, &tagged, 1), 1);
  rte_mbuf* arrived = await_packet(*other, [](const rte_mbuf& p) { return p.pkt_len == 1518; });
  ASSERT_NE(arrived, nullptr);
  EXPECT_EQ(ether_type(*arrived), net::kEtherTypeVlan);
  rte_pktmbuf_free(arrived);
  EXPECT_EQ(port->tx_errors(), 0u);
  rte_mbuf* large = frame_of(1519, net::kEtherTypeIpv4);
  EXPECT_EQ(port->send(0, &large, 1), 1);
  EXPECT_EQ(port->tx_errors(), 1u);
}

TEST_F(AfPacketPort, DoesNotHearItself) {
  const VethPod pod("a");
  for (const uint16_t queues : {1, 2}) {
    PortSpec spec = pod.spec();
    spec.queues = queues;
    auto port = open(spec);
    const std::string marked =
        "020000000001020000000002"
        "88b5" +
        std::string(92, 'd');
    send_raw(pod.host, "veth0", marked);  // what the host itself sends
    rte_mbuf* ours = rte_pktmbuf_alloc(&host_.pool());
    std::memset(rte_pktmbuf_append(ours, 60), 0x22, 60);
    EXPECT_EQ(port->send(0, &ours, 1), 1);
    send_raw(pod.pod, "eth0",
             "020000000001020000000002"
             "88b6" +
                 std::string(92, 'd'));
    bool heard_itself = false, heard_pod = false;
    for (int i = 0; i < 100 && !heard_pod; ++i) {
      for (uint16_t q = 0; q < queues; ++q) {
        std::array<rte_mbuf*, kBurstSize> packets;
        const uint16_t count = port->receive(q, packets.data(), kBurstSize);
        for (uint16_t p = 0; p < count; ++p) {
          heard_itself |= ether_type(*packets[p]) == 0x88b5 || ether_type(*packets[p]) == 0x2222;
          heard_pod |= ether_type(*packets[p]) == 0x88b6;
        }
        rte_pktmbuf_free_bulk(packets.data(), count);
      }
      ::usleep(10'000);
    }
    EXPECT_TRUE(heard_pod);
    EXPECT_FALSE(heard_itself);
  }
}

TEST_F(AfPacketPort, RefusesWhatItCannotHave) {
  const VethPod pod("a");
  PortSpec spec = pod.spec();
  spec.ifname = "none0";
  EXPECT_THAT(refusal(spec), AllOf(HasSubstr("ifname"), HasSubstr("none0"), HasSubstr("is missing")));
  spec = pod.spec();
  spec.mtu = 9000;
  EXPECT_THAT(refusal(spec), AllOf(HasSubstr("mtu"), HasSubstr("at most 1500")));
  spec = pod.spec();
  spec.ifname = "lo";
  EXPECT_THAT(refusal(spec), HasSubstr("no Ethernet interface"));
}

TEST_F(AfPacketPort, SaysWhyItIsDownAndComesBack) {
  const VethPod pod("a");
  auto port = open(pod.spec());
  EXPECT_TRUE(port->is_up()) << port->state().reason;
  const auto state_after = [&](const std::function<void()>& change) {
    change();
    // Loss of link is reported by the kernel's own work queue.
    const bool was_up = port->is_up();
    for (int i = 0; i < 300 && port->is_up() == was_up; ++i) {
      ::usleep(10'000);
      port->maintain();
    }
    return port->state();
  };
  EXPECT_THAT(state_after([&] { pod.host.ip("link set veth0 down"); }).reason, HasSubstr("is down"));
  EXPECT_TRUE(state_after([&] { pod.host.ip("link set veth0 up"); }).up);
  EXPECT_THAT(state_after([&] { pod.pod.ip("link set eth0 down"); }).reason, HasSubstr("has no link"));
  EXPECT_TRUE(state_after([&] { pod.pod.ip("link set eth0 up"); }).up);
  EXPECT_THAT(state_after([&] { pod.host.ip("link del veth0"); }).reason, HasSubstr("is missing"));
  EXPECT_EQ(port->wake_source(0).fd, -1);
  EXPECT_TRUE(state_after([&] { pod.plug(); }).up);
  const std::string frame =
      "020000000001020000000002"
      "88b5" +
      std::string(92, 'd');
  send_raw(pod.pod, "eth0", frame);
  rte_mbuf* packet = await_packet(*port, [](const rte_mbuf& p) { return ether_type(p) == 0x88b5; });
  EXPECT_NE(packet, nullptr);
  rte_pktmbuf_free(packet);
}

TEST_F(AfPacketPort, WaitsForADeletedNamespaceToComeBack) {
  const VethPod pod("a");
  auto port = open(pod.spec());
  pod.host.del();
  port->maintain();
  EXPECT_THAT(port->state().reason, HasSubstr(pod.host.path() + " is missing"));
  // The old namespace goes, and the pair with it, only when our sockets have let it go.
  for (int i = 0; i < 300 && pod.pod.has("eth0"); ++i) ::usleep(10'000);
  EXPECT_FALSE(pod.pod.has("eth0"));
  pod.host.make();
  port->maintain();
  EXPECT_THAT(port->state().reason, AllOf(HasSubstr("veth0"), HasSubstr("is missing")));
  pod.plug();
  for (int i = 0; i < 300 && !port->is_up(); ++i) {
    ::usleep(10'000);
    port->maintain();
  }
  EXPECT_TRUE(port->is_up()) << port->state().reason;
}

}  // namespace
}  // namespace podswitch
