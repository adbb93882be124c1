// SPDX-License-Identifier: Apache-2.0
// Several threads at one small flow table, which is nearly always full: what each sees is whole, and
// afterwards nothing is lost. ThreadSanitizer watches it in its own build.
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <random>
#include <thread>

#include "pmd/flow_memory.h"
#include "tests/unit/flow_checker.h"
#include "tests/unit/packet_builder.h"

namespace podswitch::test {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kRounds = 40'000;
#else
constexpr int kRounds = 400'000;
#endif
constexpr unsigned kThreads = 4;

// Two Services with one backend, and direct flows to it: whatever comes third for a client's port clashes.
NewFlow any_flow(std::mt19937& random) {
  const bool is_v6 = random() % 4 == 0;
  const auto ip = [&](std::string_view v4, std::string_view v6) {
    return *IpAddress::parse(is_v6 ? v6 : v4);
  };
  const IpAddress client = random() % 2 == 0 ? ip("10.1.0.1", "fd00:1::1") : ip("10.1.0.2", "fd00:1::2");
  const IpAddress backend = ip("10.1.0.3", "fd00:1::3");
  const auto port = static_cast<uint16_t>(2000 + random() % 700);
  const FlowKey reply = FlowKey::of(backend, 5353, client, port, net::kProtoUdp, 1);
  const std::array states{FlowState::UdpUnreplied, FlowState::UdpReplied, FlowState::TcpClose};
  const FlowState state = states[random() % states.size()];
  switch (random() % 3) {
    case 0:
      return {reply.reversed(), reply, kNoService, state};
    case 1:
      return {FlowKey::of(client, port, ip("10.96.0.1", "fd00:96::1"), 53, net::kProtoUdp, 1), reply, 1,
              state};
    default:
      return {FlowKey::of(client, port, ip("10.96.0.2", "fd00:96::2"), 53, net::kProtoUdp, 1), reply, 2,
              state};
  }
}

class Hammer {
 public:
  Hammer(FlowTable& flows, std::atomic<uint32_t>& clock, unsigned seed)
      : flows_(flows), clock_(clock), random_(seed) {
    worker_.random += seed;
  }

  void run() {
    for (int i = 0; i < kRounds; ++i) {
      if (random_() % 256 == 0) clock_.fetch_add(1, std::memory_order_relaxed);
      now_ = clock_.load(std::memory_order_relaxed);
      const unsigned kind = random_() % 100;
      if (kind < 35)
        insert();
      else if (kind < 85)
        follow();
      else if (kind < 95)
        list();
      else
        flows_.age(random_() % kMinFlows, 64, now_, worker_.slots);
    }
    flows_.give_back(worker_.slots);
  }
  // What was seen that must not be.
  unsigned torn() const { return torn_; }
  unsigned inserted() const { return inserted_; }
  unsigned followed() const { return followed_; }

 private:
  // Whatever is read of a flow at one time belongs together.
  void look(const FlowKey& original, const FlowKey& reply, ServiceId service) {
    const bool is_whole = original.source() == reply.destination() && reply.source_port() == 5353 &&
                          original.is_v6() == reply.is_v6() &&
                          (service == kNoService ? original.destination_port() == 5353
                                                 : original.destination().v6.bytes[15] == service);
    torn_ += is_whole ? 0 : 1;
  }
  void insert() {
    const NewFlow flow = any_flow(random_);
    const auto result = flows_.insert(flow, now_, worker_);
    const bool has_begun =
        result.outcome == FlowTable::Outcome::Inserted || result.outcome == FlowTable::Outcome::Evicted;
    inserted_ += has_begun ? 1 : 0;
  }
  void follow() {
    const NewFlow flow = any_flow(random_);
    const FlowKey& key = random_() % 2 == 0 ? flow.original : flow.reply;
    const auto found = flows_.find(flows_.hash(key), key);
    if (!found) return;
    const FlowRecord& record = flows_.record(found.slot);
    const uint64_t activity = record.activity.load(std::memory_order_relaxed);
    const ServiceId service = record.service.load(std::memory_order_relaxed);
    const uint64_t hop = record.hops[static_cast<size_t>(found.direction)].load(std::memory_order_relaxed);
    const FlowKey translated = flows_.translated(found);
    if (!flows_.is_same(found)) return;
    ++followed_;
    if (found.direction == FlowDirection::Original)
      look(key, translated.reversed(), service);
    else
      look(translated.reversed(), key, service);
    // A flow's next hop is its service, here.
    torn_ += hop != 0 && hop != service ? 1 : 0;
    if (flows_.is_expired(activity, now_) || random_() % 8 == 0)
      flows_.remove(found.slot, found.sequence, worker_.slots);
    else
      flows_.touch(found.slot, activity, flow::activity_of(FlowState::UdpReplied, now_));
    flows_.set_hop(found, service);
  }
  void list() {
    if (const auto entry = flows_.read(random_() % kMinFlows, now_))
      look(entry->original, entry->reply, entry->service);
  }

  FlowTable& flows_;
  std::atomic<uint32_t>& clock_;
  std::mt19937 random_;
  FlowWorker worker_;
  uint32_t now_ = 0;
  unsigned torn_ = 0, inserted_ = 0, followed_ = 0;
};

TEST(FlowTableThreadsTest, WhatSeveralThreadsDoAtOnceLeavesTheTableWhole) {
  FlowMemory memory("", kMinFlows, false);
  FlowTable flows(memory.table(), {.capacity = kMinFlows}, memory.hash());
  std::atomic<uint32_t> clock{1};
  std::deque<Hammer> hammers;
  for (unsigned i = 0; i < kThreads; ++i) hammers.emplace_back(flows, clock, 100 + i);
  std::vector<std::thread> threads;
  for (Hammer& hammer : hammers) threads.emplace_back([&] { hammer.run(); });
  for (std::thread& thread : threads) thread.join();
  for (const Hammer& hammer : hammers) {
    EXPECT_EQ(hammer.torn(), 0u);
    EXPECT_GT(hammer.inserted(), kMinFlows);
    EXPECT_GT(hammer.followed(), kMinFlows);
  }
  EXPECT_EQ(FlowChecker(memory.table(), flows).defect(0), "");
}

}  // namespace
}  // namespace podswitch::test
