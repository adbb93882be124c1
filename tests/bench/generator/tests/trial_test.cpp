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
  const Json expected{{"pattern", "one-way"},
                      {"flows", 1},
                      {"macs", 1},
                      {"frame", 64},
                      {"protocol", "udp4"},
                      {"rate", 0.0},
                      {"seconds", 1.0},
                      {"warmup_ms", 200},
                      {"verify", "sample"},
                      {"latency", false},
                      {"tunnel", "none"},
                      {"nodes", 0},
                      {"sources", 4096},
                      {"first_node", 0},
                      {"hops", 0},
                      {"to_mac", "00:00:00:00:00:00"},
                      {"outer_mac", "00:00:00:00:00:00"},
                      {"outer_ip", "0.0.0.0"},
                      {"announce", "macs"}};
  EXPECT_EQ(to_json(read_trial(Json::object())), expected);
}

TEST(TrialTest, EachOptionIsReadAndEchoed) {
  const Json object{{"pattern", "two-way"},
                    {"flows", 1'000'000},
                    {"macs", 1'000'000},
                    {"frame", "imix"},
                    {"protocol", "udp4"},
                    {"rate", 2.5e6},
                    {"seconds", 0.25},
                    {"warmup_ms", 0},
                    {"verify", "all"},
                    {"latency", true},
                    {"tunnel", "none"},
                    {"nodes", 4},
                    {"sources", 2},
                    {"first_node", 5},
                    {"hops", 0},
                    {"to_mac", "00:00:00:00:00:00"},
                    {"outer_mac", "02:00:00:00:00:07"},
                    {"outer_ip", "192.0.2.7"},
                    {"announce", "none"}};
  EXPECT_EQ(to_json(read_trial(object)), object);
  const Json routed{
      {"tunnel", "arriving"}, {"hops", 1}, {"to_mac", "02:00:00:00:00:09"}, {"announce", "192.0.2.8"}};
  Json read = to_json(read_trial(routed));
  for (const auto& [key, value] : routed.items()) EXPECT_EQ(read[key], value) << key;
}

TEST(TrialTest, AServiceIsReadAndEchoed) {
  const Json object{{"service", "10.96.0.1:80"},    {"services", 100'000},
                    {"backend", "64.128.0.0:8080"}, {"backends", 10},
                    {"first_client", 8'000'000},    {"pattern", "echo"}};
  const Json read = to_json(read_trial(object));
  for (const auto& [key, value] : object.items()) EXPECT_EQ(read[key], value) << key;
  for (const char* text :
       {"10.96.0.1", "10.96.0.1:", "10.96.0.1:0", "10.96.0.1:65536", "10.96.0.1:8x", ":80"})
    EXPECT_EQ(mistake({{"service", text}}), "service is " + Json(text).dump() + ", not an IPv4 ADDRESS:PORT");
  EXPECT_EQ(mistake({{"services", 2}}), "services and backends need a service");
  EXPECT_EQ(mistake({{"service", "10.96.0.1:80"}, {"backends", 2}}), "backends need a backend");
  EXPECT_NE(mistake({{"service", "10.96.0.1:80"}, {"protocol", "udp6"}}), "none");
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
  EXPECT_EQ(mistake({{"flows", 0}}), "flows is 0, not a number from 1.0 to 16000000.0");
  EXPECT_EQ(mistake({{"flows", 1.5}}), "flows is 1.5, not a whole number");
  EXPECT_EQ(mistake({{"macs", 1'000'001}}), "macs is 1000001, not a number from 1.0 to 1000000.0");
  EXPECT_EQ(mistake({{"rate", "fast"}}), "rate is \"fast\", not a number from 0.0 to 1000000000.0");
  EXPECT_EQ(mistake({{"frame", 63}}), "frame is 63, not a number from 64.0 to 9018.0");
  EXPECT_EQ(mistake({{"frame", "jumbo"}}), "frame is \"jumbo\", neither imix nor a size");
  EXPECT_EQ(mistake({{"latency", 1}}), "latency is 1, not true or false");
  EXPECT_EQ(mistake({{"tunnel", 1}}), "tunnel is 1, not one of none arriving sent through");
  EXPECT_EQ(mistake({{"to_mac", "x"}}), "to_mac is \"x\", not a MAC address");
  EXPECT_EQ(mistake({{"outer_ip", "::1"}}), "outer_ip is \"::1\", not an IPv4 address");
  EXPECT_EQ(mistake({{"announce", "all"}}), "announce is \"all\", not macs, none or an IPv4 address");
  EXPECT_EQ(mistake({{"nodes", 2}, {"first_node", 65534}}), "there are 65535 nodes at most");
  EXPECT_EQ(mistake({{"sources", 3}}), "sources are a power of two");
  for (const Json& object :
       {Json{{"hops", 1}, {"pattern", "two-way"}}, Json{{"tunnel", "sent"}, {"pattern", "echo"}}})
    EXPECT_EQ(mistake(object), "tunnel is for one-way traffic of one MAC, hops and to_mac also for an echo");
  EXPECT_EQ(mistake({{"nodes", 1}, {"protocol", "udp6"}, {"frame", 84}}), "nodes have IPv4 addresses only");
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
  const Json options =
      to_json(read_trial({{"service", "10.96.0.1:80"}, {"backend", "64.1.0.1:80"}, {"backends", 1}}));
  EXPECT_EQ(trial_flags().size(), options.size());
  for (const TrialFlag& flag : trial_flags()) {
    std::string key = flag.name;
    std::replace(key.begin(), key.end(), '-', '_');
    EXPECT_TRUE(options.contains(key)) << key;
  }
}

}  // namespace
}  // namespace podswitch::bench
