// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/generator/trial.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace podswitch::bench {
namespace {

using Json = nlohmann::json;

std::string mistake(const Json& object) {
  try {
    read_trial(object);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "none";
}

TEST(TrialTest, NothingSaidIsOneFlowOneWay) {
  const Json expected{{"pattern", "one-way"}, {"flows", 1},      {"macs", 1},      {"frame", 64},
                      {"protocol", "udp4"},   {"rate", 0.0},     {"seconds", 1.0}, {"warmup_ms", 200},
                      {"verify", "sample"},   {"latency", false}};
  EXPECT_EQ(to_json(read_trial(Json::object())), expected);
}

TEST(TrialTest, EachOptionIsReadAndEchoed) {
  const Json object{{"pattern", "two-way"}, {"flows", 1'000'000}, {"macs", 1'000'000}, {"frame", "imix"},
                    {"protocol", "udp4"},   {"rate", 2.5e6},      {"seconds", 0.25},   {"warmup_ms", 0},
                    {"verify", "all"},      {"latency", true}};
  EXPECT_EQ(to_json(read_trial(object)), object);
}

TEST(TrialTest, WhatIsNotSaidStaysAsItWas) {
  const Trial base = read_trial({{"flows", 7}, {"pattern", "echo"}});
  const Trial trial = read_trial({{"flows", 8}}, base);
  EXPECT_EQ(trial.flows, 8U);
  EXPECT_EQ(trial.pattern, Pattern::Echo);
}

TEST(TrialTest, MistakesAreNamed) {
  EXPECT_EQ(mistake({{"pattern", "both"}}), "pattern is \"both\", not one of one-way echo two-way");
  EXPECT_EQ(mistake({{"verify", 1}}), "verify is 1, not one of sample all none");
  EXPECT_EQ(mistake({{"flows", 0}}), "flows is 0, not a number from 1.0 to 1000000.0");
  EXPECT_EQ(mistake({{"flows", 1.5}}), "flows is 1.5, not a whole number");
  EXPECT_EQ(mistake({{"macs", 1'000'001}}), "macs is 1000001, not a number from 1.0 to 1000000.0");
  EXPECT_EQ(mistake({{"rate", "fast"}}), "rate is \"fast\", not a number from 0.0 to 1000000000.0");
  EXPECT_EQ(mistake({{"frame", 63}}), "frame is 63, not a number from 64.0 to 9018.0");
  EXPECT_EQ(mistake({{"frame", "jumbo"}}), "frame is \"jumbo\", neither imix nor a size");
  EXPECT_EQ(mistake({{"latency", 1}}), "latency is 1, not true or false");
  EXPECT_EQ(mistake({{"flow", 1}}), "a trial has no option flow");
  EXPECT_EQ(mistake(Json::array()), "a trial is a JSON object, not []");
}

TEST(TrialTest, AFrameHasRoomForItsStamp) {
  const std::pair<const char*, int> smallest[] = {{"udp4", 64}, {"tcp4", 76}, {"udp6", 84}, {"tcp6", 96}};
  for (const auto& [protocol, frame] : smallest) {
    EXPECT_EQ(mistake({{"protocol", protocol}, {"frame", frame}}), "none");
    if (frame == 64) continue;
    EXPECT_EQ(mistake({{"protocol", protocol}, {"frame", frame - 1}}),
              std::string(protocol) + " needs frames of at least " + std::to_string(frame) +
                  " bytes for its headers and the stamp, not " + std::to_string(frame - 1));
  }
  EXPECT_NE(mistake({{"protocol", "tcp6"}, {"frame", "imix"}}), "none");
}

TEST(TrialTest, ImixHasItsShares) {
  const auto sizes = read_trial({{"frame", "imix"}}).wire_sizes();
  EXPECT_EQ(sizes.size(), 12U);
  EXPECT_EQ(std::count(sizes.begin(), sizes.end(), 64 - 4), 7);
  EXPECT_EQ(std::count(sizes.begin(), sizes.end(), 594 - 4), 4);
  EXPECT_EQ(std::count(sizes.begin(), sizes.end(), 1518 - 4), 1);
}

TEST(TrialTest, EachFlagIsAnOption) {
  const Json options = to_json({});
  EXPECT_EQ(trial_flags().size(), options.size());
  for (const TrialFlag& flag : trial_flags()) {
    std::string key = flag.name;
    std::replace(key.begin(), key.end(), '-', '_');
    EXPECT_TRUE(options.contains(key)) << key;
  }
}

}  // namespace
}  // namespace podswitch::bench
