// SPDX-License-Identifier: Apache-2.0
// Real workers, one of which polls an uplink that brings tunnel packets: the others finish some of them.
#include "pmd/spread.h"
#include "pmd/flow_memory.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <cstring>
#include <functional>
#include <mutex>
#include <thread>

#include "pmd/worker.h"
#include "switch/fragment_table.h"
#include "tests/unit/fake_port.h"
#include "tests/unit/packet_builder.h"

namespace podswitch::test {
namespace {

constexpr PortId kPod = 1, kUplink = 2;
constexpr uint32_t kFlows = 32;
// Fewer at once than a ring holds: nothing may be lost, however slow a worker is.
constexpr size_t kBuffers = HandOverRing::kCapacity;
constexpr std::string_view kGatewayMac = "02:00:00:00:00:fe", kPodMac = "02:00:00:00:00:01",
                           kNicMac = "02:00:00:00:11:02", kPeerMac = "02:00:00:00:11:01",
                           kVtepMac = "02:00:00:00:22:02";

struct Numbered {
  uint32_t flow, number;
};

// Hands out numbered tunnel packets, and has the pod's port look at what arrives. Buffers go round in here.
class Traffic {
 public:
  Traffic() {
    for (uint32_t flow = 0; flow < kFlows; ++flow)
      frames_.push_back(Packet()
                            .eth(kPeerMac, kNicMac)
                            .ipv4("192.0.2.1", "192.0.2.2")
                            .udp(50000, net::kVxlanPort)
                            .no_checksum()
                            .vxlan(1)
                            .payload(Packet()
                                         .eth("02:00:00:00:22:01", kVtepMac)
                                         .ipv4("10.244.1.1", "10.244.2.1")
                                         .udp(static_cast<uint16_t>(1000 + flow), 53)
                                         .payload(sizeof(Numbered))
                                         .bytes())
                            .bytes());
    for (size_t i = 0; i < kBuffers; ++i) free_.push_back(rte_pktmbuf_alloc(&packet_pool()));
  }
  ~Traffic() {
    for (rte_mbuf* packet : free_) rte_pktmbuf_free(packet);
  }

  void send_up_to(uint64_t packets) {
    const std::scoped_lock lock(mutex_);
    allowed_ = packets;
  }
  uint16_t give(rte_mbuf** packets, uint16_t most) {
    const std::scoped_lock lock(mutex_);
    uint16_t count = 0;
    for (; count < most && sent_ < allowed_ && !free_.empty(); ++count) {
      rte_mbuf* packet = packets[count] = free_.back();
      free_.pop_back();
      const auto flow = static_cast<uint32_t>(sent_++ % kFlows);
      rte_pktmbuf_reset(packet);
      char* data = rte_pktmbuf_append(packet, static_cast<uint16_t>(frames_[flow].size()));
      std::memcpy(data, frames_[flow].data(), frames_[flow].size());
      const Numbered number{flow, next_out_[flow]++};
      std::memcpy(data + frames_[flow].size() - sizeof number, &number, sizeof number);
    }
    return count;
  }
  void take(rte_mbuf** packets, uint16_t count) {
    const std::scoped_lock lock(mutex_);
    for (uint16_t i = 0; i < count; ++i) {
      Numbered got;
      std::memcpy(&got, rte_pktmbuf_mtod_offset(packets[i], char*, packets[i]->data_len - sizeof got),
                  sizeof got);
      ASSERT_LT(got.flow, kFlows);
      overtaken_ += got.number < next_in_[got.flow] ? 1 : 0;
      next_in_[got.flow] = got.number + 1;
      ++arrived_;
      free_.push_back(packets[i]);
    }
  }
  uint64_t arrived() const {
    const std::scoped_lock lock(mutex_);
    return arrived_;
  }
  uint64_t overtaken() const {
    const std::scoped_lock lock(mutex_);
    return overtaken_;
  }
  size_t at_home() const {
    const std::scoped_lock lock(mutex_);
    return free_.size();
  }

 private:
  std::vector<Bytes> frames_;  // by flow
  mutable std::mutex mutex_;
  std::vector<rte_mbuf*> free_;
  std::array<uint32_t, kFlows> next_out_{}, next_in_{};
  uint64_t allowed_ = 0, sent_ = 0, arrived_ = 0, overtaken_ = 0;
};

class TestPort final : public Port {
 public:
  TestPort(PortId id, PortHost& host, Traffic& traffic) : Port(id, spec_of(id), host), traffic_(traffic) {
    set_up();
  }
  uint16_t receive(uint16_t, rte_mbuf** packets, uint16_t most) noexcept override {
    return id() == kUplink ? traffic_.give(packets, most) : 0;
  }
  uint16_t send(uint16_t, rte_mbuf** packets, uint16_t count) noexcept override {
    traffic_.take(packets, count);
    return count;
  }
  TxCaps tx_caps() const noexcept override { return {}; }
  // The uplink is looked at every now and then, nobody else ever: a worker without it sleeps until it is
  // woken.
  WakeSource wake_source(uint16_t) noexcept override { return {.is_silent = id() != kUplink}; }

 private:
  static PortSpec spec_of(PortId id) {
    PortSpec spec;
    spec.name = fmt::format("p{}", id);
    return spec;
  }
  Traffic& traffic_;
};

class SpreadTest : public testing::Test {
 protected:
  void start(SpreadPolicy policy, unsigned workers = 3) {
    mesh_ = std::make_unique<SpreadMesh>(workers, policy);
    publisher_ = std::make_unique<Publisher>(workers);
    set_hop();
    for (unsigned i = 0; i < workers; ++i)
      workers_.push_back(std::make_unique<Worker>(
          Worker::Setup{i, core(i), IdlePolicy::Adaptive, *publisher_, fdb_, remote_fdb_, neighbours_,
                        link_hosts_, packet_pool(), clock_, fragments_, ip_ids_, flows_, mesh_.get()}));
    publish(0);
    for (const auto& worker : workers_) worker->start();
  }
  void TearDown() override {
    publish(std::nullopt);
    EXPECT_EQ(traffic_.at_home(), kBuffers);
    for (const auto& worker : workers_) worker->stop();
    workers_.clear();
  }
  // The uplink is polled by `owner`. As Engine::Impl::publish() does it.
  void publish(std::optional<unsigned> owner) {
    auto revision = std::make_unique<Revision>();
    revision->number = ++revision_;
    revision->snapshot = snapshot();
    revision->workers.resize(workers_.size());
    for (WorkerView& view : revision->workers) {
      view.routes.resize(kMaxPorts);
      for (TestPort* port : {&pod_, &uplink_}) view.routes[port->id()] = {port, nullptr, 0};
    }
    if (owner) {
      revision->workers[*owner].queues.push_back({&uplink_, 0});
      revision->workers[*owner].has_uplink = true;
    }
    for (WorkerView& view : revision->workers)
      view.order = std::make_unique<PollOrder>(static_cast<uint16_t>(view.queues.size()));
    publisher_->publish(std::move(revision), [&] {
      for (const auto& worker : workers_) worker->wake();
    });
    mesh_->wait_until_finished();
  }
  bool eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 30000 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return condition();
  }
  bool all_arrive(uint64_t packets) {
    traffic_.send_up_to(packets);
    return eventually([&] { return traffic_.arrived() == packets; });
  }
  uint64_t sum(uint64_t (*of)(const Worker&)) const {
    uint64_t all = 0;
    for (const auto& worker : workers_) all += of(*worker);
    return all;
  }
  static uint64_t handed_over(const Worker& worker) { return worker.handed_over(); }
  static uint64_t taken_over(const Worker& worker) { return worker.figures().taken_over.get(); }
  static uint64_t received(const Worker& worker) { return worker.figures().packets.get(); }

  Traffic traffic_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<SpreadMesh> mesh_;

 private:
  static unsigned core(unsigned index) {
    cpu_set_t allowed;
    sched_getaffinity(0, sizeof allowed, &allowed);
    std::vector<unsigned> cores;
    for (unsigned core = 0; core < CPU_SETSIZE; ++core)
      if (CPU_ISSET(core, &allowed)) cores.push_back(core);
    return cores[index % cores.size()];
  }
  void set_hop() {
    auto hop = std::make_unique<NextHop>();
    hop->kind = NextHop::Kind::Pod;
    hop->port = kPod;
    hop->fid = fids_.get("default", 0);
    hop->mtu = 1500;
    const MacAddress to = mac(kPodMac), from = mac(kGatewayMac);
    std::copy_n(to.bytes.begin(), 6, hop->macs.begin());
    std::copy_n(from.bytes.begin(), 6, hop->macs.begin() + 6);
    next_hops_.set(1, std::move(hop)).reset();
  }
  std::unique_ptr<const Snapshot> snapshot() {
    Routing routing;
    routing.next_hops = &next_hops_;
    routing.tables["default"] = Lpm::build(std::vector<Route>{{*Prefix::parse("10.244.2.1/32"), 1}});
    Routing::Tunnel tunnel;
    tunnel.udp_port = net::kVxlanPort;
    tunnel.vni = 1;
    tunnel.vtep_mac = mac(kVtepMac);
    tunnel.uplink_mac = mac(kNicMac);
    tunnel.network = "default";
    tunnel.own_vteps = {*IpAddress::parse("192.0.2.2")};
    tunnel.vteps = {*IpAddress::parse("192.0.2.1")};
    routing.tunnel = tunnel;
    return compile_snapshot(
        {{.id = kPod, .mac = mac(kPodMac), .ips = {*IpAddress::parse("10.244.2.1")}},
         {.id = kUplink, .network = "underlay", .allow_spoofing = true, .is_uplink = true}},
        Gateway{mac(kGatewayMac), {}}, routing, fids_);
  }

  FakeHost host_;
  TestPort pod_{kPod, host_, traffic_}, uplink_{kUplink, host_, traffic_};
  FidMap fids_;
  NextHopTable next_hops_;
  NeighbourTable link_hosts_{{.capacity = 1}};
  Fdb fdb_{{.capacity = 64, .port_limit = 10, .aging_seconds = 300}};
  RemoteFdb remote_fdb_{{.capacity = 64}};
  NeighbourTable neighbours_{{.capacity = 64}};
  std::unique_ptr<Publisher> publisher_;
  std::atomic<uint32_t> clock_{1};
  FragmentTable fragments_{{.capacity = 1}};
  FlowMemory flow_memory_{"", kMinFlows, false};
  FlowTable flows_{flow_memory_.table(), {.capacity = kMinFlows}, flow_memory_.hash()};
  std::atomic<uint32_t> ip_ids_{0};
  uint64_t revision_ = 0;
};

TEST_F(SpreadTest, AlwaysSpreadsAndLosesNothing) {
  start(SpreadPolicy::Always);
  for (uint64_t packets = 300; packets <= 30000; packets += 300) ASSERT_TRUE(all_arrive(packets));
  EXPECT_EQ(traffic_.overtaken(), 0u);
  EXPECT_EQ(sum(received), 30000u);
  EXPECT_GT(sum(handed_over), 30000u / 3);
  EXPECT_EQ(sum(taken_over), sum(handed_over));
  EXPECT_EQ(workers_[0]->handed_over(), sum(handed_over));
  EXPECT_GT(workers_[1]->figures().taken_over.get(), 0u);
  EXPECT_GT(workers_[2]->figures().taken_over.get(), 0u);
  // Counted where they come in and where they go out, once.
  EXPECT_EQ(sum([](const Worker& worker) { return worker.counters()[kUplink].rx_packets.get(); }), 30000u);
  EXPECT_EQ(sum([](const Worker& worker) { return worker.counters()[kPod].tx_packets.get(); }), 30000u);
}

TEST_F(SpreadTest, WakesSleepers) {
  start(SpreadPolicy::Always);
  for (uint64_t packets = kFlows; packets <= 20 * kFlows; packets += kFlows) {
    ASSERT_TRUE(eventually([&] { return workers_[1]->is_asleep() && workers_[2]->is_asleep(); }));
    ASSERT_TRUE(all_arrive(packets));
  }
}

TEST_F(SpreadTest, KeepsOrderWhenTheUplinkMovesAndWhenRevisionsChange) {
  start(SpreadPolicy::Always);
  uint64_t packets = 0;
  for (unsigned i = 0; i < 60; ++i) {
    traffic_.send_up_to(packets += 2000);
    publish(std::nullopt);
    publish(i % 3);
  }
  EXPECT_TRUE(all_arrive(packets));
  EXPECT_EQ(traffic_.overtaken(), 0u);
  EXPECT_GT(sum(handed_over), 0u);
}

TEST_F(SpreadTest, NothingIsOnItsWayWhenPublishingIsOver) {
  start(SpreadPolicy::Always);
  traffic_.send_up_to(UINT64_MAX);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(eventually([&, before = traffic_.arrived()] { return traffic_.arrived() > before; }));
    publish(std::nullopt);
    ASSERT_EQ(traffic_.at_home(), kBuffers);
    publish(0);
  }
}

TEST_F(SpreadTest, AutoLeavesAWorkerAloneThatCanDoIt) {
  start(SpreadPolicy::Auto);
  for (uint64_t packets = 10; packets <= 1000; packets += 10) ASSERT_TRUE(all_arrive(packets));
  EXPECT_EQ(sum(handed_over), 0u);
}

TEST_F(SpreadTest, AutoSpreadsWhatIsTooMuch) {
  start(SpreadPolicy::Auto, 2);
  traffic_.send_up_to(UINT64_MAX);
  EXPECT_TRUE(eventually([&] { return sum(taken_over) > 1000; }));
  publish(std::nullopt);
  EXPECT_EQ(traffic_.overtaken(), 0u);
}

}  // namespace
}  // namespace podswitch::test
