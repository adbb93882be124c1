// SPDX-License-Identifier: Apache-2.0
#include "pmd/shared_map.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>
#include <string>

namespace podswitch {
namespace {

using Shared = SharedMap<std::string, int>;
using Plain = std::map<std::string, int>;

std::string key_of(uint32_t number) {
  return "node-" + std::to_string(number);
}

void expect_same(const Shared& shared, const Plain& plain) {
  ASSERT_EQ(shared.size(), plain.size());
  EXPECT_EQ(shared.empty(), plain.empty());
  auto expected = plain.begin();
  for (const auto& [key, value] : shared) {
    ASSERT_NE(expected, plain.end());
    ASSERT_EQ(key, expected->first);
    ASSERT_EQ(value, expected->second);
    ++expected;
  }
  EXPECT_EQ(expected, plain.end());
}

TEST(SharedMap, IsEmptyAtFirst) {
  const Shared map;
  EXPECT_EQ(map.begin(), map.end());
  EXPECT_EQ(map.find("x"), map.end());
  EXPECT_THROW((void)map.at("x"), std::out_of_range);
}

TEST(SharedMap, AssigningKeepsTheNumberOfEntries) {
  Shared map;
  map.insert_or_assign("a", 1);
  map.insert_or_assign("a", 2);
  EXPECT_EQ(map.size(), 1u);
  EXPECT_EQ(map.at("a"), 2);
  EXPECT_TRUE(map.erase("a"));
  EXPECT_FALSE(map.erase("a"));
  EXPECT_TRUE(map.empty());
}

TEST(SharedMap, SortsWhatComesInAnyOrder) {
  Shared forwards, backwards;
  Plain plain;
  for (int i = 0; i < 1000; ++i) {
    forwards.insert_or_assign(key_of(1000 + i), i);
    backwards.insert_or_assign(key_of(1999 - i), 999 - i);
    plain[key_of(1000 + i)] = i;
  }
  expect_same(forwards, plain);
  expect_same(backwards, plain);
  EXPECT_EQ(forwards, backwards);
}

TEST(SharedMap, FindsWhatIsBehindAKey) {
  Shared map;
  EXPECT_EQ(map.behind("x"), map.end());
  for (int i = 0; i < 500; ++i) map.insert_or_assign(key_of(1000 + 2 * static_cast<uint32_t>(i)), i);
  EXPECT_EQ(map.behind(""), map.begin());
  for (int i = 0; i < 499; ++i) {
    const auto number = 1000 + 2 * static_cast<uint32_t>(i);
    ASSERT_EQ(map.behind(key_of(number))->second, i + 1) << "behind one that is there";
    ASSERT_EQ(map.behind(key_of(number + 1))->second, i + 1) << "and behind one that is not";
  }
  EXPECT_EQ(map.behind(key_of(1998)), map.end());
  EXPECT_EQ(map.behind(key_of(1999)), map.end());
}

// The same random changes to a std::map; copies of the past must stay what they were.
TEST(SharedMap, ChangesDoNotReachItsCopies) {
  std::mt19937 random(7);
  Shared shared;
  Plain plain;
  std::deque<std::pair<Shared, Plain>> past;
  for (int step = 0; step < 20000; ++step) {
    const bool grows = step / 4000 % 2 == 0;
    const std::string key = key_of(random() % 600);
    if (random() % 4 < (grows ? 3 : 1)) {
      shared.insert_or_assign(key, step);
      plain[key] = step;
    } else {
      EXPECT_EQ(shared.erase(key), plain.erase(key) == 1);
    }
    const auto found = shared.find(key);
    ASSERT_EQ(found != shared.end(), plain.count(key) == 1);
    if (found != shared.end()) {
      ASSERT_EQ(found->second, step);
    }
    if (step % 500 == 0) past.emplace_back(shared, plain);
  }
  expect_same(shared, plain);
  for (const auto& [then, expected] : past) expect_same(then, expected);
}

// Applied to the one, the differences make the other.
void expect_differences(const Shared& a, const Shared& b) {
  Plain made;
  for (const auto& [key, value] : a) made[key] = value;
  std::string last;
  Shared::for_each_difference(a, b, [&](const std::string& key, const int* before, const int* after) {
    ASSERT_LT(last, key);
    last = key;
    ASSERT_EQ(before != nullptr, made.count(key) == 1);
    ASSERT_TRUE(before == nullptr || after == nullptr || *before != *after);
    if (after != nullptr)
      made[key] = *after;
    else
      made.erase(key);
  });
  expect_same(b, made);
}

TEST(SharedMap, TellsWhatDiffers) {
  std::mt19937 random(11);
  Shared map;
  std::deque<Shared> past{map};
  for (int step = 0; step < 3000; ++step) {
    const std::string key = key_of(random() % 500);
    if (random() % 5 < 3)
      map.insert_or_assign(key, static_cast<int>(random() % 3));
    else
      map.erase(key);
    if (step % 100 == 0) past.push_back(map);
  }
  for (const Shared& then : past) {
    expect_differences(then, map);
    expect_differences(map, then);
  }
  Shared::for_each_difference(map, map, [](const auto&...) { FAIL() << "nothing differs"; });
}

TEST(SharedMap, ACopyThatIsAssignedToIsLetGo) {
  Shared a;
  for (int i = 0; i < 200; ++i) a.insert_or_assign(key_of(i), i);
  Shared b = a;
  a = Shared();
  EXPECT_TRUE(a.empty());
  EXPECT_EQ(b.size(), 200u);
  b.insert_or_assign(key_of(7), -1);
  EXPECT_EQ(b.at(key_of(7)), -1);
}

}  // namespace
}  // namespace podswitch
