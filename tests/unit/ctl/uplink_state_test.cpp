// SPDX-License-Identifier: Apache-2.0
#include "ctl/host/uplink_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "ctl/host/uplink_plan.h"
#include "pmd/error.h"

namespace podswitch {
namespace {

using testing::HasSubstr;

class UplinkStateFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "psw-uplink-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string path() const { return directory_ + "/uplink.json"; }
  std::string error_of_read() const {
    try {
      UplinkFile::peek(directory_);
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  }

  std::string directory_;
};

UplinkState example() {
  UplinkState state;
  state.id = new_attachment_id();
  state.phase = UplinkPhase::Confirmed;
  state.boot_id = present_boot_id();
  state.netns = present_netns();
  state.socket = "/run/podswitch/control.sock";
  state.ports = {"uplink"};
  state.nic = state.source = "eth0";
  state.host = kHostInterface;
  state.mac = *MacAddress::parse("02:00:00:00:00:01");
  state.mtu = 1500;
  state.vlan = 7;
  return state;
}

TEST_F(UplinkStateFile, ComesBackAndIsPrivate) {
  EXPECT_FALSE(UplinkFile::peek(directory_));
  const UplinkState state = example();
  UplinkFile file(directory_);
  file.write(state);
  struct stat info {};
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  const auto back = file.read();
  ASSERT_TRUE(back);
  EXPECT_EQ(back->id, state.id);
  EXPECT_EQ(back->phase, UplinkPhase::Confirmed);
  EXPECT_EQ(back->ports, state.ports);
  EXPECT_EQ(back->vlan, 7);
  EXPECT_EQ(back->mac, state.mac);
  EXPECT_TRUE(back->is_here());
  file.remove();
  EXPECT_FALSE(file.read());
  file.remove();
}

TEST_F(UplinkStateFile, OfAnotherBootOrNamespaceIsNotHere) {
  UplinkState state = example();
  state.boot_id = "another";
  EXPECT_FALSE(state.is_here());
  state = example();
  state.netns = "4:1";
  EXPECT_FALSE(state.is_here());
}

TEST_F(UplinkStateFile, SaysWhatIsWrongWithIt) {
  UplinkFile file(directory_);
  file.write(example());
  std::string text;
  std::getline(std::ifstream(path()), text, '\0');
  const auto write = [&](const std::string& changed) { std::ofstream(path()) << changed; };
  write(text.substr(0, text.size() / 2));
  EXPECT_THAT(error_of_read(), HasSubstr(path() + ": is damaged"));
  write("{}");
  EXPECT_THAT(error_of_read(), HasSubstr("version"));
  std::string newer = text;
  newer.replace(newer.find("\"version\": 1"), 12, "\"version\": 2");
  write(newer);
  EXPECT_THAT(error_of_read(), HasSubstr("is of version 2, this program reads 1"));
  std::string phase = text;
  phase.replace(phase.find("confirmed"), 9, "confusedd");
  write(phase);
  EXPECT_THAT(error_of_read(), HasSubstr("'confusedd' is no phase"));
  write(text);
  EXPECT_EQ(error_of_read(), "");
}

TEST(UplinkPorts, AreTaggedOnTheWireOnly) {
  UplinkPlan plan;
  plan.state = example();
  EXPECT_EQ(uplink_port(plan).at("trunk"), "7");
  EXPECT_FALSE(uplink_port(plan).contains("vlan"));
  EXPECT_EQ(uplink_port(plan).at("role"), "uplink");
  EXPECT_EQ(host_port(plan.state).at("role"), "host");
  EXPECT_EQ(host_port(plan.state).at("vlan"), "7");
  EXPECT_EQ(host_port(plan.state).at("mac"), "02:00:00:00:00:01");
  plan.state.vlan = 0;
  EXPECT_FALSE(uplink_port(plan).contains("trunk"));
  EXPECT_FALSE(host_port(plan.state).contains("vlan"));
}

}  // namespace
}  // namespace podswitch
