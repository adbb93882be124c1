// SPDX-License-Identifier: Apache-2.0
#include "switch/lpm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

namespace podswitch {
namespace {

Prefix prefix(const std::string& text) {
  return Prefix::parse(text).value();
}
IpAddress ip(const std::string& text) {
  return IpAddress::parse(text).value();
}
uint32_t find(const Lpm& lpm, const IpAddress& address) {
  return address.is_v4() ? lpm.find(address.v4()) : lpm.find(address.v6);
}

struct Question {
  std::string destination;
  uint32_t answer;
};
struct Case {
  std::string name;
  std::vector<std::string> prefixes;  // their places are their values
  std::vector<Question> questions;
};

const std::vector<Case> kCases = {
    {"nothing", {}, {{"0.0.0.0", kNoRoute}, {"10.0.0.1", kNoRoute}, {"::", kNoRoute}, {"fd00::1", kNoRoute}}},
    {"default routes",
     {"0.0.0.0/0", "::/0"},
     {{"0.0.0.0", 0}, {"255.255.255.255", 0}, {"::", 1}, {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1}}},
    {"one family says nothing about the other",
     {"0.0.0.0/0"},
     {{"10.0.0.1", 0}, {"::", kNoRoute}, {"::a00:1", kNoRoute}}},
    {"halves",
     {"0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"},
     {{"0.0.0.0", 0},
      {"127.255.255.255", 0},
      {"128.0.0.0", 1},
      {"255.255.255.255", 1},
      {"7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 2},
      {"8000::", 3}}},
    {"only the second half",
     {"128.0.0.0/1", "8000::/1"},
     {{"127.0.0.1", kNoRoute}, {"128.0.0.0", 0}, {"::1", kNoRoute}, {"f000::", 1}}},
    {"host routes",
     {"10.0.0.5/32", "0.0.0.0/32", "255.255.255.255/32", "fd00::5/128", "::/128",
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"},
     {{"10.0.0.5", 0},
      {"10.0.0.4", kNoRoute},
      {"10.0.0.6", kNoRoute},
      {"0.0.0.0", 1},
      {"0.0.0.1", kNoRoute},
      {"255.255.255.255", 2},
      {"255.255.255.254", kNoRoute},
      {"fd00::5", 3},
      {"fd00::4", kNoRoute},
      {"fd00::6", kNoRoute},
      {"fd00:0:0:1::5", kNoRoute},
      {"::", 4},
      {"::1", kNoRoute},
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 5},
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", kNoRoute}}},
    {"nested, and back out",
     {"0.0.0.0/0", "10.0.0.0/8", "10.244.0.0/16", "10.244.7.0/24", "10.244.7.128/25", "10.244.7.200/32"},
     {{"9.255.255.255", 0},
      {"10.0.0.0", 1},
      {"10.243.255.255", 1},
      {"10.244.0.0", 2},
      {"10.244.6.255", 2},
      {"10.244.7.0", 3},
      {"10.244.7.127", 3},
      {"10.244.7.128", 4},
      {"10.244.7.199", 4},
      {"10.244.7.200", 5},
      {"10.244.7.201", 4},
      {"10.244.8.0", 2},
      {"10.245.0.0", 1},
      {"11.0.0.0", 0}}},
    {"nested across the middle of an IPv6 address",
     {"::/0", "fd00:10::/32", "fd00:10:0:4::/62", "fd00:10:0:5::/64", "fd00:10:0:5::/65",
      "fd00:10:0:5:0:7::/96", "fd00:10:0:5:0:7:0:1/128", "fd00:10:0:6:8000::/65"},
     {{"fd00:11::", 0},
      {"fd00:f:ffff:ffff:ffff:ffff:ffff:ffff", 0},
      {"fd00:10::", 1},
      {"fd00:10:0:3:ffff:ffff:ffff:ffff", 1},
      {"fd00:10:0:4::5", 2},
      {"fd00:10:0:5:8000::", 3},
      {"fd00:10:0:5::", 4},
      {"fd00:10:0:5:0:6:ffff:ffff", 4},
      {"fd00:10:0:5:0:7::", 5},
      {"fd00:10:0:5:0:7:0:1", 6},
      {"fd00:10:0:5:0:7:0:2", 5},
      {"fd00:10:0:5:0:8::", 4},
      {"fd00:10:0:6::", 2},
      {"fd00:10:0:6:8000::", 7},
      {"fd00:10:0:7::", 2},
      {"fd00:10:0:8::", 1}}},
    {"a hole: a longer prefix with the value of no other",
     {"10.0.0.0/8", "10.1.2.0/23", "10.1.2.0/24"},
     {{"10.1.1.255", 0}, {"10.1.2.0", 2}, {"10.1.3.0", 1}, {"10.1.4.0", 0}}},
    {"adjacent",
     {"10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/23", "10.0.4.0/22", "fd00:0:0:1::/64", "fd00:0:0:2::/63"},
     {{"9.255.255.255", kNoRoute},
      {"10.0.0.255", 0},
      {"10.0.1.0", 1},
      {"10.0.1.255", 1},
      {"10.0.2.0", 2},
      {"10.0.3.255", 2},
      {"10.0.4.0", 3},
      {"10.0.7.255", 3},
      {"10.0.8.0", kNoRoute},
      {"fd00::ffff:ffff:ffff:ffff", kNoRoute},
      {"fd00:0:0:1::", 4},
      {"fd00:0:0:2::", 5},
      {"fd00:0:0:3:ffff:ffff:ffff:ffff", 5},
      {"fd00:0:0:4::", kNoRoute}}},
    {"far apart",
     {"10.244.0.0/24", "172.16.0.0/12", "192.168.0.0/16", "fd00::/64", "2001:db8::/32"},
     {{"10.244.0.1", 0},
      {"10.244.1.0", kNoRoute},
      {"172.31.0.0", 1},
      {"172.32.0.0", kNoRoute},
      {"192.168.1.1", 2},
      {"192.169.0.0", kNoRoute},
      {"128.0.0.0", kNoRoute},
      {"fd00::1", 3},
      {"2001:db8:1::", 4},
      {"2001:db9::", kNoRoute}}},
};

TEST(Lpm, Cases) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    std::vector<Route> routes;
    for (const std::string& text : c.prefixes)
      routes.push_back({prefix(text), static_cast<uint32_t>(routes.size())});
    const auto sorted = Lpm::build(routes);
    std::reverse(routes.begin(), routes.end());
    const auto reversed = Lpm::build(routes);
    for (const auto& [destination, answer] : c.questions) {
      EXPECT_EQ(find(*sorted, ip(destination)), answer) << destination;
      EXPECT_EQ(find(*reversed, ip(destination)), answer) << destination;
    }
  }
}

TEST(Lpm, DoesNotTakeAMappedAddressForIpv4) {
  const std::vector<Route> routes = {{prefix("10.0.0.0/8"), 1}, {prefix("::/80"), 2}};
  const auto lpm = Lpm::build(routes);
  EXPECT_EQ(lpm->find(ip("10.0.0.1").v4()), 1u);
  EXPECT_EQ(lpm->find(ip("10.0.0.1").v6), 2u);
}

TEST(Lpm, AnswersForEveryLengthNestedInTheOther) {
  std::vector<Route> routes;
  for (uint8_t length = 0; length <= 128; ++length)
    routes.push_back({{IpAddress(Ipv6Address{}), length}, length});
  for (uint8_t length = 0; length <= 32; ++length)
    routes.push_back({{IpAddress(Ipv4Address{}), length}, length});
  const auto lpm = Lpm::build(routes);
  EXPECT_EQ(lpm->find(Ipv6Address{}), 128u);
  for (uint32_t length = 0; length < 128; ++length) {
    Ipv6Address address{};
    address.bytes[length / 8] = static_cast<uint8_t>(0x80 >> length % 8);  // what is longer does not hold it
    EXPECT_EQ(lpm->find(address), length);
  }
  for (uint32_t length = 0; length < 32; ++length) {
    Ipv4Address address{};
    address.bytes[length / 8] = static_cast<uint8_t>(0x80 >> length % 8);
    EXPECT_EQ(lpm->find(address), length);
  }
}

TEST(Lpm, TakesEveryValueBelowTheLimit) {
  const std::vector<Route> routes = {{prefix("10.0.0.0/8"), Lpm::kValueLimit - 1},
                                     {prefix("10.1.0.0/16"), 0}};
  const auto lpm = Lpm::build(routes);
  EXPECT_EQ(lpm->find(ip("10.0.0.1").v4()), Lpm::kValueLimit - 1);
  EXPECT_EQ(lpm->find(ip("10.1.0.1").v4()), 0u);
}

// Equal values leave nothing to look at.
TEST(Lpm, FindsARouteWithTheValueOfItsSurroundings) {
  const std::vector<Route> routes = {
      {prefix("10.0.0.0/8"), 1}, {prefix("10.1.0.0/16"), 1}, {prefix("10.1.1.0/24"), 2}};
  const auto lpm = Lpm::build(routes);
  EXPECT_EQ(lpm->find(ip("10.1.0.1").v4()), 1u);
  EXPECT_EQ(lpm->find(ip("10.1.1.1").v4()), 2u);
}

TEST(Lpm, RefusesDuplicatesAndWhatIsNoRoute) {
  const auto build = [](std::vector<Route> routes) { return Lpm::build(routes); };
  EXPECT_THROW(build({{prefix("10.0.0.0/8"), 1}, {prefix("11.0.0.0/8"), 1}, {prefix("10.0.0.0/8"), 2}}),
               std::invalid_argument);
  EXPECT_THROW(build({{prefix("fd00::/8"), 1}, {prefix("fd00::/8"), 1}}), std::invalid_argument);
  EXPECT_THROW(build({{prefix("0.0.0.0/0"), 1}, {prefix("0.0.0.0/0"), 1}}), std::invalid_argument);
  EXPECT_NO_THROW(build({{prefix("0.0.0.0/0"), 1}, {prefix("::/0"), 1}, {prefix("0.0.0.0/1"), 1}}));
  EXPECT_THROW(build({{prefix("10.0.0.0/8"), kNoRoute}}), std::invalid_argument);
  EXPECT_THROW(build({{prefix("10.0.0.0/8"), Lpm::kValueLimit}}), std::invalid_argument);
  EXPECT_THROW(build({{{ip("10.0.0.1"), 24}, 1}}), std::invalid_argument);
  EXPECT_THROW(build({{{ip("10.0.0.0"), 33}, 1}}), std::invalid_argument);
  EXPECT_THROW(build({{{ip("fd00::1"), 64}, 1}}), std::invalid_argument);
  EXPECT_THROW(build({{{ip("fd00:0:0:1::"), 63}, 1}}), std::invalid_argument);
  EXPECT_THROW(build({{{ip("fd00::"), 129}, 1}}), std::invalid_argument);
}

// Against a linear search, which knows nothing of tries. Bits are numbered as in an IPv6 or mapped address.
using Bytes = std::array<uint8_t, 16>;

class Random {
 public:
  explicit Random(unsigned seed) : random_(seed) {}
  uint32_t below(size_t n) { return static_cast<uint32_t>(random_() % n); }
  Bytes bytes() {
    Bytes made;
    for (uint8_t& byte : made) byte = static_cast<uint8_t>(random_());
    return made;
  }

 private:
  std::mt19937_64 random_;
};

struct Family {
  bool is_v4;
  unsigned offset() const { return is_v4 ? 96 : 0; }
  unsigned bits() const { return is_v4 ? 32 : 128; }
  IpAddress address(Bytes bytes) const {
    if (!is_v4) return IpAddress(Ipv6Address{bytes});
    return IpAddress(Ipv4Address{{bytes[12], bytes[13], bytes[14], bytes[15]}});
  }
};

bool same_bits(const Bytes& a, const Bytes& b, unsigned from, unsigned count) {
  for (unsigned bit = from; bit < from + count; ++bit)
    if (((a[bit / 8] ^ b[bit / 8]) >> (7 - bit % 8) & 1) != 0) return false;
  return true;
}
Bytes with_bits_from(Bytes bytes, unsigned from, bool value) {
  for (unsigned bit = from; bit < 128; ++bit) {
    const auto mask = static_cast<uint8_t>(0x80 >> bit % 8);
    bytes[bit / 8] = static_cast<uint8_t>(value ? bytes[bit / 8] | mask : bytes[bit / 8] & ~mask);
  }
  return bytes;
}
// The next (1) or previous (-1) number.
Bytes neighbour(Bytes bytes, int step) {
  for (size_t i = bytes.size(); i-- > 0;) {
    bytes[i] = static_cast<uint8_t>(bytes[i] + step);
    if (bytes[i] != (step > 0 ? 0x00 : 0xff)) break;
  }
  return bytes;
}

uint32_t linear(const std::vector<Route>& routes, Family family, const Bytes& address) {
  uint32_t best = kNoRoute;
  int longest = -1;
  for (const auto& [prefix, value] : routes)
    if (prefix.length > longest &&
        same_bits(address, prefix.address.v6.bytes, family.offset(), prefix.length)) {
      longest = prefix.length;
      best = value;
    }
  return best;
}

// Clustered: all in a few blocks, so that they nest and adjoin.
std::vector<Route> some_routes(Random& random, Family family, bool clustered, size_t count) {
  std::vector<Bytes> blocks(1 + random.below(4));
  for (Bytes& block : blocks) block = random.bytes();
  const unsigned block_bits = random.below(family.bits());
  const unsigned varied = 1 + random.below(16);
  std::map<Prefix, uint32_t> made;
  for (size_t i = 0; i < count; ++i) {
    Bytes bytes = random.bytes();
    unsigned length = random.below(family.bits() + 1);
    if (clustered) {
      const Bytes own = bytes;
      const unsigned from = family.offset() + block_bits;
      bytes = with_bits_from(blocks[random.below(blocks.size())], from, false);
      for (unsigned bit = from; bit < std::min(from + varied, 128U); ++bit)
        bytes[bit / 8] |= own[bit / 8] & static_cast<uint8_t>(0x80 >> bit % 8);
      if (random.below(8) != 0)
        length = std::min(block_bits + varied / 2 + random.below(varied), family.bits());
    }
    bytes = with_bits_from(bytes, family.offset() + length, false);
    const Prefix key{family.address(bytes), static_cast<uint8_t>(length)};
    if (key.is_v4() == family.is_v4) made[key] = random.below(4) == 0 ? random.below(3) : random.below(1000);
  }
  std::vector<Route> routes;
  for (const auto& [key, value] : made) routes.push_back({key, value});
  return routes;
}

class LpmRandomised : public testing::TestWithParam<std::tuple<bool, bool>> {};

TEST_P(LpmRandomised, AgreesWithALinearSearch) {
  const Family family{std::get<0>(GetParam())};
  const bool clustered = std::get<1>(GetParam());
  for (unsigned seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    auto routes = some_routes(random, family, clustered, size_t{1} << random.below(9));
    std::vector<Bytes> asked;
    for (const Route& route : routes) {
      // The first and last address of each, those outside of it, and one inside.
      const Bytes first = route.prefix.address.v6.bytes;
      const unsigned end = family.offset() + route.prefix.length;
      const Bytes last = with_bits_from(first, end, true);
      Bytes inside = random.bytes();
      for (unsigned bit = 0; bit < end; ++bit) {
        const auto mask = static_cast<uint8_t>(0x80 >> bit % 8);
        inside[bit / 8] = static_cast<uint8_t>((inside[bit / 8] & ~mask) | (first[bit / 8] & mask));
      }
      asked.insert(asked.end(), {first, last, neighbour(first, -1), neighbour(last, 1), inside});
    }
    for (int i = 0; i < 50; ++i) asked.push_back(random.bytes());
    for (size_t i = routes.size(); i-- > 1;) std::swap(routes[i], routes[random.below(i + 1)]);
    const auto lpm = Lpm::build(routes);
    for (const Bytes& bytes : asked) {
      const IpAddress address = family.address(bytes);
      const uint32_t found = family.is_v4 ? lpm->find(address.v4()) : lpm->find(address.v6);
      ASSERT_EQ(found, linear(routes, family, address.v6.bytes)) << address.to_string();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Lpm, LpmRandomised, testing::Combine(testing::Bool(), testing::Bool()),
                         [](const auto& param) {
                           return std::string(std::get<0>(param.param) ? "Ipv4" : "Ipv6") +
                                  (std::get<1>(param.param) ? "Clustered" : "Scattered");
                         });

// Pod CIDRs of 5,000 nodes, and the host routes of the first one's pods. `scattered`: a random CIDR for each.
std::vector<Route> cluster(bool scattered) {
  std::mt19937_64 random(1);
  std::set<uint64_t> numbers;
  while (numbers.size() < 5000) numbers.insert(scattered ? random() & 0xffffff : numbers.size() + 0xa4000);
  std::vector<Route> routes;
  const auto add = [&](const IpAddress& address, unsigned length) {
    routes.push_back({{address, static_cast<uint8_t>(length)}, static_cast<uint32_t>(routes.size())});
  };
  const auto v4 = [](uint64_t node, unsigned pod) {
    return IpAddress(Ipv4Address{{static_cast<uint8_t>(node >> 16), static_cast<uint8_t>(node >> 8),
                                  static_cast<uint8_t>(node), static_cast<uint8_t>(pod)}});
  };
  const auto v6 = [&](uint64_t node, unsigned pod) {
    Ipv6Address address{{0xfd, 0x00, 0x00, 0x10, 0x02}};
    if (scattered)
      for (size_t i = 1; i < 5; ++i)
        address.bytes[i] = static_cast<uint8_t>(node * 0x9e3779b97f4a7c15 >> (8 * i));
    for (size_t i = 0; i < 3; ++i) address.bytes[5 + i] = static_cast<uint8_t>(node >> (8 * (2 - i)));
    address.bytes[15] = static_cast<uint8_t>(pod);
    return IpAddress(address);
  };
  add(IpAddress(Ipv4Address{}), 0);
  add(IpAddress(Ipv6Address{}), 0);
  for (const uint64_t node : numbers) {
    add(v4(node, 0), 24);
    add(v6(node, 0), 64);
  }
  for (unsigned pod = 1; pod < 255; ++pod) {
    add(v4(*numbers.begin(), pod), 32);
    add(v6(*numbers.begin(), pod), 128);
  }
  return routes;
}

TEST(Lpm, HoldsTenThousandRoutesInLittleMemory) {
  for (const bool scattered : {false, true}) {
    const std::vector<Route> routes = cluster(scattered);
    const auto lpm = Lpm::build(routes);
    EXPECT_LE(lpm->memory_bytes(), (scattered ? 640u : 48u) * 1024) << scattered;
    for (const Route& route : routes) {
      if (route.prefix.length == 0) continue;
      EXPECT_EQ(find(*lpm, route.prefix.address), route.value) << route.prefix.to_string();
    }
  }
}

TEST(Lpm, NeedsAlmostNothingForFewRoutes) {
  const auto bytes = [](std::vector<Route> routes) { return Lpm::build(routes)->memory_bytes(); };
  EXPECT_LE(bytes({}), 64u);
  EXPECT_LE(bytes({{prefix("0.0.0.0/0"), 1}, {prefix("::/0"), 2}}), 64u);
  EXPECT_LE(bytes({{prefix("10.0.0.0/24"), 1}, {prefix("fd00::/64"), 2}}), 128u);
  EXPECT_LE(bytes({{prefix("10.0.0.0/24"), 1}, {prefix("192.168.0.0/24"), 2}, {prefix("172.16.0.0/12"), 3}}),
            256u);
}

// Whoever chooses the prefixes: some 100 bytes a route.
TEST(Lpm, IsBoundedForAnyRoutes) {
  for (const bool is_v4 : {true, false})
    for (const bool clustered : {true, false}) {
      Random random(7);
      const auto routes = some_routes(random, {is_v4}, clustered, 10000);
      EXPECT_LE(Lpm::build(routes)->memory_bytes(), 64 + 128 * routes.size()) << is_v4 << clustered;
    }
}

}  // namespace
}  // namespace podswitch
