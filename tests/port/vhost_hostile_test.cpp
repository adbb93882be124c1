// SPDX-License-Identifier: Apache-2.0
// What a vhost-user peer must not be able to do to the others.
#include <rte_log.h>

#include <atomic>
#include <future>
#include <thread>

#include "tests/port/port_fixture.h"
#include "tests/support/raw_front_end.h"

namespace podswitch {
namespace {

class VhostHostileTest : public PortTest {
 protected:
  std::unique_ptr<Port> open() {
    PortSpec spec;
    spec.name = "victim";
    spec.path = path("victim.sock");
    spec.server = true;
    return open_vhost_user(0, spec, host_, OpenPolicy::Strict);
  }
  // Whether `work` comes back. It may hang for ever, so that a failure ends the program.
  static void require_return(const char* what, std::function<void()> work) {
    auto done = std::async(std::launch::async, std::move(work));
    if (done.wait_for(std::chrono::seconds(20)) == std::future_status::ready) return;
    std::fprintf(stderr, "%s hangs\n", what);
    std::_Exit(1);
  }
};

TEST_F(VhostHostileTest, APeerThatFetchesNoRepliesHoldsNoLock) {
  rte_log_set_level_pattern("lib.vhost.config", RTE_LOG_EMERG);  // a line for every lost reply
  auto port = open();
  RawFrontEnd peer(path("victim.sock"));
  peer.start_driver();
  ASSERT_TRUE(eventually([&] { return port->is_up(); }, {port.get()}));
  for (int round = 0; round < 200; ++round) {
    while (peer.send_value(RawFrontEnd::kSendRarp, RawFrontEnd::kNeedReply, 0x020000000001ULL)) continue;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  require_return("set_wakeup()", [&] { port->set_wakeup(0, true); });
  require_return("send()", [&] { send_one(*port, make_packet(64)); });
  require_return("closing the port", [&] { port.reset(); });
}

TEST_F(VhostHostileTest, HalfAMessageDoesNotStopTheOthers) {
  auto port = open();
  RawFrontEnd peer(path("victim.sock"));
  EXPECT_TRUE(gets_reason(*port, "connected"));
  peer.send_half_a_message();
  EXPECT_TRUE(gets_reason(*port, "waiting for a peer")) << "it should have been hung up on";
  require_return("closing the port", [&] { port.reset(); });
}

TEST_F(VhostHostileTest, AGiantFrameTakesNoBuffers) {
  auto port = open();
  RawFrontEnd peer(path("victim.sock"));
  peer.start_driver();
  ASSERT_TRUE(eventually([&] { return port->is_up(); }, {port.get()}));
  peer.transmit(3, 300);
  EXPECT_TRUE(eventually([&] { return drain(*port) == 1; })) << "an honest chain must come through";
  EXPECT_EQ(last_length_, 900U - 12U);
  // 4 x 1 MB would fit the pool; it is more than any frame may have.
  peer.transmit(4, 1'000'000);
  std::array<rte_mbuf*, kBurstSize> burst{};
  for (int i = 0; i < 3; ++i) ASSERT_EQ(port->receive(0, burst.data(), kBurstSize), 0);
  EXPECT_EQ(host_.in_use(), 0U);
  peer.transmit(2, 300);
  EXPECT_TRUE(eventually([&] { return drain(*port) == 1; })) << "and the queue goes on";
}

// librte_vhost unmaps the old memory at once, while a worker looks into the ring.
TEST_F(VhostHostileTest, NewMemoryWhileRunningIsFollowed) {
  auto port = open();
  RawFrontEnd peer(path("victim.sock"));
  peer.start_driver();
  ASSERT_TRUE(eventually([&] { return port->is_up(); }, {port.get()}));
  std::atomic<bool> stop{false};
  std::atomic<int> frames{0};
  std::thread worker([&] {
    while (!stop) frames += drain(*port);
  });
  constexpr int kMoves = 30;
  bool all_came = true;
  for (int i = 1; i <= kMoves; ++i) {
    peer.move_memory(2 << 20);
    peer.transmit(1, 300);
    all_came &= eventually([&] { return frames >= i; });
  }
  stop = true;
  worker.join();
  EXPECT_TRUE(all_came);
  EXPECT_EQ(frames, kMoves);
}

}  // namespace
}  // namespace podswitch
