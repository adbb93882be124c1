// SPDX-License-Identifier: Apache-2.0
// A million random events, which the pipeline and a plain model of Services see alike: packets of a few pods
// with few ports, so that tuples clash; time; endpoints that come and go; a flush now and then.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "tests/unit/flow_checker.h"
#include "tests/unit/service_model.h"
#include "tests/unit/service_rig.h"

namespace podswitch::test {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kEvents = 100'000;
#else
constexpr int kEvents = 1'000'000;
#endif

constexpr uint16_t kClientPorts[] = {300, 700, 4000, 4001, 8080};
constexpr uint16_t kServicePorts[] = {80, 81, 53};
constexpr uint16_t kPodPorts[] = {8080, 9090, 22};

class Player {
 public:
  explicit Player(uint64_t seed) : random_(seed) {
    for (const Family& f : kFamilies) {
      for (const auto name : {f.vip, f.other_vip, f.gateway, f.pods[1], f.pods[2], f.pods[3]})
        names_[ip(name)] = name;
      for (PortId id = 1; id <= 3; ++id) pods_[ip(f.pods[id])] = id;
    }
    change_services();
  }

  // What went wrong, or nothing.
  std::string play() {
    if (one_in(20)) pass(1 + below(5));
    if (one_in(2000)) pass(30 + below(100));
    if (one_in(50'000)) pass(4000);
    if (one_in(200'000)) pass(90'000);
    if (one_in(300)) rig().flows().age(0, kMinFlows, rig().now(), rig().flow_worker().slots);
    if (one_in(1000)) change_services();
    if (one_in(100'000)) flush();
    const Seen packet = any_packet();
    const Became became = send(packet);
    const std::string wrong = model_.see(packet, became);
    if (became.kind == Became::Kind::Passed) {
      recent_[below(recent_.size())] = packet.tuple;
      recent_[below(recent_.size())] = became.tuple.back();
    }
    ++fates_[static_cast<size_t>(became.kind)];
    if (wrong.empty()) return "";
    return fmt::format("{} (flags {:#x}, {}) {}; it left as {}", ServiceModel::text(packet.tuple),
                       packet.tcp_flags, packet.is_routed ? "routed" : "bridged", wrong,
                       ServiceModel::text(became.tuple));
  }
  std::string compare_flows() {
    rig().flows().age(0, kMinFlows, rig().now(), rig().flow_worker().slots);
    auto expected = model_.flows();
    for (FlowSlot slot = 0; slot < kMinFlows; ++slot) {
      const auto flow = rig().flows().read(slot, rig().now());
      if (!flow) continue;
      const Tuple original = tuple_of(flow->original);
      const auto known = expected.find(original);
      if (known == expected.end() || known->second != tuple_of(flow->reply))
        return fmt::format("{} is {}, which it should not", ServiceModel::text(original),
                           info(flow->state).name);
      expected.erase(known);
    }
    if (!expected.empty()) return ServiceModel::text(expected.begin()->first) + " has been forgotten";
    return FlowChecker(rig().flow_memory(), rig().flows()).defect(rig().flow_worker().slots.count);
  }
  uint64_t fates(Became::Kind kind) const { return fates_[static_cast<size_t>(kind)]; }
  uint64_t changed_ports() { return rig().local().flow_figures.ports_changed.get(); }

 private:
  Rig& rig() { return rig_.rig(); }
  size_t below(size_t limit) { return static_cast<size_t>(random_() % limit); }
  bool one_in(size_t n) { return below(n) == 0; }
  template <typename List>
  auto any(const List& list) {
    return list[below(std::size(list))];
  }
  void pass(uint32_t seconds) {
    rig().pass_seconds(seconds);
    model_.pass_seconds(seconds);
  }

  // Each Service's port has some of all pods as its endpoints, or none, or is not there.
  void change_services() {
    ServiceModel::Frontends frontends;
    ServiceChanges changes;
    ServiceId id = 0;
    for (const Family& f : kFamilies)
      for (const auto vip : {f.vip, f.other_vip})
        for (const uint16_t port : kServicePorts)
          for (const Protocol protocol : {Protocol::Tcp, Protocol::Udp}) {
            const bool is_there = port == 80 || !one_in(4);
            std::vector<Backend> backends;
            for (PortId pod = 1; pod <= 3; ++pod)
              for (const uint16_t target : {8080, 9090})
                if (one_in(4)) backends.push_back({ip(f.pods[pod]), target});
            ++id;
            if (!is_there) continue;
            const Frontend frontend{ip(vip), port, protocol};
            frontends[frontend] = {backends.begin(), backends.end()};
            changes.push_back({frontend, make_service(id, backends)});
          }
    rig_.set_services(changes, ++version_);
    model_.set_services(frontends);
  }
  void flush() {
    for (FlowSlot slot = 0; slot < rig().flows().end(); ++slot)
      rig().flows().remove(slot, rig().flows().record(slot).sequence.load(), rig().flow_worker().slots);
    model_.flush();
  }

  static Tuple tuple_of(const FlowKey& key) {
    return {key.source(), key.destination(), key.source_port(), key.destination_port(), key.protocol()};
  }

  Seen any_packet() {
    constexpr std::array<uint8_t, 8> kFlags{kSyn, kSyn,    kSynAck, kAck,
                                            kAck, kFinAck, kRst,    kAck | net::kTcpPsh};
    Seen packet;
    const Tuple known = any(recent_);
    if (!one_in(3) && pods_.count(known.source) != 0) {
      packet.tuple = known;
    } else {
      const Family& f = any(kFamilies);
      const bool is_direct = one_in(4);
      packet.tuple = {ip(f.pods[1 + below(3)]),
                      ip(is_direct   ? f.pods[1 + below(3)]
                         : one_in(2) ? f.vip
                                     : f.other_vip),
                      any(kClientPorts), is_direct ? any(kPodPorts) : any(kServicePorts),
                      one_in(2) ? net::kProtoTcp : net::kProtoUdp};
    }
    if (packet.tuple.protocol == net::kProtoTcp) packet.tcp_flags = any(kFlags);
    const auto to = pods_.find(packet.tuple.destination);
    packet.is_routed = to == pods_.end() || packet.tuple.source == packet.tuple.destination || one_in(2);
    return packet;
  }

  const Bytes& frame_of(const Seen& packet) {
    const Tuple& t = packet.tuple;
    if (frames_.size() > 50'000) frames_.clear();
    const auto [place, is_new] = frames_.try_emplace({t, packet.tcp_flags, packet.is_routed});
    if (!is_new) return place->second;
    const PortId from = pods_.at(t.source);
    Packet made =
        packet.is_routed ? ServiceRig::from(from) : ServiceRig::between(from, pods_.at(t.destination));
    (t.source.is_v4() ? kV4 : kV6).ip(made, names_.at(t.source), names_.at(t.destination), 64);
    if (t.protocol == net::kProtoTcp)
      made.tcp(t.source_port, t.destination_port, {.flags = packet.tcp_flags}).payload(4);
    else
      made.udp(t.source_port, t.destination_port).payload(3);
    return place->second = made.bytes();
  }

  Became send(const Seen& packet) {
    const PortId in = pods_.at(packet.tuple.source);
    const Outcome outcome = rig().send(in, make_mbuf(frame_of(packet)));
    if (outcome.meta.verdict != Verdict::Forward) return {Became::Kind::Dropped, {}, outcome.verdict()};
    Became became{Became::Kind::Passed, {}, "was passed on"};
    const Bytes frame = bytes_of(*outcome.packet);
    const bool is_v6 = frame[12] == 0x86;
    const size_t l3 = 14, l4 = l3 + (is_v6 ? 40 : 20);
    became.tuple.protocol = frame[is_v6 ? l3 + 6 : l3 + 9];
    if (!has_right_checksums(frame, is_v6, became.tuple.protocol))
      return {Became::Kind::Dropped, {}, "has a wrong checksum"};
    const auto address = [&](size_t at) {
      if (!is_v6) return IpAddress(Ipv4Address{{frame[at], frame[at + 1], frame[at + 2], frame[at + 3]}});
      Ipv6Address ip;
      std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(at), 16, ip.bytes.begin());
      return IpAddress(ip);
    };
    const auto port = [&](size_t at) { return static_cast<uint16_t>(frame[at] << 8 | frame[at + 1]); };
    became.tuple.source = address(is_v6 ? l3 + 8 : l3 + 12);
    became.tuple.destination = address(is_v6 ? l3 + 24 : l3 + 16);
    became.tuple.source_port = port(l4);
    became.tuple.destination_port = port(l4 + 2);
    const auto to = pods_.find(became.tuple.destination);
    if (to == pods_.end() || to->second != outcome.meta.out_port)
      return {Became::Kind::Dropped, {}, "left for the wrong port"};
    // From the Service's address and to who asked.
    const bool is_answer = became.tuple.source == packet.tuple.destination && outcome.meta.out_port == in &&
                           (became.tuple.protocol != packet.tuple.protocol ||
                            (became.tuple.protocol == net::kProtoTcp &&
                             (frame[l4 + 13] & net::kTcpRst) != 0 && became.tuple == packet.tuple.back()));
    if (is_answer && frame.size() != frame_of(packet).size()) became.kind = Became::Kind::Refused;
    return became;
  }
  static bool has_right_checksums(const Bytes& frame, bool is_v6, uint8_t protocol) {
    const size_t l4 = is_v6 ? 54 : 34;
    if (!is_v6 && slow_sum(frame, 14, 34) != 0xffff) return false;
    uint64_t sum = slow_sum(frame, l4, frame.size());
    if (protocol != net::kProtoIcmp)
      sum += slow_sum(frame, is_v6 ? 22 : 26, l4) + protocol + (frame.size() - l4);
    return sum % 0xffff == 0;
  }

  std::mt19937_64 random_;
  ServiceRig rig_{{}};
  ServiceModel model_{{ip(kGatewayIp), ip(kGatewayIp6)}, [this](const Tuple& tuple) {
                        return rig().snapshot().services->endpoints().may_contain(
                            tuple.destination, tuple.protocol, tuple.destination_port);
                      }};
  uint32_t version_ = 1;
  std::map<IpAddress, std::string_view> names_;
  std::map<IpAddress, PortId> pods_;
  std::array<Tuple, 100> recent_;
  std::map<std::tuple<Tuple, uint8_t, bool>, Bytes> frames_;
  std::array<uint64_t, 3> fates_{};
};

TEST(TranslateModelTest, TheSwitchAndAPlainModelAgreeAboutAMillionEvents) {
  const char* const given = std::getenv("PODSWITCH_TEST_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device()();
  std::printf("PODSWITCH_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  Player player(seed);
  for (int i = 0; i < kEvents; ++i) {
    const std::string wrong = player.play();
    ASSERT_EQ(wrong, "") << "event " << i << ", PODSWITCH_TEST_SEED=" << seed;
    if (i % 20'000 == 0) {
      ASSERT_EQ(player.compare_flows(), "") << "event " << i;
    }
  }
  EXPECT_EQ(player.compare_flows(), "");
  // That there was something to agree about.
  EXPECT_GT(player.fates(Became::Kind::Passed), kEvents / 4u);
  EXPECT_GT(player.fates(Became::Kind::Refused), kEvents / 100u);
  EXPECT_GT(player.fates(Became::Kind::Dropped), kEvents / 100u);
  EXPECT_GT(player.changed_ports(), kEvents / 1000u);
}

}  // namespace
}  // namespace podswitch::test
