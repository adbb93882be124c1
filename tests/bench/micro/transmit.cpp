// SPDX-License-Identifier: Apache-2.0
// The transmitter between a burst with verdicts and ports that take everything and do nothing with it.
#include <random>

#include "pmd/transmitter.h"
#include "tests/bench/micro/measure.h"
#include "tests/bench/micro/scene.h"

namespace podswitch::bench {
namespace {

class NoHost final : public PortHost {
 public:
  rte_mempool& pool() noexcept override { return test::packet_pool(); }
  void wake_workers() noexcept override {}
  void wait_for_workers() noexcept override {}
};

// The packets stay the benchmark's, so that there is nothing to restore and no buffer to free.
class KeepingPort final : public Port {
 public:
  KeepingPort(PortId id, PortHost& host) : Port(id, spec_of(id), host) { set_up(); }
  uint16_t receive(uint16_t, rte_mbuf**, uint16_t) noexcept override { return 0; }
  uint16_t send(uint16_t, rte_mbuf**, uint16_t count) noexcept override {
    taken += count;
    return count;
  }
  TxCaps tx_caps() const noexcept override { return {}; }
  WakeSource wake_source(uint16_t) noexcept override { return {}; }

  uint64_t taken = 0;

 private:
  static PortSpec spec_of(PortId id) {
    PortSpec spec;
    spec.name = "p" + std::to_string(id);
    return spec;
  }
};

// `ports` receivers to which packets go in random order, in bursts from `rounds` receive queues per flush.
class Rig {
 public:
  Rig(PortId ports, uint16_t rounds, uint16_t burst)
      : counters_(std::make_unique<PortCounterTable>()),
        transmitter_(test::packet_pool(), *counters_, ip_ids_) {
    std::vector<BridgePort> described;
    for (PortId id = 0; id <= ports; ++id) described.push_back(port(id));
    snapshot_ = compile_snapshot(described, {}, {}, fids_);
    view_.routes.resize(kMaxPorts);
    for (PortId id = 1; id <= ports; ++id) {
      ports_.push_back(std::make_unique<KeepingPort>(id, host_));
      view_.routes[id] = {ports_.back().get(), nullptr, 0};
    }
    std::mt19937 random(ports);
    bursts_.resize(rounds);
    for (Burst& one : bursts_) {
      one.in_port = 0;
      one.count = burst;
      for (uint16_t i = 0; i < burst; ++i) {
        one.packets[i] = Scene::udp_frame().mbuf().release();
        one.meta[i] = {};
        one.meta[i].forward(static_cast<PortId>(1 + random() % ports));
      }
    }
  }
  ~Rig() {
    for (Burst& one : bursts_) rte_pktmbuf_free_bulk(one.packets.data(), one.count);
  }

  void run() noexcept {
    for (Burst& one : bursts_) transmitter_.hand_on(one, view_, *snapshot_);
    transmitter_.flush(view_);
  }
  uint64_t taken() const {
    uint64_t sum = 0;
    for (const auto& port : ports_) sum += port->taken;
    return sum;
  }

 private:
  NoHost host_;
  FidMap fids_;
  std::unique_ptr<const Snapshot> snapshot_;
  std::vector<std::unique_ptr<KeepingPort>> ports_;
  WorkerView view_;
  std::unique_ptr<PortCounterTable> counters_;
  IpIds ip_ids_;
  Transmitter transmitter_;
  std::vector<Burst> bursts_;
};

void transmit(benchmark::State& state) {
  const auto rounds = static_cast<uint16_t>(state.range(1)), burst = static_cast<uint16_t>(state.range(2));
  Rig rig(static_cast<PortId>(state.range(0)), rounds, burst);
  const auto nothing = [] {};
  measure(state, size_t{rounds} * burst, nothing, [&] { rig.run(); });
  if (rig.taken() != static_cast<uint64_t>(state.iterations()) * rounds * burst)
    fail(state, "packets got lost");
}

BENCHMARK(transmit)
    ->Name("transmit")
    ->ArgNames({"ports", "queues", "burst"})
    ->ArgsProduct({{1, 4, 32}, {1}, {1, 8, 32}})
    ->ArgsProduct({{32}, {32}, {1, 8, 32}});

}  // namespace
}  // namespace podswitch::bench
