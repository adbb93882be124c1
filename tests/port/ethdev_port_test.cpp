// SPDX-License-Identifier: Apache-2.0
// Ports on ethdevs: net_null, two memif ports that are each other's peer, and AF_XDP on a veth pair.
#include <arpa/inet.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <sys/socket.h>

#include <cstdlib>

#include "pmd/error.h"
#include "pmd/flow_offload.h"
#include "tests/port/port_fixture.h"
#include "tests/port/testpmd.h"
#include "tests/support/flow_model.h"

namespace podswitch {
namespace {

class EthdevPortTest : public PortTest {
 protected:
  std::unique_ptr<Port> open(const PortSpec& spec, OpenPolicy policy = OpenPolicy::Strict) {
    return open_ethdev(next_id_++, spec, host_, policy);
  }
  std::string error_of(const PortSpec& spec) {
    try {
      open(spec);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  static PortSpec null_spec(const std::string& device) {
    PortSpec spec;
    spec.name = "null";
    spec.kind = PortKind::Ethdev;
    spec.device = device;
    return spec;
  }
  PortId next_id_ = 0;
};

TEST_F(EthdevPortTest, NullDeviceGivesAndTakesOnTwoQueues) {
  PortSpec spec = null_spec("net_null7,size=100");
  spec.queues = 2;
  const auto port = open(spec);
  EXPECT_TRUE(port->is_up()) << port->state().reason;
  EXPECT_EQ(drain(*port, 0), kBurstSize);
  EXPECT_EQ(drain(*port, 1), kBurstSize);
  EXPECT_EQ(last_length_, 100U);
  EXPECT_TRUE(send_one(*port, make_packet(60), 1));
  EXPECT_NE(error_of(spec).find("already in use"), std::string::npos);
}

TEST_F(EthdevPortTest, DeviceCanBeUsedAgainAfterItsPortWent) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(open(null_spec("net_null3"))->is_up());
}

TEST_F(EthdevPortTest, RefusalsSayWhy) {
  EXPECT_NE(error_of(null_spec("0000:ff:1f.7")).find("there is no PCI device 0000:ff:1f.7"),
            std::string::npos);
  EXPECT_NE(error_of(null_spec("ff:1f.7")).find("there is no PCI device 0000:ff:1f.7"), std::string::npos);
  EXPECT_NE(error_of(null_spec("net_nonsense0")).find("DPDK cannot open"), std::string::npos);
  PortSpec jumbo = null_spec("net_null4");
  jumbo.mtu = 9000;
  EXPECT_NE(error_of(jumbo).find("9000 is too large"), std::string::npos) << error_of(jumbo);
  EXPECT_EQ(rte_eth_dev_count_total(), 0);
}

TEST_F(EthdevPortTest, MissingDeviceLeavesPatientPortDown) {
  const auto port = open(null_spec("0000:ff:1f.7"), OpenPolicy::Patient);
  EXPECT_TRUE(gets_reason(*port, "there is no PCI device"));
}

TunnelFlows tunnels() {
  TunnelFlows flows;
  flows.udp_port = net::kVxlanPort;
  flows.own = {*IpAddress::parse("192.0.2.1")};
  flows.known = {*IpAddress::parse("192.0.2.2")};
  return flows;
}

TEST_F(EthdevPortTest, ADriverWithoutAFlowEngineIsQuoted) {
  const auto port = open(null_spec("net_null5"));
  ASSERT_NE(port->flows(), nullptr);
  port->flows()->prepare(tunnels());
  port->flows()->settle();
  const OffloadStatus drop = port->flows()->status().at(1);
  EXPECT_FALSE(drop.in_nic);
  EXPECT_NE(drop.reason.find("drop tunnels to 192.0.2.1: "), std::string::npos) << drop.reason;
}

TEST_F(EthdevPortTest, RulesAreThereAsLongAsTheDeviceRuns) {
  test::FlowModel model(2);
  PortSpec spec = null_spec("net_null6");
  spec.queues = 2;
  auto port = open(spec);
  port->flows()->prepare(tunnels());
  port->flows()->settle();
  for (const OffloadStatus& row : port->flows()->status()) EXPECT_TRUE(row.in_nic) << row.reason;
  EXPECT_EQ(model.size(), 4U) << model.dump();
  port.reset();
  EXPECT_EQ(model.size(), 0U) << model.dump();
}

TEST_F(EthdevPortTest, ThirtyTwoAreTheMost) {
  std::vector<std::unique_ptr<Port>> ports;
  for (int i = 0; i < RTE_MAX_ETHPORTS; ++i) ports.push_back(open(null_spec("net_null" + std::to_string(i))));
  EXPECT_NE(error_of(null_spec("net_null99")).find("RTE_MAX_ETHPORTS"), std::string::npos);
}

class MemifPortTest : public EthdevPortTest {
 protected:
  PortSpec memif_spec(const std::string& name, bool server) const {
    PortSpec spec;
    spec.name = name;
    spec.kind = PortKind::Memif;
    spec.path = path("memif.sock");
    spec.server = server;
    spec.memif_id = 5;
    return spec;
  }
};

TEST_F(MemifPortTest, PairCarriesJumboBothWays) {
  const auto server = open(memif_spec("server", true));
  EXPECT_EQ(server->state().reason, "waiting for a peer on " + path("memif.sock"));
  const auto client = open(memif_spec("client", false));
  ASSERT_TRUE(eventually([&] { return client->is_up() && server->is_up(); }, {client.get(), server.get()}))
      << client->state().reason << " / " << server->state().reason;
  for (const uint32_t length : {60U, 9014U}) {
    EXPECT_TRUE(send_one(*client, make_packet(length)));
    EXPECT_TRUE(eventually([&] { return drain(*server) == 1; }));
    EXPECT_EQ(last_length_, length);
    // The client lends its server the buffers when it polls.
    rte_mbuf* back = make_packet(length);
    EXPECT_TRUE(eventually([&] {
      drain(*client);
      return host_.turn([&] { return server->send(0, &back, 1); }) == 1;
    }));
    EXPECT_TRUE(eventually([&] { return drain(*client) == 1; }));
    EXPECT_EQ(last_length_, length);
  }
}

TEST_F(MemifPortTest, ClientConnectsAgainAfterItsServerWasKilled) {
  const auto port = open(memif_spec("client", false));
  EXPECT_EQ(port->state().reason, "no socket at " + path("memif.sock") + " yet");
  for (int life = 0; life < 2; ++life) {
    Testpmd peer("net_memif0,role=server,id=5,socket-abstract=no,socket=" + path("memif.sock"),
                 {"--forward-mode=txonly"});
    ASSERT_TRUE(eventually([&] { return port->is_up(); }, {port.get()})) << port->state().reason;
    unsigned got = 0;
    EXPECT_TRUE(eventually([&] { return (got += drain(*port)) >= 100; }));
    peer.kill9();
    EXPECT_TRUE(gets_reason(*port, "memif"));
    std::filesystem::remove(path("memif.sock"));
    EXPECT_TRUE(gets_reason(*port, "no socket at")) << port->state().reason;
  }
}

TEST_F(MemifPortTest, ServerMeetsAnotherClientAfterOneWasKilled) {
  const auto port = open(memif_spec("server", true));
  for (int life = 0; life < 2; ++life) {
    Testpmd peer("net_memif0,role=client,id=5,socket-abstract=no,socket=" + path("memif.sock"),
                 {"--forward-mode=txonly"});
    ASSERT_TRUE(eventually([&] { return port->is_up(); }, {port.get()})) << port->state().reason;
    unsigned got = 0;
    EXPECT_TRUE(eventually([&] { return (got += drain(*port)) >= 100; }));
    peer.kill9();
    EXPECT_TRUE(gets_reason(*port, "waiting for a peer")) << port->state().reason;
  }
}

class AfXdpPortTest : public EthdevPortTest {
 protected:
  void SetUp() override {
    EthdevPortTest::SetUp();
    if (geteuid() != 0) GTEST_SKIP() << "AF_XDP needs root";
    if (unshare_once() != 0) GTEST_SKIP() << "no network namespace of its own: " << std::strerror(errno);
    // Nothing but the test's own frames, on the interface that a test makes again too.
    std::system("sysctl -qw net.ipv6.conf.default.disable_ipv6=1 2>/dev/null");
    if (std::system("ip link add vhx0 type veth peer name vhx1 && ip link set vhx1 up") != 0)
      GTEST_SKIP() << "cannot make a veth pair";
  }
  void TearDown() override {
    if (if_nametoindex("vhx1") != 0 && std::system("ip link del vhx1") != 0) ADD_FAILURE() << "vhx1 stays";
    EthdevPortTest::TearDown();
  }
  static int unshare_once() {
    static const int result = unshare(CLONE_NEWNET);
    return result;
  }
  static PortSpec xdp_spec() {
    PortSpec spec;
    spec.name = "xdp";
    spec.kind = PortKind::AfXdp;
    spec.ifname = "vhx0";
    return spec;
  }
  static int raw_socket() {
    const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(0x88b5));
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(0x88b5);
    address.sll_ifindex = static_cast<int>(if_nametoindex("vhx1"));
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }
  void expect_traffic(Port& port, size_t length) {
    const int fd = raw_socket();
    std::string frame(length, '\x02');
    frame[12] = '\x88';
    frame[13] = '\xb5';
    EXPECT_TRUE(eventually([&] {
      EXPECT_EQ(write(fd, frame.data(), frame.size()), static_cast<ssize_t>(length));
      return drain(port) > 0;
    })) << length;
    EXPECT_EQ(last_length_, length);
    rte_mbuf* packet = make_packet(60);
    std::memcpy(rte_pktmbuf_mtod(packet, char*), frame.data(), 60);
    EXPECT_TRUE(send_one(port, packet));
    std::string got(4000, '\0');
    ssize_t size = 0;
    EXPECT_TRUE(eventually([&] { return (size = read(fd, got.data(), got.size())) == 60; })) << size;
    close(fd);
  }
};

TEST_F(AfXdpPortTest, CarriesFramesUpToItsMtu) {
  PortSpec spec = xdp_spec();
  spec.mtu = limits(PortKind::AfXdp).max_mtu;
  ASSERT_EQ(std::system("ip link set vhx1 mtu 3498"), 0);
  const auto port = open(spec);
  ASSERT_TRUE(eventually([&] { return port->is_up(); }, {port.get()})) << port->state().reason;
  EXPECT_FALSE(port->tx_caps().multi_segment);
  expect_traffic(*port, 60);
  expect_traffic(*port, 3498 + 14);
}

TEST_F(AfXdpPortTest, OversizedFrameIsAnError) {
  const auto port = open(xdp_spec());
  EXPECT_TRUE(send_one(*port, make_packet(5000)));
  EXPECT_EQ(port->tx_errors(), 1U);
}

TEST_F(AfXdpPortTest, FollowsItsInterface) {
  const auto port = open(xdp_spec());
  ASSERT_TRUE(eventually([&] { return port->is_up(); }, {port.get()})) << port->state().reason;
  ASSERT_EQ(std::system("ip link set vhx1 down"), 0);
  EXPECT_TRUE(gets_reason(*port, "has no carrier"));
  ASSERT_EQ(std::system("ip link del vhx0"), 0);
  EXPECT_TRUE(gets_reason(*port, "there is no interface vhx0"));
  ASSERT_EQ(std::system("ip link add vhx0 type veth peer name vhx1 && ip link set vhx1 up"), 0);
  ASSERT_TRUE(eventually([&] { return port->is_up(); }, {port.get()})) << port->state().reason;
  expect_traffic(*port, 60);
}

TEST_F(AfXdpPortTest, ReopeningDoesNotUseUpMemory) {
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(open(xdp_spec()) != nullptr);
}

TEST_F(AfXdpPortTest, MissingInterfaceIsRefused) {
  PortSpec spec = xdp_spec();
  spec.ifname = "nowhere0";
  EXPECT_EQ(error_of(spec), "ifname: there is no interface nowhere0");
}

}  // namespace
}  // namespace podswitch
