// SPDX-License-Identifier: Apache-2.0
#include "pmd/assignment.h"

#include <gtest/gtest.h>

namespace podswitch {
namespace {

const std::vector<unsigned> kCores{4, 6};

TEST(Assignment, IsRoundRobinWithoutPins) {
  const auto a = assign_queues({{"a", 0}, {"a", 1}, {"b", 0}, {"c", 0}}, {}, kCores, {});
  EXPECT_EQ(a, (Assignment{{{"a", 0}, 0}, {{"a", 1}, 1}, {{"b", 0}, 0}, {{"c", 0}, 1}}));
}

TEST(Assignment, KeepsWhatWasAndFillsTheEmptierWorker) {
  const Assignment before{{{"a", 0}, 1}, {{"b", 0}, 1}};
  const auto a = assign_queues({{"a", 0}, {"b", 0}, {"c", 0}, {"d", 0}}, {}, kCores, before);
  EXPECT_EQ(a, (Assignment{{{"a", 0}, 1}, {{"b", 0}, 1}, {{"c", 0}, 0}, {{"d", 0}, 0}}));
}

TEST(Assignment, PinsWinOverThePast) {
  const auto a =
      assign_queues({{"a", 0}, {"b", 0}}, {{{"a", 0}, 6}, {{"gone", 3}, 4}}, kCores, {{{"a", 0}, 0}});
  EXPECT_EQ(a, (Assignment{{{"a", 0}, 1}, {{"b", 0}, 0}}));
}

}  // namespace
}  // namespace podswitch
