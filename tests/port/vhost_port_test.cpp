// SPDX-License-Identifier: Apache-2.0
// vhost-user ports against dpdk-testpmd's virtio-user.
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <atomic>
#include <fstream>

#include "pmd/error.h"
#include "tests/port/port_fixture.h"
#include "tests/port/testpmd.h"

namespace podswitch {
namespace {

class VhostPortTest : public PortTest {
 protected:
  PortSpec spec(const std::string& name, bool server, uint16_t queues = 1) const {
    PortSpec result;
    result.name = name;
    result.kind = PortKind::VhostUser;
    result.path = path(name + ".sock");
    result.server = server;
    result.queues = queues;
    return result;
  }
  std::unique_ptr<Port> open(const PortSpec& spec, OpenPolicy policy = OpenPolicy::Strict) {
    return open_vhost_user(next_id_++, spec, host_, policy);
  }
  bool gets_up(Port& port) {
    return eventually([&] { return port.is_up(); }, {&port});
  }
  bool receives(Port& port, unsigned wanted, uint16_t queue = 0) {
    unsigned got = 0;
    return eventually([&] { return (got += drain(port, queue)) >= wanted; }, {&port});
  }
  // testpmd gives buffers some time after its driver started, and throws away what came before.
  bool echoes(Port& port) {
    return eventually(
        [&] {
          send_one(port, make_packet(64));
          return drain(port) > 0;
        },
        {&port});
  }
  bool eventually_sends(Port& port, rte_mbuf* packet, uint16_t queue = 0) {
    return eventually([&] { return host_.turn([&] { return port.send(queue, &packet, 1); }) == 1; }, {&port});
  }
  void drain_all(Port& port) {
    for (int quiet = 0; quiet < 100; ++quiet) {
      if (drain(port) > 0) quiet = 0;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  std::string error_of(const PortSpec& spec) {
    try {
      open(spec);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  PortId next_id_ = 0;
};

TEST_F(VhostPortTest, ServerReceivesFromSplitRingAndSaysWhyItIsDown) {
  const auto port = open(spec("server", true));
  EXPECT_FALSE(port->is_up());
  EXPECT_EQ(port->state().reason, "waiting for a peer on " + path("server.sock"));
  Testpmd peer("net_virtio_user0,path=" + path("server.sock") + ",queue_size=256", {"--forward-mode=txonly"});
  ASSERT_TRUE(gets_up(*port)) << port->state().reason;
  EXPECT_TRUE(receives(*port, 2000));
  EXPECT_EQ(last_length_, 64U);
  EXPECT_GE(host_.wakes, 1U);
  peer.kill9();
  EXPECT_TRUE(gets_reason(*port, "waiting for a peer"));
  EXPECT_EQ(drain(*port), 0);
  EXPECT_EQ(port->state_changes(), 2U);
}

TEST_F(VhostPortTest, PackedRingSwapsPacketsBack) {
  const auto port = open(spec("packed", true));
  Testpmd peer("net_virtio_user0,path=" + path("packed.sock") + ",queue_size=256,packed_vq=1",
               {"--forward-mode=5tswap"});
  ASSERT_TRUE(gets_up(*port)) << port->state().reason;
  ASSERT_TRUE(echoes(*port));
  drain_all(*port);
  for (int i = 0; i < 500; ++i) {
    EXPECT_TRUE(eventually_sends(*port, make_packet(200)));
    EXPECT_TRUE(receives(*port, 1));
  }
  EXPECT_EQ(last_length_, 200U);
}

TEST_F(VhostPortTest, JumboChainsComeBackWhole) {
  PortSpec wanted = spec("jumbo", true);
  wanted.mtu = 9000;
  const auto port = open(wanted);
  Testpmd peer(
      "net_virtio_user0,path=" + path("jumbo.sock") + ",queue_size=256",
      {"--forward-mode=5tswap", "--max-pkt-len=9600", "--tx-offloads=0x8000", "--rx-offloads=0x2000"});
  ASSERT_TRUE(gets_up(*port)) << port->state().reason;
  EXPECT_TRUE(eventually(
      [&] {
        send_one(*port, make_packet(9014));
        return drain(*port) > 0;
      },
      {port.get()}));
  EXPECT_EQ(last_length_, 9014U);
}

TEST_F(VhostPortTest, FrameTooLargeForAnyBufferIsAnErrorAndBlocksNothing) {
  const auto port = open(spec("small", true));
  Testpmd peer("net_virtio_user0,path=" + path("small.sock") + ",queue_size=256,mrg_rxbuf=0",
               {"--forward-mode=5tswap"});
  ASSERT_TRUE(gets_up(*port)) << port->state().reason;
  ASSERT_TRUE(echoes(*port));
  drain_all(*port);
  std::array<rte_mbuf*, 3> burst{make_packet(100), make_packet(9000), make_packet(101)};
  EXPECT_EQ(host_.turn([&] { return port->send(0, burst.data(), 3); }), 3);
  EXPECT_EQ(port->tx_errors(), 1U);
  EXPECT_TRUE(receives(*port, 2));
}

TEST_F(VhostPortTest, SharedPacketWithOpenRequestIsNotWritten) {
  const auto port = open(spec("shared", true));
  Testpmd peer("net_virtio_user0,path=" + path("shared.sock") + ",queue_size=256", {"--forward-mode=rxonly"});
  ASSERT_TRUE(gets_up(*port)) << port->state().reason;
  rte_mbuf* packet = make_packet(1400, 0x5a);
  packet->ol_flags = RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IPV4;
  packet->l2_len = 14;
  packet->l3_len = 20;
  packet->l4_len = 20;
  packet->tso_segsz = 536;
  const rte_mbuf before = *packet;
  const std::string data(rte_pktmbuf_mtod(packet, const char*), 1400);
  rte_mbuf_refcnt_set(packet, 2);
  EXPECT_TRUE(eventually_sends(*port, packet));
  EXPECT_EQ(std::string(rte_pktmbuf_mtod(packet, const char*), 1400), data);
  EXPECT_EQ(packet->ol_flags, before.ol_flags);
  EXPECT_EQ(packet->nb_segs, 1);
  EXPECT_EQ(rte_mbuf_refcnt_read(packet), 1);
  rte_pktmbuf_free(packet);
}

TEST_F(VhostPortTest, ClientConnectsAgainAfterThePeerWasKilled) {
  const auto port = open(spec("client", false));
  EXPECT_EQ(port->state().reason, "no socket at " + path("client.sock") + " yet");
  const std::string device = "net_virtio_user0,path=" + path("client.sock") + ",server=1,queue_size=256";
  for (int life = 0; life < 2; ++life) {
    Testpmd peer(device, {"--forward-mode=txonly"});
    ASSERT_TRUE(gets_up(*port)) << port->state().reason;
    EXPECT_TRUE(receives(*port, 1000));
    peer.kill9();
    EXPECT_TRUE(gets_reason(*port, "waiting for the peer to connect")) << port->state().reason;
    std::filesystem::remove(path("client.sock"));
    EXPECT_TRUE(gets_reason(*port, "no socket at")) << port->state().reason;
  }
  EXPECT_EQ(port->state_changes(), 4U);
}

TEST_F(VhostPortTest, PeerThatStopsProperlyLeavesThePortDown) {
  const auto port = open(spec("proper", true));
  Testpmd peer("net_virtio_user0,path=" + path("proper.sock") + ",queue_size=256", {"--forward-mode=txonly"});
  ASSERT_TRUE(gets_up(*port)) << port->state().reason;
  EXPECT_TRUE(receives(*port, 100));
  std::thread polling([&] { peer.stop(); });
  EXPECT_TRUE(eventually([&] { return drain(*port), !port->is_up(); }, {port.get()}));
  polling.join();
}

TEST_F(VhostPortTest, TwoQueuePairsBothCarry) {
  const auto port = open(spec("two", true, 2));
  Testpmd peer("net_virtio_user0,path=" + path("two.sock") + ",queue_size=256,queues=2",
               {"--forward-mode=txonly", "--rxq=2", "--txq=2"});
  ASSERT_TRUE(gets_up(*port)) << port->state().reason;
  EXPECT_TRUE(receives(*port, 200, 0));
  EXPECT_TRUE(receives(*port, 200, 1));
  EXPECT_TRUE(eventually_sends(*port, make_packet(64), 1));
}

TEST_F(VhostPortTest, QueuesFoldOntoThosePeerHas) {
  const auto port = open(spec("fold", true, 4));
  Testpmd peer("net_virtio_user0,path=" + path("fold.sock") + ",queue_size=256,queues=1",
               {"--forward-mode=5tswap"});
  ASSERT_TRUE(gets_up(*port)) << port->state().reason;
  ASSERT_TRUE(echoes(*port));
  drain_all(*port);
  for (uint16_t queue = 0; queue < 4; ++queue) EXPECT_TRUE(eventually_sends(*port, make_packet(64), queue));
  EXPECT_TRUE(receives(*port, 4));
}

TEST_F(VhostPortTest, MoreQueuePairsThanConfiguredIsAReason) {
  const auto port = open(spec("more", true, 2));
  Testpmd peer("net_virtio_user0,path=" + path("more.sock") + ",queue_size=256,queues=3",
               {"--forward-mode=txonly", "--rxq=3", "--txq=3"});
  EXPECT_TRUE(gets_reason(*port, "the peer uses 3 queue pairs, the port has 2")) << port->state().reason;
  EXPECT_EQ(drain(*port), 0);
}

TEST_F(VhostPortTest, KickWakesWhoAskedForIt) {
  const auto port = open(spec("kick", true));
  Testpmd peer("net_virtio_user0,path=" + path("kick.sock") + ",queue_size=256", {"--forward-mode=txonly"});
  ASSERT_TRUE(gets_up(*port)) << port->state().reason;
  EXPECT_TRUE(receives(*port, 100));
  const WakeSource source = host_.turn([&] {
    port->set_wakeup(0, true);
    return port->wake_source(0);
  });
  ASSERT_GE(source.fd, 0);
  EXPECT_TRUE(eventually([&] {
    drain(*port);
    pollfd kicked{source.fd, POLLIN, 0};
    return poll(&kicked, 1, 0) == 1;
  }));
  host_.turn([&] { port->set_wakeup(0, false); });
}

TEST_F(VhostPortTest, ServerTakesOverAStaleSocketOnly) {
  PortSpec wanted = spec("stale", true);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  wanted.path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(fd, 1), 0);
  EXPECT_NE(error_of(wanted).find("another program listens"), std::string::npos) << error_of(wanted);
  close(fd);
  wanted.socket_mode = 0600;
  const auto port = open(wanted);
  struct stat status {};
  ASSERT_EQ(stat(wanted.path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  EXPECT_NE(error_of(wanted).find("already used by another port"), std::string::npos);
}

TEST_F(VhostPortTest, WrongPathsAreErrorsWhenStrictAndReasonsWhenPatient) {
  PortSpec wanted = spec("file", true);
  std::ofstream(wanted.path) << "precious";
  EXPECT_NE(error_of(wanted).find("is not a socket"), std::string::npos);
  EXPECT_EQ(std::filesystem::file_size(wanted.path), 8U);
  wanted.server = false;
  EXPECT_EQ(open(wanted)->state().reason, wanted.path + " is a file, not a socket");
  wanted.server = true;
  wanted.path = path("later/x.sock");
  EXPECT_NE(error_of(wanted).find("make it first"), std::string::npos);
  const auto port = open(wanted, OpenPolicy::Patient);
  EXPECT_NE(port->state().reason.find("make it first"), std::string::npos);
  std::filesystem::create_directory(path("later"));
  EXPECT_TRUE(gets_reason(*port, "waiting for a peer"));
  wanted = spec("group", true);
  wanted.socket_group = "no-such-group";
  EXPECT_NE(error_of(wanted).find("there is no group 'no-such-group'"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(wanted.path));
}

TEST_F(VhostPortTest, ManyPortsOpenAndClose) {
  for (int round = 0; round < 2; ++round) {
    std::vector<std::unique_ptr<Port>> ports;
    for (int i = 0; i < 300; ++i) ports.push_back(open(spec("many" + std::to_string(i), i % 2 == 0)));
    EXPECT_EQ(ports.size(), 300U);
  }
}

}  // namespace
}  // namespace podswitch
