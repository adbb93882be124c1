// SPDX-License-Identifier: Apache-2.0
#include "ctl/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "pmd/log.h"
#include "tests/unit/temporary_directory.h"

namespace podswitch {
namespace {

using testing::HasSubstr;

PortSpec tap(const std::string& name) {
  PortSpec spec;
  spec.name = name;
  spec.kind = PortKind::Tap;
  spec.ifname = name;
  spec.mac = MacAddress::parse("02:00:00:00:00:01");
  spec.ips = {*IpAddress::parse("10.0.0.1"), *IpAddress::parse("fd00::1")};
  return spec;
}

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void put(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

std::string error_of(const std::string& directory) {
  try {
    Journal{directory};
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

class JournalTest : public testing::Test {
 protected:
  // Hundreds of warnings are to be expected.
  JournalTest() { log::set_level(log::Level::Error); }
  ~JournalTest() override { log::set_level(log::Level::Info); }

  const TemporaryDirectory directory_;
  const std::string state_ = directory_ / "state";
  const std::string file_ = state_ + "/journal";
};

TEST_F(JournalTest, BringsBackWhatWasAppended) {
  StoredState expected;
  {
    Journal journal(state_);
    EXPECT_EQ(journal.state(), StoredState{});
    journal.append({PortAdded{tap("a")}, PortAdded{tap("b")}});
    journal.append({QueuePinned{{"a", 0}, 3}, QueuePinned{{"b", 0}, 4}});
    journal.append({PortRemoved{"b"}});
    expected.ports["a"] = tap("a");
    expected.pins[{"a", 0}] = 3;
    EXPECT_EQ(journal.state(), expected);
  }
  EXPECT_EQ(Journal(state_).state(), expected);
  struct stat info {};
  ASSERT_EQ(stat(state_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
}

std::shared_ptr<const ClusterNode> node(const std::string& name, NodeSource source) {
  NodeSpec spec;
  spec.name = name;
  spec.vteps = {*IpAddress::parse("192.0.2.1"), *IpAddress::parse("fd00::1")};
  spec.vtep_mac = MacAddress::parse("02:00:00:00:00:09");
  spec.pod_cidrs = {*Prefix::parse("10.244.1.0/24"), *Prefix::parse("fd00:1::/64")};
  return std::make_shared<const ClusterNode>(ClusterNode{spec, source, 1});
}

TEST_F(JournalTest, BringsBackNodesAndWhatCameByApply) {
  StoredState expected;
  expected.nodes["a"] = node("a", NodeSource::Kubernetes);
  expected.nodes["b"] = node("b", NodeSource::Command);
  expected.ports["web"] = tap("web");
  expected.applied_ports = {"web"};
  {
    Journal journal(state_);
    journal.append({NodeSet{node("a", NodeSource::Command)}, NodeSet{expected.nodes["b"]},
                    NodeSet{node("c", NodeSource::Command)}});
    journal.append({NodeSet{expected.nodes["a"]}, NodeRemoved{"c"}});
    journal.append({PortAdded{tap("web"), true}, PortAdded{tap("db"), true}, PortRemoved{"db"}});
    EXPECT_EQ(journal.state(), expected);
  }
  {
    Journal journal(state_);
    EXPECT_EQ(journal.state(), expected);
    journal.rewrite(journal.state());
  }
  EXPECT_EQ(Journal(state_).state(), expected);
}

TEST_F(JournalTest, BringsBackStaticRoutes) {
  StoredState expected;
  const StaticRoute via = {"default", *Prefix::parse("172.16.0.0/12"), IpAddress::parse("10.244.1.7")};
  const StaticRoute nobody = {"blue", *Prefix::parse("fd00:9::/48"), {}};
  expected.routes = {{name_of(via), via}, {name_of(nobody), nobody}};
  {
    Journal journal(state_);
    const StaticRoute gone = {"default", *Prefix::parse("10.9.0.0/16"), {}};
    journal.append({RouteAdded{via}, RouteAdded{nobody}, RouteAdded{gone}});
    journal.append({RouteRemoved{name_of(gone)}});
    EXPECT_EQ(journal.state(), expected);
  }
  {
    Journal journal(state_);
    EXPECT_EQ(journal.state(), expected);
    journal.rewrite(journal.state());
  }
  EXPECT_EQ(Journal(state_).state(), expected);
}

TEST_F(JournalTest, BringsBackNetworksAndWhoIsBehindAVtep) {
  const auto name = [](const char* network, const char* mac) {
    return RemoteName{network, *MacAddress::parse(mac)};
  };
  const IpAddress vtep = *IpAddress::parse("192.0.2.9");
  const RemoteName kept = name("blue", "02:00:00:00:00:01");
  StoredState expected;
  expected.networks = {{"blue", 100}};
  expected.remote_entries = {{kept, vtep}};
  {
    Journal journal(state_);
    journal.append({NetworkSet{"blue", 100}, NetworkSet{"red", 0xffffff}, NetworkSet{"green", 3}});
    journal.append({RemoteEntrySet{kept, vtep}, RemoteEntrySet{name("blue", "02:00:00:00:00:02"), vtep},
                    RemoteEntrySet{name("red", "02:00:00:00:00:01"), vtep}});
    journal.append({NetworkRemoved{"red"}, NetworkRemoved{"green"},
                    RemoteEntryRemoved{name("blue", "02:00:00:00:00:02")}});
    EXPECT_EQ(journal.state(), expected);
  }
  {
    Journal journal(state_);
    EXPECT_EQ(journal.state(), expected);
    journal.rewrite(journal.state());
  }
  EXPECT_EQ(Journal(state_).state(), expected);
}

// What a version without nodes wrote.
TEST_F(JournalTest, ReadsOlderRecords) {
  { Journal journal(state_); }
  const std::string payload =
      R"([{"add":{"name":"a","type":"tap","ifname":"a"}},{"pin":{"port":"a","queue":0,"core":3}}])";
  put(file_, "podswitch-journal 1\n00000058 dc5ff9fc " + payload + "\n");
  const Journal journal(state_);
  EXPECT_EQ(journal.state().ports.size(), 1U);
  EXPECT_EQ(journal.state().pins.size(), 1U);
  EXPECT_TRUE(journal.state().nodes.empty());
  EXPECT_TRUE(journal.state().applied_ports.empty());
}

TEST_F(JournalTest, HasOneOwner) {
  const Journal journal(state_);
  EXPECT_THAT(error_of(state_),
              HasSubstr("in use by another podswitchd (process " + std::to_string(getpid())));
}

TEST_F(JournalTest, CutsATornTailAtEveryByte) {
  size_t whole = 0;
  {
    Journal journal(state_);
    journal.append({PortAdded{tap("a")}});
    whole = content(file_).size();
    journal.append({PortAdded{tap("b")}, PortAdded{tap("c")}});
  }
  const std::string text = content(file_);
  for (size_t size = whole; size < text.size(); ++size) {
    put(file_, text.substr(0, size));
    {
      Journal journal(state_);
      ASSERT_EQ(journal.state().ports.size(), 1U) << size;
      if (size % 16 != 0) continue;  // syncing is slow
      journal.append({PortAdded{tap("d")}});
    }
    ASSERT_EQ(Journal(state_).state().ports.size(), 2U) << size;
  }
}

TEST_F(JournalTest, CutsADamagedLastRecord) {
  size_t whole = 0;
  {
    Journal journal(state_);
    journal.append({PortAdded{tap("a")}});
    whole = content(file_).size();
    journal.append({PortAdded{tap("b")}});
  }
  const std::string text = content(file_);
  for (size_t at = whole; at < text.size(); ++at) {
    std::string damaged = text;
    damaged[at] = damaged[at] == '\n' ? 'x' : '\n';
    put(file_, damaged);
    ASSERT_EQ(Journal(state_).state().ports.size(), 1U) << at;
  }
}

TEST_F(JournalTest, RefusesDamageInTheMiddleWithoutChangingIt) {
  size_t first = 0, second = 0;
  {
    Journal journal(state_);
    first = content(file_).size();
    journal.append({PortAdded{tap("a")}});
    second = content(file_).size();
    journal.append({PortAdded{tap("b")}});
  }
  const std::string text = content(file_);
  for (size_t at = first; at < second; ++at) {
    std::string damaged = text;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    put(file_, damaged);
    const std::string error = error_of(state_);
    ASSERT_THAT(error, HasSubstr("at offset " + std::to_string(first))) << at;
    ASSERT_THAT(error, HasSubstr("truncate -s " + std::to_string(first)));
    ASSERT_EQ(content(file_), damaged);
  }
}

TEST_F(JournalTest, RefusesOtherFiles) {
  { Journal journal(state_); }
  put(file_, "podswitch-journal 2\nwhatever\n");
  EXPECT_THAT(error_of(state_), HasSubstr("another version"));
  put(file_, "something else\n");
  EXPECT_THAT(error_of(state_), HasSubstr("does not begin with a journal's header"));
}

TEST_F(JournalTest, RewritesItselfWhenItHasGrown) {
  {
    Journal journal(state_, {.records = 10, .bytes = size_t{1} << 20});
    for (int i = 0; i < 100; ++i) {
      journal.append({PortAdded{tap("a")}});
      journal.append({PortRemoved{"a"}});
    }
    journal.append({PortAdded{tap("b")}});
    EXPECT_LT(content(file_).size(), 2000U);
  }
  const Journal journal(state_);
  EXPECT_EQ(journal.state().ports.size(), 1U);
  EXPECT_EQ(journal.state().ports.count("b"), 1U);
}

std::shared_ptr<const ServiceSpec> service(const std::string& name, const char* ip) {
  return std::make_shared<const ServiceSpec>(
      ServiceSpec{{"shop", name},
                  ServiceType::LoadBalancer,
                  {*IpAddress::parse(ip), *IpAddress::parse("fd00::9")},
                  {{"http", Protocol::Tcp, 80, 30080}}});
}

std::shared_ptr<const EndpointSlice> slice(const std::string& name, const std::string& of) {
  return std::make_shared<const EndpointSlice>(
      EndpointSlice{{"shop", name},
                    of,
                    true,
                    {{*IpAddress::parse("10.0.0.1"), true, true, false, "worker-1"},
                     {*IpAddress::parse("10.0.0.2"), false, true, true, ""}},
                    {{"http", Protocol::Tcp, 8080}, {"", Protocol::Udp, 53}}});
}

TEST_F(JournalTest, BringsBackServices) {
  StoredState expected;
  {
    Journal journal(state_);
    journal.append({ServiceSet{service("a", "10.96.0.1")}, SliceSet{slice("a-1", "a"), ""},
                    SliceSet{slice("a-2", "a"), ""}, SliceSet{slice("b-1", "b"), ""}});
    journal.append({SliceSet{slice("a-2", "b"), "a"}, ServiceSet{service("c", "10.96.0.3")},
                    ServiceSet{service("a", "10.96.0.2")}});
    journal.append({SliceRemoved{{"shop", "b-1"}, "b"}, ServiceRemoved{{"shop", "c"}}});
    expected = journal.state();
  }
  EXPECT_EQ(expected.services.size(), 2U);
  EXPECT_EQ(expected.services.at({"shop", "a"}).slices.size(), 1U);
  EXPECT_EQ(expected.services.at({"shop", "b"}).spec, nullptr);
  EXPECT_EQ(expected.services.at({"shop", "b"}).slices.at(0)->name.name, "a-2");
  Journal journal(state_);
  EXPECT_EQ(journal.state(), expected);
  journal.rewrite(journal.state());
  EXPECT_EQ(Journal(directory_ / "other").state().services.size(), 0U);
  put(directory_ / "other/journal", content(file_));
  EXPECT_EQ(Journal(directory_ / "other").state(), expected) << "rewritten as one record, too";
}

TEST_F(JournalTest, RewritesMuchOnlyWhenItHasGrownByHalf) {
  Journal journal(state_, {.records = 3, .bytes = 100});
  std::vector<Edit> edits;
  for (int i = 0; i < 30; ++i) edits.emplace_back(SliceSet{slice("s-" + std::to_string(i), "a"), ""});
  journal.append(edits);
  journal.append({SliceSet{slice("s-7", "b"), "a"}});
  const size_t base = content(file_).size();
  for (int i = 0; i < 3; ++i) {
    journal.append({SliceSet{slice("s-7", "a"), "b"}});
    journal.append({SliceSet{slice("s-7", "b"), "a"}});
  }
  EXPECT_GT(content(file_).size(), base) << "nothing was rewritten";
  for (int i = 0; i < 100; ++i) {
    journal.append({SliceSet{slice("s-7", "a"), "b"}});
    journal.append({SliceSet{slice("s-7", "b"), "a"}});
    ASSERT_LT(content(file_).size(), 2 * base);
  }
  EXPECT_EQ(journal.state().services.at({"shop", "b"}).slices.size(), 1U);
}

// A crash before the rename leaves the old journal and a new file of any length beside it.
TEST_F(JournalTest, SurvivesACrashWhileRewriting) {
  {
    Journal journal(state_);
    journal.append({PortAdded{tap("a")}});
  }
  const std::string text = content(file_);
  for (size_t size = 0; size <= text.size(); size += 7) {
    put(file_ + ".new", text.substr(0, size));
    Journal journal(state_, {.records = 0, .bytes = 0});
    ASSERT_EQ(journal.state().ports.size(), 1U);
    journal.append({PortAdded{tap("b")}});
    journal.append({PortRemoved{"b"}});
  }
  EXPECT_EQ(Journal(state_).state().ports.size(), 1U);
}

TEST_F(JournalTest, RefusesAChangeThatCannotBeWritten) {
  Journal journal(state_, {.records = 0, .bytes = 0});
  ASSERT_EQ(mkdir((file_ + ".new").c_str(), 0700), 0);
  EXPECT_THROW(journal.append({PortAdded{tap("a")}}), Error);
  EXPECT_TRUE(journal.state().ports.empty());
  ASSERT_EQ(rmdir((file_ + ".new").c_str()), 0);
  journal.append({PortAdded{tap("b")}});
  EXPECT_EQ(journal.state().ports.count("b"), 1U);
}

}  // namespace
}  // namespace podswitch
