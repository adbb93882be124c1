// SPDX-License-Identifier: Apache-2.0
// A node with three pods and Services: ports 1 to 3 are the pods, all in one subnet, which the gateway routes
// between as well; a pod's number is the last of its addresses in both families. The one at port 2 may send
// from any address.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "switch/net/headers.h"
#include "tests/unit/make_services.h"
#include "tests/unit/provoked.h"
#include "tests/unit/rig.h"

namespace podswitch::test {

inline constexpr std::string_view kGatewayMac = "02:00:00:00:00:fe";
inline constexpr std::string_view kGatewayIp = "10.1.0.254", kGatewayIp6 = "fd00:1::fe";
inline constexpr std::string_view kPodMacs[] = {"", "02:00:00:00:00:01", "02:00:00:00:00:02",
                                                "02:00:00:00:00:03"};
inline constexpr std::string_view kVip = "10.96.0.1", kVip6 = "fd00:96::1";
inline constexpr std::string_view kOtherVip = "10.96.0.2", kOtherVip6 = "fd00:96::2";
inline constexpr std::string_view kPods[] = {"", "10.1.0.1", "10.1.0.2", "10.1.0.3"};
inline constexpr std::string_view kPods6[] = {"", "fd00:1::1", "fd00:1::2", "fd00:1::3"};
inline constexpr uint8_t kSyn = net::kTcpSyn, kSynAck = net::kTcpSyn | net::kTcpAck, kAck = net::kTcpAck,
                         kFinAck = net::kTcpFin | net::kTcpAck, kRst = net::kTcpRst;

inline IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

class ServiceRig {
 public:
  explicit ServiceRig(const ServiceChanges& services) {
    for (PortId id = 1; id <= 3; ++id) {
      set_pod_hop(id, id, 1500);
      routes_.push_back({Prefix::of(ip(kPods[id])), id});
      routes_.push_back({Prefix::of(ip(kPods6[id])), id});
      ports_.push_back({.id = id,
                        .mac = mac(kPodMacs[id]),
                        .ips = {ip(kPods[id]), ip(kPods6[id])},
                        .allow_spoofing = id == 2});
    }
    put_self(kSelf);
    routes_.push_back({Prefix::of(ip(kGatewayIp)), kSelf});
    routes_.push_back({Prefix::of(ip(kGatewayIp6)), kSelf});
    rig_ = std::make_unique<Rig>(ports_, gateway_, routing(services));
    make_room(services);
  }

  Rig& rig() { return *rig_; }
  Outcome send(PortId in, const Packet& packet) { return send(in, packet.mbuf()); }
  Outcome send(PortId in, PacketPtr packet) {
    Outcome outcome = rig_->send(in, std::move(packet));
    if (outcome.meta.verdict == Verdict::Drop) provoked_reasons().insert(outcome.meta.reason);
    return outcome;
  }
  // Other Services, or the same with other backends.
  void set_services(const ServiceChanges& services, uint32_t routes_version = 1) {
    rig_->publish(ports_, gateway_, routing(services), routes_version);
    make_room(services);
  }
  void set_route(std::string_view destination, NextHopId hop) {
    for (Route& route : routes_)
      if (route.prefix == Prefix::of(ip(destination))) route.value = hop;
  }
  // `hop` leads to the pod at `port`.
  void set_pod_hop(NextHopId id, PortId port, uint16_t mtu) {
    auto hop = std::make_unique<NextHop>();
    hop->kind = NextHop::Kind::Pod;
    hop->port = port;
    hop->fid = 1;
    hop->mtu = mtu;
    const MacAddress to = mac(kPodMacs[port]), gateway = mac(kGatewayMac);
    std::copy_n(to.bytes.begin(), 6, hop->macs.begin());
    std::copy_n(gateway.bytes.begin(), 6, hop->macs.begin() + 6);
    next_hops_.set(id, std::move(hop)).reset();
  }
  // To the gateway, to be routed.
  static Packet from(PortId port) { return Packet().eth(kPodMacs[port], kGatewayMac); }
  // From the gateway.
  static Packet to(PortId port) { return Packet().eth(kGatewayMac, kPodMacs[port]); }
  // Bridged to another pod.
  static Packet between(PortId port, PortId to) { return Packet().eth(kPodMacs[port], kPodMacs[to]); }

 private:
  static constexpr NextHopId kSelf = 10;
  void put_self(NextHopId id) {
    auto hop = std::make_unique<NextHop>();
    hop->kind = NextHop::Kind::Self;
    hop->mtu = UINT16_MAX;
    next_hops_.set(id, std::move(hop)).reset();
  }
  Routing routing(const ServiceChanges& services) {
    std::sort(routes_.begin(), routes_.end(),
              [](const Route& a, const Route& b) { return a.prefix < b.prefix; });
    Routing routing;
    routing.next_hops = &next_hops_;
    routing.tables["default"] = Lpm::build(routes_);
    has_services_ |= !services.empty();
    if (has_services_) routing.services = {"default", make_table(services)};
    return routing;
  }
  void make_room(const ServiceChanges& services) {
    for (const auto& change : services) rig_->service_counters().make_room(change.service->id);
  }

  bool has_services_ = false;  // some time, so that there may be flows
  const Gateway gateway_{mac(kGatewayMac), {ip(kGatewayIp), ip(kGatewayIp6)}};
  std::vector<Route> routes_;
  std::vector<BridgePort> ports_;
  NextHopTable next_hops_;
  std::unique_ptr<Rig> rig_;
};

// What a packet looks like in both families: packet(family, source, destination) to go on with.
struct Family {
  bool is_v6;
  std::string_view vip, other_vip, gateway;
  const std::string_view* pods;

  Packet& ip(Packet& packet, std::string_view source, std::string_view destination, uint8_t ttl) const {
    if (is_v6) return packet.ipv6(source, destination, {.hop_limit = ttl});
    return packet.ipv4(source, destination, {.ttl = ttl});
  }
  // A pod's, routed: before and after.
  Packet sent(PortId port, std::string_view source, std::string_view destination) const {
    Packet packet = ServiceRig::from(port);
    return ip(packet, source, destination, 64);
  }
  Packet received(PortId port, std::string_view source, std::string_view destination) const {
    Packet packet = ServiceRig::to(port);
    return ip(packet, source, destination, 63);
  }
  Packet bridged(PortId from, PortId to, std::string_view source, std::string_view destination) const {
    Packet packet = ServiceRig::between(from, to);
    return ip(packet, source, destination, 64);
  }
};
inline constexpr Family kV4{false, kVip, kOtherVip, kGatewayIp, kPods};
inline constexpr Family kV6{true, kVip6, kOtherVip6, kGatewayIp6, kPods6};
inline constexpr Family kFamilies[] = {kV4, kV6};

// What came out, and what should have.
inline void expect_out(const Outcome& outcome, const std::string& verdict, const Packet& packet) {
  ASSERT_EQ(outcome.verdict(), verdict);
  EXPECT_EQ(text_of(*outcome.packet), text_of(packet.bytes()));
  EXPECT_EQ(defect_of(*outcome.packet), "");
}

}  // namespace podswitch::test
