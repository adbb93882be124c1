// SPDX-License-Identifier: Apache-2.0
#include "switch/vtep_table.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace podswitch {
namespace {

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

TEST(VtepTable, KnowsNobodyAtFirst) {
  const VtepTable table;
  EXPECT_FALSE(table.find(ip("192.0.2.1")));
  EXPECT_FALSE(table.find(ip("2001:db8::1")));
  EXPECT_FALSE(table.find(ip("0.0.0.0")));
  EXPECT_FALSE(table.find(IpAddress{}));
}

TEST(VtepTable, FindsWhoIsThereAndHisHop) {
  VtepTable table;
  table.build(std::vector<VtepTable::Entry>{
      {ip("192.0.2.1")}, {ip("2001:db8::1")}, {ip("192.0.2.2"), 7}, {ip("2001:db8::2"), 8}});
  EXPECT_EQ(table.size(), 4u);
  EXPECT_EQ(table.find(ip("192.0.2.1")), kNoNextHop);
  EXPECT_EQ(table.find(ip("192.0.2.2")), 7u);
  EXPECT_EQ(table.find(Ipv4Address{{192, 0, 2, 2}}), 7u);
  EXPECT_EQ(table.find(ip("2001:db8::1")), kNoNextHop);
  EXPECT_EQ(table.find(ip("2001:db8::2")), 8u);
  EXPECT_FALSE(table.find(ip("192.0.2.3")));
  EXPECT_FALSE(table.find(ip("2001:db8::3")));
}

TEST(VtepTable, WhoComesTwiceKeepsHisHop) {
  VtepTable table;
  table.build(std::vector<VtepTable::Entry>{{ip("192.0.2.1")},
                                            {ip("192.0.2.1"), 5},
                                            {ip("192.0.2.1")},
                                            {ip("2001:db8::1"), 6},
                                            {ip("2001:db8::1")}});
  EXPECT_EQ(table.size(), 2u);
  EXPECT_EQ(table.find(ip("192.0.2.1")), 5u);
  EXPECT_EQ(table.find(ip("2001:db8::1")), 6u);
}

TEST(VtepTable, NoAddressIsNobodys) {
  VtepTable table;
  table.build(std::vector<VtepTable::Entry>{{ip("0.0.0.0"), 1}, {IpAddress{}, 2}});
  EXPECT_EQ(table.size(), 0u);
  EXPECT_FALSE(table.find(ip("0.0.0.0")));
  EXPECT_FALSE(table.find(IpAddress{}));
}

// As many as a bucket does not hold, and as many as a large cluster has.
class VtepTableOfSize : public testing::TestWithParam<size_t> {};

TEST_P(VtepTableOfSize, HoldsAllAndNoOther) {
  std::mt19937 random(3);
  std::set<uint32_t> words;
  while (words.size() < 2 * GetParam()) words.insert(random() | 1);
  std::vector<VtepTable::Entry> entries;
  std::vector<IpAddress> others;
  for (const uint32_t word : words) {
    Ipv4Address v4{};
    std::memcpy(v4.bytes.data(), &word, sizeof word);
    Ipv6Address v6{{0x20, 1, 0xd, 0xb8}};
    std::memcpy(v6.bytes.data() + 12, &word, sizeof word);
    for (const IpAddress& ip : {IpAddress(v4), IpAddress(v6)}) {
      if (entries.size() < 2 * GetParam())
        entries.push_back({ip, word % 1000});
      else
        others.push_back(ip);
    }
  }
  VtepTable table;
  table.build(entries);
  EXPECT_EQ(table.size(), entries.size());
  for (const VtepTable::Entry& entry : entries) ASSERT_EQ(table.find(entry.ip), entry.hop);
  for (const IpAddress& other : others) ASSERT_FALSE(table.find(other));
}

INSTANTIATE_TEST_SUITE_P(Sizes, VtepTableOfSize, testing::Values(1, 2, 9, 33, 500, 5000));

}  // namespace
}  // namespace podswitch
