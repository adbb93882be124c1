// SPDX-License-Identifier: Apache-2.0
// What pods hear about their router: when they ask (ports 1 and 2, of which 2 hears nothing), and unasked.
#include <gtest/gtest.h>

#include "pmd/router_advertiser.h"
#include "tests/unit/fake_port.h"
#include "tests/unit/provoked.h"
#include "tests/unit/rig.h"

namespace podswitch::test {
namespace {

constexpr std::string_view kMac1 = "02:00:00:00:00:01", kMac2 = "02:00:00:00:00:02";
constexpr std::string_view kGateway = "02:aa:00:00:00:fe", kRoutersMac = "33:33:00:00:00:02";
constexpr std::string_view kOwnLinkLocal = "fe80::ff:fe00:1", kGatewayLinkLocal = "fe80::aa:ff:fe00:fe";

IpAddress ip(std::string_view text) {
  return *IpAddress::parse(text);
}

Rig& rig() {
  static Rig rig({{.id = 1, .mac = mac(kMac1), .ips = {ip("2001:db8::1")}, .advertised_mtu = 1450},
                  {.id = 2, .mac = mac(kMac2), .ips = {ip("2001:db8::2")}}},
                 {mac(kGateway), {ip("2001:db8::fe")}, Gateway::Advertisements::DefaultRouter});
  return rig;
}

Packet solicitation(std::string_view source, uint8_t hop_limit = 255, std::string_view from = kMac1) {
  return Packet()
      .eth(from, kRoutersMac)
      .ipv6(source, "ff02::2", {.hop_limit = hop_limit})
      .icmpv6(133)
      .payload(Bytes(4));
}
Packet advertisement(std::string_view to_mac, std::string_view to, uint16_t lifetime, uint16_t mtu) {
  const auto high = [](unsigned value) { return static_cast<uint8_t>(value >> 8); };
  const auto low = [](unsigned value) { return static_cast<uint8_t>(value); };
  return Packet()
      .eth(kGateway, to_mac)
      .ipv6(kGatewayLinkLocal, to, {.hop_limit = 255})
      .icmpv6(134)
      .payload(Bytes{64, 0, high(lifetime), low(lifetime), 0, 0, 0, 0, 0, 0, 0, 0})
      .nd_option(1, kGateway)
      .payload(Bytes{5, 1, 0, 0, 0, 0, high(mtu), low(mtu)});
}

std::string fate(PortId port, const Packet& packet) {
  const Outcome outcome = rig().send(port, packet);
  if (outcome.meta.verdict == Verdict::Drop) provoked_reasons().insert(outcome.meta.reason);
  return outcome.verdict();
}

TEST(RouterAdvertisement, ForWhoAsks) {
  const Outcome asked = rig().send(1, solicitation(kOwnLinkLocal).nd_option(1, kMac1));
  EXPECT_EQ(asked.verdict(), "to 1");
  EXPECT_EQ(text_of(*asked.packet), text_of(advertisement(kMac1, kOwnLinkLocal, 1800, 1450).bytes()));
  const Outcome unspecified = rig().send(1, solicitation("::"));
  EXPECT_EQ(unspecified.verdict(), "to 1");
  EXPECT_EQ(text_of(*unspecified.packet),
            text_of(advertisement("33:33:00:00:00:01", "ff02::1", 1800, 1450).bytes()));
}

TEST(RouterAdvertisement, NotForOthers) {
  EXPECT_EQ(fate(2, solicitation("fe80::ff:fe00:2", 255, kMac2)), "flood");
  EXPECT_EQ(fate(1, solicitation(kOwnLinkLocal, 64)), "malformed");
  EXPECT_EQ(fate(1, solicitation("::").nd_option(1, kMac1)), "malformed");
  EXPECT_EQ(fate(1, solicitation("2001:db8::9")), "guard_ipv6");
  EXPECT_EQ(fate(1, solicitation(kOwnLinkLocal).nd_option(1, kMac2)), "guard_nd");
  EXPECT_EQ(fate(1, Packet()
                        .eth(kMac1, "33:33:00:00:00:01")
                        .ipv6(kOwnLinkLocal, "ff02::1", {.hop_limit = 255})
                        .icmpv6(134)
                        .payload(Bytes(12))),
            "guard_nd");
}

TEST(RouterAdvertisement, TheRouterIsThere) {
  const Outcome outcome = rig().send(1, Packet()
                                            .eth(kMac1, "33:33:ff:00:00:fe")
                                            .ipv6("2001:db8::1", "ff02::1:ff00:fe", {.hop_limit = 255})
                                            .solicitation(kGatewayLinkLocal)
                                            .nd_option(1, kMac1));
  EXPECT_EQ(outcome.verdict(), "to 1");
  EXPECT_EQ(text_of(*outcome.packet), text_of(Packet()
                                                  .eth(kGateway, kMac1)
                                                  .ipv6(kGatewayLinkLocal, "2001:db8::1", {.hop_limit = 255})
                                                  .advertisement(kGatewayLinkLocal, 0xe0000000)
                                                  .nd_option(2, kGateway)
                                                  .bytes()));
}

class RouterAdvertiserTest : public testing::Test {
 protected:
  // How often the listeners heard it in each of the seconds [from, to).
  std::vector<uint32_t> heard(uint32_t from, uint32_t to) {
    std::vector<uint32_t> seconds;
    for (uint32_t now = from; now < to; ++now) {
      sent_.clear();
      advertiser_.every_second(now);
      seconds.insert(seconds.end(), sent_.size(), now);
    }
    return seconds;
  }

  FakeHost host_;
  FakePort port_{1, host_};
  std::vector<Bytes> sent_;
  RouterAdvertiser advertiser_{packet_pool(), mac(kGateway), 0, [this](PortId, rte_mbuf* packet) {
                                 sent_.push_back(bytes_of(*packet));
                                 rte_pktmbuf_free(packet);
                               }};
};

TEST_F(RouterAdvertiserTest, ThriceAtFirstAndSeldomLater) {
  advertiser_.set({{&port_, 1430}});
  EXPECT_EQ(heard(10, 11).size(), 1u);
  ASSERT_EQ(sent_.size(), 1u);
  EXPECT_EQ(text_of(sent_[0]), text_of(advertisement("33:33:00:00:00:01", "ff02::1", 0, 1430).bytes()));
  EXPECT_EQ(heard(11, 50), (std::vector<uint32_t>{26, 42}));
  const auto later = heard(50, 10'000);
  ASSERT_GE(later.size(), 16u);
  uint32_t last = 42;
  for (const uint32_t now : later) {
    EXPECT_GE(now - last, 200u);
    EXPECT_LE(now - last, 600u);
    last = now;
  }
}

TEST_F(RouterAdvertiserTest, AgainWhenSomethingChanged) {
  advertiser_.set({{&port_, 1430}});
  heard(10, 50);
  advertiser_.set({{&port_, 1430}});
  EXPECT_TRUE(heard(50, 60).empty());
  advertiser_.set({{&port_, 1400}});
  EXPECT_EQ(heard(60, 61).size(), 1u) << "another MTU";
  port_.go_down();
  EXPECT_TRUE(heard(61, 1000).empty()) << "down";
  advertiser_.set({});
  EXPECT_TRUE(heard(1000, 2000).empty()) << "gone";
}

}  // namespace
}  // namespace podswitch::test
