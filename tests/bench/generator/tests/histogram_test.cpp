// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/generator/histogram.h"

#include <gtest/gtest.h>

namespace podswitch::bench {
namespace {

TEST(HistogramTest, EmptySaysZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.samples(), 0U);
  EXPECT_EQ(histogram.quantile(0.5), 0U);
  EXPECT_EQ(histogram.max(), 0U);
}

TEST(HistogramTest, SmallValuesAreExact) {
  Histogram histogram;
  for (uint64_t value = 1; value <= 100; ++value) histogram.add(value);
  EXPECT_EQ(histogram.quantile(0.5), 50U);
  EXPECT_EQ(histogram.quantile(0.99), 99U);
  EXPECT_EQ(histogram.quantile(0.991), 100U);
  EXPECT_EQ(histogram.quantile(0), 1U);
  EXPECT_EQ(histogram.quantile(1), 100U);
}

TEST(HistogramTest, AnyValueIsAtMostASixtyFourthTooLarge) {
  for (uint64_t value = 1; value < 1ULL << 62; value += value / 7 + 1) {
    Histogram histogram;
    histogram.add(value);
    histogram.add(~0ULL);  // else the largest one would be given as it is
    const uint64_t read = histogram.quantile(0.5);
    ASSERT_GE(read, value);
    ASSERT_LE(read - value, value / 64);
  }
}

TEST(HistogramTest, TheLargestIsExact) {
  Histogram histogram;
  histogram.add(5);
  histogram.add(1'000'003);
  EXPECT_EQ(histogram.max(), 1'000'003U);
  EXPECT_EQ(histogram.quantile(1), 1'000'003U);
  histogram.add(~0ULL);
  EXPECT_EQ(histogram.quantile(1), ~0ULL);
}

TEST(HistogramTest, ARareOneShowsOnlyInItsQuantile) {
  Histogram histogram;
  for (int i = 0; i < 9'990; ++i) histogram.add(100);
  for (int i = 0; i < 10; ++i) histogram.add(1'000'000);
  EXPECT_EQ(histogram.quantile(0.99), 100U);
  EXPECT_EQ(histogram.quantile(0.999), 100U);
  EXPECT_EQ(histogram.quantile(0.9991), 1'000'000U);
}

TEST(HistogramTest, ClearForgets) {
  Histogram histogram;
  histogram.add(7);
  histogram.clear();
  EXPECT_EQ(histogram.samples(), 0U);
  EXPECT_EQ(histogram.quantile(1), 0U);
}

}  // namespace
}  // namespace podswitch::bench
