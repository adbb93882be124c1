// SPDX-License-Identifier: Apache-2.0
#include "pmd/pod_mtu.h"

#include <gtest/gtest.h>

namespace podswitch {
namespace {

class PodMtu : public testing::Test {
 protected:
  PodMtu() {
    uplink_.role = PortRole::Uplink;
    uplink_.network = "underlay";
    uplink_.mtu = 1500;
    pod_.ips = {*IpAddress::parse("fd00::1")};
  }
  void underlay(std::initializer_list<const char*> addresses) {
    uplink_.underlay.clear();
    for (const char* address : addresses) uplink_.underlay.push_back(*PrefixedAddress::parse(address));
  }
  void node(const std::string& name, std::initializer_list<const char*> vteps) {
    NodeSpec spec;
    spec.name = name;
    for (const char* vtep : vteps) spec.vteps.push_back(*IpAddress::parse(vtep));
    nodes_[name] = std::make_shared<const NodeSpec>(spec);
  }
  std::optional<uint16_t> mtu() const {
    return pod_mtu({{1, &pod_}, {2, &uplink_}}, nodes_, "own", overlay_);
  }

  PortSpec uplink_, pod_;
  Nodes nodes_;
  OverlayOptions overlay_;
};

TEST_F(PodMtu, IsWhatTheTunnelLeaves) {
  EXPECT_EQ(mtu(), 1500) << "no tunnels";
  underlay({"192.0.2.1/24"});
  EXPECT_EQ(mtu(), 1450);
  underlay({"2001:db8::1/64"});
  EXPECT_EQ(mtu(), 1430);
  overlay_.encapsulation = net::Encapsulation::Geneve;
  EXPECT_EQ(mtu(), 1430);
  EXPECT_EQ(pod_mtu({{1, &pod_}}, nodes_, "own", overlay_), std::nullopt) << "no uplink";
}

TEST_F(PodMtu, IsTheSmallerOneOfBothFamilies) {
  underlay({"192.0.2.1/24", "2001:db8::1/64"});
  EXPECT_EQ(mtu(), 1450) << "the next node's most likely";
  node("both", {"192.0.2.2", "2001:db8::2"});
  node("own", {"2001:db8::1"});
  EXPECT_EQ(mtu(), 1450);
  node("six", {"2001:db8::3"});
  EXPECT_EQ(mtu(), 1430);
}

TEST_F(PodMtu, IsNeverLessThanNothing) {
  underlay({"192.0.2.1/24"});
  uplink_.mtu = 40;
  EXPECT_EQ(mtu(), 0);
}

TEST_F(PodMtu, HintsAtPortsThatHaveMore) {
  EXPECT_NE(mtu_hint(pod_, 1450, overlay_), "");
  EXPECT_EQ(mtu_hint(pod_, 1500, overlay_), "");
  EXPECT_EQ(mtu_hint(pod_, std::nullopt, overlay_), "");
  EXPECT_EQ(mtu_hint(uplink_, 1450, overlay_), "");
  pod_.network = "other";
  EXPECT_EQ(mtu_hint(pod_, 1450, overlay_), "");
}

TEST_F(PodMtu, IsAdvertisedToPodsWithIpv6) {
  Gateway gateway{{}, {*IpAddress::parse("fd00::fe")}, Gateway::Advertisements::Mtu};
  EXPECT_EQ(advertised_mtu(pod_, gateway, 1450, overlay_), 1450);
  EXPECT_EQ(advertised_mtu(pod_, gateway, std::nullopt, overlay_), 1500);
  pod_.mtu = 1400;
  EXPECT_EQ(advertised_mtu(pod_, gateway, 1450, overlay_), 1400);
  gateway.ips = {*IpAddress::parse("10.0.0.254")};
  EXPECT_EQ(advertised_mtu(pod_, gateway, 1450, overlay_), 0);
  gateway = {{}, {*IpAddress::parse("fd00::fe")}, Gateway::Advertisements::Off};
  EXPECT_EQ(advertised_mtu(pod_, gateway, 1450, overlay_), 0);
  gateway.advertisements = Gateway::Advertisements::Mtu;
  EXPECT_EQ(advertised_mtu(uplink_, gateway, 1450, overlay_), 0);
  pod_.ips = {*IpAddress::parse("10.0.0.1")};
  EXPECT_EQ(advertised_mtu(pod_, gateway, 1450, overlay_), 0);
}

}  // namespace
}  // namespace podswitch
