// SPDX-License-Identifier: Apache-2.0
#include "switch/icmp_limiter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <vector>

namespace podswitch {
namespace {

constexpr uint64_t kHz = 2'000'000'000;
constexpr uint64_t kStart = 123 * kHz;

IpAddress destination(unsigned n) {
  return *IpAddress::parse("10.0." + std::to_string(n / 256) + "." + std::to_string(n % 256));
}

// Destinations in slots of their own.
std::vector<IpAddress> apart(const IcmpLimiter& limiter, size_t count) {
  std::vector<IpAddress> found;
  std::set<size_t> slots;
  for (unsigned n = 0; found.size() < count; ++n)
    if (slots.insert(limiter.slot_of(destination(n))).second) found.push_back(destination(n));
  return found;
}

// How many of `tries` at one moment.
unsigned allowed(IcmpLimiter& limiter, const IpAddress& to, uint64_t now, unsigned tries) {
  unsigned count = 0;
  for (unsigned i = 0; i < tries; ++i) count += limiter.allow(to, now);
  return count;
}

TEST(IcmpLimiter, BurstThenRateForOneDestination) {
  IcmpLimiter limiter({.rate = 1000, .burst = 50, .destination_rate = 100, .destination_burst = 10}, kHz);
  const IpAddress to = destination(1);
  EXPECT_EQ(allowed(limiter, to, kStart, 100), 10u);
  EXPECT_EQ(allowed(limiter, to, kStart + kHz / 100 - 1, 100), 0u);
  EXPECT_EQ(allowed(limiter, to, kStart + kHz / 100, 100), 1u);
  EXPECT_EQ(allowed(limiter, to, kStart + 5 * kHz / 100, 100), 4u);
  EXPECT_EQ(allowed(limiter, to, kStart + 100 * kHz, 100), 10u) << "no more than the burst is saved up";
}

TEST(IcmpLimiter, BurstThenRateForAll) {
  IcmpLimiter limiter({.rate = 1000, .burst = 50, .destination_rate = 100, .destination_burst = 10}, kHz);
  const std::vector<IpAddress> all = apart(limiter, 100);
  const auto allowed_to_all = [&](uint64_t now) {
    unsigned count = 0;
    for (const IpAddress& to : all) count += allowed(limiter, to, now, 1);
    return count;
  };
  EXPECT_EQ(allowed_to_all(kStart), 50u);
  EXPECT_EQ(allowed_to_all(kStart + kHz / 1000), 1u);
  EXPECT_EQ(allowed_to_all(kStart + kHz / 1000 + 20 * kHz / 1000), 20u);
}

TEST(IcmpLimiter, LongRunIsTheRate) {
  IcmpLimiter limiter({}, kHz);
  const std::vector<IpAddress> all = apart(limiter, 40);
  unsigned total = 0, one = 0;
  constexpr uint64_t kSeconds = 10, kStep = kHz / 20'000;
  for (uint64_t i = 0; i < kSeconds * 20'000; ++i) {
    const size_t to = i % all.size();
    const bool sent = limiter.allow(all[to], kStart + i * kStep);
    total += sent;
    one += sent && to == 0;
  }
  EXPECT_LE(total, 1000 * kSeconds + 50);
  EXPECT_GE(total, 1000 * kSeconds);
  EXPECT_LE(one, 100 * kSeconds + 10);
}

// What is refused to one sender costs the others nothing.
TEST(IcmpLimiter, AFloodLeavesTheOthersTheirs) {
  IcmpLimiter limiter({}, kHz);
  const std::vector<IpAddress> all = apart(limiter, 2);
  unsigned refused = 0;
  for (uint64_t i = 0; i < 1'000'000; ++i) {
    const uint64_t now = kStart + i * (kHz / 1'000'000);
    (void)limiter.allow(all[0], now);
    if (i % 20'000 == 0) refused += !limiter.allow(all[1], now);
  }
  EXPECT_EQ(refused, 0u);
}

TEST(IcmpLimiter, NoneAtRateOrBurstZero) {
  for (const auto& options : std::vector<IcmpLimiter::Options>{
           {.rate = 0}, {.burst = 0}, {.destination_rate = 0}, {.destination_burst = 0}}) {
    IcmpLimiter limiter(options, kHz);
    EXPECT_EQ(allowed(limiter, destination(1), kStart, 10), 0u);
  }
}

TEST(IcmpLimiter, CoarseClock) {
  IcmpLimiter limiter({}, 1000);  // milliseconds
  EXPECT_EQ(allowed(limiter, destination(1), 1, 100), 10u);
  EXPECT_EQ(allowed(limiter, destination(1), 11, 100), 1u);
}

TEST(IcmpLimiter, SlotsAreUsedEvenly) {
  IcmpLimiter limiter({}, kHz);
  std::array<unsigned, IcmpLimiter::kSlots> used{};
  for (unsigned n = 0; n < 256 * 64; ++n) ++used[limiter.slot_of(destination(n))];
  EXPECT_GT(*std::min_element(used.begin(), used.end()), 16u);
  EXPECT_LT(*std::max_element(used.begin(), used.end()), 160u);
}

}  // namespace
}  // namespace podswitch
