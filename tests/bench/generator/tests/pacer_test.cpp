// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/generator/pacer.h"

#include <gtest/gtest.h>

namespace podswitch::bench {
namespace {

constexpr double kHz = 1e9;  // so that the clock counts nanoseconds
constexpr uint64_t kMs = 1'000'000;

struct Sent {
  uint64_t frames = 0;
  uint16_t largest = 0;
};

Sent send(Pacer& pacer, uint64_t from, uint64_t to, uint64_t turn = 200) {
  Sent sent;
  for (uint64_t now = from; now < to; now += turn) {
    const uint16_t due = pacer.due(now);
    sent.frames += due;
    sent.largest = std::max(sent.largest, due);
  }
  return sent;
}

TEST(PacerTest, KeepsTheRateInBurstsOfTenMicroseconds) {
  for (const double rate : {1.0, 1'000.0, 99'999.0, 250'000.0, 1'234'567.0, 5e6, 20e6}) {
    Pacer pacer(rate, kHz, 32, 1'000);
    const Sent sent = send(pacer, 1'000, 1'000 + 100 * kMs);
    EXPECT_NEAR(static_cast<double>(sent.frames), rate / 10, rate / 10'000 + sent.largest) << rate;
    EXPECT_LE(sent.largest, std::clamp(rate / 100'000, 1.0, 32.0)) << rate;
  }
}

TEST(PacerTest, LateTurnsDoNotLowerTheRate) {
  Pacer pacer(10e6, kHz, 32, 0);
  EXPECT_NEAR(static_cast<double>(send(pacer, 0, 100 * kMs, 1'700).frames), 1e6, 1e3);
}

TEST(PacerTest, AfterAGapTheRateIsOnlyLittleHigher) {
  Pacer pacer(1e6, kHz, 32, 0);
  send(pacer, 0, 10 * kMs);
  const Sent after = send(pacer, 15 * kMs, 16 * kMs);
  EXPECT_LE(after.frames, 1'040U);
  EXPECT_GE(after.frames, 1'010U);
  EXPECT_EQ(after.largest, 10U);
}

TEST(PacerTest, WhatAGapCostIsMadeUpFor) {
  Pacer pacer(1e6, kHz, 32, 0);
  const uint64_t before = send(pacer, 0, 10 * kMs).frames;
  const uint64_t after = send(pacer, 12 * kMs, 1'000 * kMs).frames;
  EXPECT_NEAR(static_cast<double>(before + after), 1e6, 100);
}

TEST(PacerTest, WhoIsTooSlowSendsLess) {
  Pacer pacer(20e6, kHz, 32, 0);
  const uint64_t turn = 4'000;  // a burst each gives 8 million a second
  EXPECT_NEAR(static_cast<double>(send(pacer, 0, 100 * kMs, turn).frames), 800'000, 8'000);
}

}  // namespace
}  // namespace podswitch::bench
