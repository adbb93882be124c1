// SPDX-License-Identifier: Apache-2.0
#include "switch/net/address.h"

#include <gtest/gtest.h>

namespace podswitch {
namespace {

TEST(MacAddress, ParsesOnlyTheWholeText) {
  EXPECT_EQ(MacAddress::parse("02:00:00:aA:0b:ff")->to_string(), "02:00:00:aa:0b:ff");
  for (const char* bad : {"", "02:00:00:aa:0b", "02:00:00:aa:0b:ff:00", "02-00-00-aa-0b-ff",
                          "02:00:00:aa:0b:fg", " 2:00:00:aa:0b:ff", "02:00:00:aa:0b:f "})
    EXPECT_FALSE(MacAddress::parse(bad)) << bad;
}

TEST(IpAddress, KeepsBothFamiliesApart) {
  const auto v4 = IpAddress::parse("10.1.2.3");
  ASSERT_TRUE(v4);
  EXPECT_TRUE(v4->is_v4());
  EXPECT_EQ(v4->to_string(), "10.1.2.3");
  const auto v6 = IpAddress::parse("fd00::1");
  ASSERT_TRUE(v6);
  EXPECT_FALSE(v6->is_v4());
  EXPECT_EQ(v6->to_string(), "fd00::1");
  for (const char* bad : {"", "10.1.2", "10.1.2.3/24", "10.1.2.300", "fd00:::1", "fd00::1%eth0"})
    EXPECT_FALSE(IpAddress::parse(bad)) << bad;
  EXPECT_FALSE(IpAddress::parse(std::string_view("10.1.2.3\0", 9)));
}

TEST(Ipv6Address, DerivesFromMacAndTarget) {
  EXPECT_EQ(Ipv6Address::link_local_of(*MacAddress::parse("02:00:00:00:00:01")).to_string(),
            "fe80::ff:fe00:1");
  EXPECT_EQ(Ipv6Address::solicited_node_of(*Ipv6Address::parse("fd00::12:3456")).to_string(),
            "ff02::1:ff12:3456");
}

}  // namespace
}  // namespace podswitch
