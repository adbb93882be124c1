// SPDX-License-Identifier: Apache-2.0
#include "ctl/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

namespace podswitch {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

const Cores kCores{{0, 1, 2, 3}, {0, 1, 2, 3}};

// Everything a configuration says, in words, to compare two.
std::string text_of(const Config& config) {
  std::ostringstream out;
  const EngineOptions engine = engine_options(config);
  out << config.node_name << ' ' << config.socket << ' ' << config.socket_group << ' ' << config.socket_mode
      << ' ' << config.state_directory << ' ' << config.metrics_listen << ' '
      << static_cast<int>(config.log_level) << ' ' << static_cast<int>(engine.idle) << ' '
      << static_cast<int>(engine.spread) << ' ' << static_cast<int>(engine.memory.hugepages) << ' '
      << engine.memory.mib_per_node.size() << ' ' << engine.memory.buffers << ' ' << engine.fdb.capacity
      << ' ' << engine.fdb.port_limit << ' ' << engine.fdb.aging_seconds << ' ' << engine.flows.capacity
      << ' ' << engine.flows.file << ' ' << engine.flows.chooses_file << ' ' << engine.gateway.mac.to_string()
      << ' ' << engine.gateway.ips.size() << ' ' << config.ports.size() << ' ' << config.pins.size() << " on";
  for (const uint32_t seconds : engine.flows.timeouts) out << ' ' << seconds;
  for (const unsigned core : engine.worker_cores) out << ' ' << core;
  out << " beside";
  for (const unsigned core : engine.other_cores) out << ' ' << core;
  return out.str();
}

Config config_of(const std::string& ini) {
  std::vector<Problem> problems;
  Config config = make_config({}, ini, "a.conf", kCores, problems);
  EXPECT_THAT(problems, IsEmpty());
  return config;
}

TEST(Options, EveryDefaultIsAcceptedByItsOwnSetter) {
  Config config;
  for (const Option& option : options())
    EXPECT_NO_THROW(option.set(config, option.default_text)) << option.key;
}

TEST(Options, KeysAreUniqueAndExplained) {
  std::set<std::string_view> keys;
  for (const Option& option : options()) {
    EXPECT_TRUE(keys.insert(option.key).second) << option.key;
    EXPECT_FALSE(option.help.empty()) << option.key;
    EXPECT_FALSE(option.value_name.empty()) << option.key;
    EXPECT_NE(option.default_text.empty() && option.default_note.empty(), true) << option.key;
  }
}

TEST(Options, TheShippedFileIsTheGeneratedOne) {
  std::ifstream file(PODSWITCH_SOURCE_DIR "/conf/podswitch.conf");
  std::ostringstream shipped;
  shipped << file.rdbuf();
  EXPECT_EQ(shipped.str(), default_file()) << "podswitchd --print-config > conf/podswitch.conf";
}

TEST(Options, TheShippedFileChangesNothing) {
  EXPECT_EQ(text_of(config_of(default_file())), text_of(config_of("")));
}

TEST(Options, TheShippedFileShowsTheDefaults) {
  std::istringstream lines(default_file());
  std::string active;
  for (std::string line; std::getline(lines, line);) {
    if (line == "[queues]") break;  // examples from here on
    const bool is_key = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    active += (is_key ? line.substr(1) : line) + '\n';
  }
  EXPECT_THAT(active, HasSubstr("\nsize = 131072\n"));
  EXPECT_EQ(text_of(config_of(active)), text_of(config_of("")));
}

TEST(Options, EveryStateOfAFlowHasItsTimeoutsKey) {
  EXPECT_EQ(engine_options(config_of("")).flows.timeouts, default_flow_timeouts());
  for (size_t i = 1; i < kFlowStateCount; ++i) {
    const std::string name = "timeout-" + std::string(kFlowStates[i].timeout_key);
    ASSERT_NE(find_option("flows." + name), nullptr) << name;
    const FlowTimeouts timeouts = engine_options(config_of("[flows]\n" + name + " = 77\n")).flows.timeouts;
    for (size_t other = 0; other < kFlowStateCount; ++other)
      EXPECT_EQ(timeouts[other] == 77, kFlowStates[other].timeout_key == kFlowStates[i].timeout_key) << name;
  }
  EXPECT_EQ(find_option("flows.timeout-none"), nullptr) << "a free record has none";
}

TEST(Options, HelpNamesEveryKey) {
  std::ostringstream help;
  help << option_flags();
  for (const Option& option : options()) EXPECT_THAT(help.str(), HasSubstr("--" + std::string(option.key)));
  EXPECT_THAT(help.str(), HasSubstr("--fdb.size N (=131072)"));
}

}  // namespace
}  // namespace podswitch
