// SPDX-License-Identifier: Apache-2.0
#include "pmd/pod_mtu.h"

#include <gmock/gmock.h>
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
  PodMtus mtus() const { return {{{1, &pod_}, {2, &uplink_}}, ends_, overlay_, stretched_}; }
  std::optional<uint16_t> mtu() const {
    EXPECT_EQ(mtus().of(pod_), mtus().routed());
    return mtus().routed();
  }

  PortSpec uplink_, pod_;
  TunnelEnds ends_;
  OverlayOptions overlay_;
  Networks stretched_;
};

TEST_F(PodMtu, IsWhatTheTunnelLeaves) {
  EXPECT_EQ(mtu(), 1500) << "no tunnels";
  underlay({"192.0.2.1/24"});
  EXPECT_EQ(mtu(), 1450);
  underlay({"2001:db8::1/64"});
  EXPECT_EQ(mtu(), 1430);
  overlay_.encapsulation = net::Encapsulation::Geneve;
  EXPECT_EQ(mtu(), 1430);
  EXPECT_EQ(PodMtus({{1, &pod_}}, ends_, overlay_, {}).routed(), std::nullopt) << "no uplink";
}

TEST_F(PodMtu, IsTheSmallerOneOfBothFamilies) {
  underlay({"192.0.2.1/24", "2001:db8::1/64"});
  EXPECT_EQ(mtu(), 1450) << "the next node's most likely";
  ends_.v4 = true;
  EXPECT_EQ(mtu(), 1450);
  ends_.v6 = true;
  EXPECT_EQ(mtu(), 1430);
}

TEST_F(PodMtu, IsNeverLessThanNothing) {
  underlay({"192.0.2.1/24"});
  uplink_.mtu = 40;
  EXPECT_EQ(mtu(), 0);
}

TEST_F(PodMtu, StretchedNetworksHaveTheirTunnels) {
  underlay({"192.0.2.1/24"});
  overlay_.mode = OverlayMode::Direct;
  stretched_ = {{"wide", 7}};
  EXPECT_EQ(mtu(), 1500) << "routed without tunnels";
  pod_.network = "wide";
  EXPECT_EQ(mtus().of(pod_), 1450);
  EXPECT_THAT(mtu_hint(pod_, mtus()), testing::HasSubstr("dropped, or answered by ICMP"));
  pod_.network = "local";
  EXPECT_EQ(mtus().of(pod_), std::nullopt);
  EXPECT_EQ(mtu_hint(pod_, mtus()), "");
}

TEST_F(PodMtu, HintsAtPortsThatHaveMore) {
  underlay({"192.0.2.1/24"});
  EXPECT_THAT(mtu_hint(pod_, mtus()), testing::HasSubstr("fragmented or answered by ICMP"));
  EXPECT_EQ(mtu_hint(uplink_, mtus()), "");
  EXPECT_EQ(mtu_hint(pod_, PodMtus()), "");
  pod_.mtu = 1450;
  EXPECT_EQ(mtu_hint(pod_, mtus()), "");
}

TEST_F(PodMtu, IsAdvertisedToPodsWithIpv6) {
  underlay({"192.0.2.1/24"});
  Gateway gateway{{}, {*IpAddress::parse("fd00::fe")}, Gateway::Advertisements::Mtu};
  EXPECT_EQ(advertised_mtu(pod_, gateway, mtus()), 1450);
  EXPECT_EQ(advertised_mtu(pod_, gateway, PodMtus()), 1500);
  pod_.mtu = 1400;
  EXPECT_EQ(advertised_mtu(pod_, gateway, mtus()), 1400);
  gateway.ips = {*IpAddress::parse("10.0.0.254")};
  EXPECT_EQ(advertised_mtu(pod_, gateway, mtus()), 0);
  gateway = {{}, {*IpAddress::parse("fd00::fe")}, Gateway::Advertisements::Off};
  EXPECT_EQ(advertised_mtu(pod_, gateway, mtus()), 0);
  gateway.advertisements = Gateway::Advertisements::Mtu;
  EXPECT_EQ(advertised_mtu(uplink_, gateway, mtus()), 0);
  pod_.ips = {*IpAddress::parse("10.0.0.1")};
  EXPECT_EQ(advertised_mtu(pod_, gateway, mtus()), 0);
}

}  // namespace
}  // namespace podswitch
