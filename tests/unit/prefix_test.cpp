// SPDX-License-Identifier: Apache-2.0
#include "switch/net/prefix.h"

#include <gtest/gtest.h>

namespace podswitch {
namespace {

Prefix prefix(const char* text) {
  return Prefix::parse(text).value();
}
IpAddress ip(const char* text) {
  return IpAddress::parse(text).value();
}

TEST(Prefix, ParsesOnlyTheWholeCanonicalText) {
  for (const char* good :
       {"0.0.0.0/0", "10.244.1.0/24", "10.1.2.3/32", "::/0", "fd00:10::/64", "fd00::1/128"})
    EXPECT_EQ(prefix(good).to_string(), good);
  for (const char* bad : {"", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/24", "10.0.0.0/-1",
                          "10.0.0.0/08", "10.0.0.0/24 ", "10.0.0.0/2x", "/24", "fd00::/129", "fd00::1/64",
                          "10.0.0.0/8/8", "10.0.0.0/4294967304"})
    EXPECT_FALSE(Prefix::parse(bad)) << bad;
}

TEST(Prefix, ContainsWhatSharesItsBits) {
  EXPECT_TRUE(prefix("10.244.0.0/17").contains(ip("10.244.127.255")));
  EXPECT_FALSE(prefix("10.244.0.0/17").contains(ip("10.244.128.0")));
  EXPECT_TRUE(prefix("fd00:8000::/17").contains(ip("fd00:ffff::1")));
  EXPECT_FALSE(prefix("fd00:8000::/17").contains(ip("fd00:7fff::1")));
  EXPECT_TRUE(prefix("0.0.0.0/0").contains(ip("255.255.255.255")));
  EXPECT_TRUE(Prefix::of(ip("fd00::1")).contains(ip("fd00::1")));
}

TEST(Prefix, KeepsTheFamiliesApart) {
  EXPECT_FALSE(prefix("::/0").contains(ip("10.0.0.1")));
  EXPECT_FALSE(prefix("0.0.0.0/0").contains(ip("::1")));
  EXPECT_FALSE(prefix("::/0").overlaps(prefix("0.0.0.0/0")));
}

TEST(Prefix, OverlapsWhenOneHoldsTheOther) {
  EXPECT_TRUE(prefix("10.0.0.0/8").overlaps(prefix("10.1.0.0/16")));
  EXPECT_TRUE(prefix("10.1.0.0/16").overlaps(prefix("10.0.0.0/8")));
  EXPECT_FALSE(prefix("10.0.0.0/16").overlaps(prefix("10.1.0.0/16")));
}

TEST(PrefixedAddress, KnowsItsPrefix) {
  EXPECT_EQ(PrefixedAddress::parse("192.0.2.7/24")->prefix(), prefix("192.0.2.0/24"));
  EXPECT_EQ(PrefixedAddress::parse("fd00::7/64")->prefix(), prefix("fd00::/64"));
  EXPECT_EQ(PrefixedAddress::parse("fd00::7/64")->to_string(), "fd00::7/64");
  for (const char* bad : {"192.0.2.7", "0.0.0.0/0", "224.0.0.1/4", "ff02::1/64", "::/0", "192.0.2.7/33"})
    EXPECT_FALSE(PrefixedAddress::parse(bad)) << bad;
}

}  // namespace
}  // namespace podswitch
