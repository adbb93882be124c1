// SPDX-License-Identifier: Apache-2.0
#include "ctl/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace podswitch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const Cores kCores{{0, 1, 2, 3, 4, 5}, {0, 1, 2, 3}};

struct Made {
  Config config;
  std::vector<Problem> problems;
};

Made make(std::string_view ini, std::vector<std::string> flags = {}, const Cores& cores = kCores) {
  Made made;
  std::vector<const char*> argv{"podswitchd"};
  for (const std::string& flag : flags) argv.push_back(flag.c_str());
  const Invocation invocation = parse_command_line(static_cast<int>(argv.size()), argv.data(), made.problems);
  made.config = make_config(invocation.overrides, ini, "p.conf", cores, made.problems);
  return made;
}

std::vector<Problem> problems_of(std::string_view ini, std::vector<std::string> flags = {},
                                 const Cores& cores = kCores) {
  return make(ini, std::move(flags), cores).problems;
}

Config config_of(std::string_view ini, std::vector<std::string> flags = {}, const Cores& cores = kCores) {
  Made made = make(ini, std::move(flags), cores);
  EXPECT_THAT(made.problems, IsEmpty());
  return made.config;
}

TEST(Config, Defaults) {
  const Config config = config_of("");
  EXPECT_FALSE(config.node_name.empty());
  EXPECT_EQ(config.socket, "/run/podswitch/control.sock");
  EXPECT_EQ(config.socket_group, "");
  EXPECT_EQ(config.socket_mode, 0660U);
  EXPECT_EQ(config.state_directory, "/var/lib/podswitch");
  EXPECT_THAT(config.worker_cores, ElementsAre(3));
  EXPECT_THAT(config.main_cores, ElementsAre(0, 1, 2));
  EXPECT_EQ(config.idle, IdlePolicy::Adaptive);
  EXPECT_EQ(config.spread, SpreadPolicy::Auto);
  EXPECT_EQ(config.memory.hugepages, HugepagePolicy::Auto);
  EXPECT_THAT(config.memory.mib_per_node, IsEmpty());
  EXPECT_EQ(config.memory.buffers, 0U);
  EXPECT_THAT(config.gateway.ips, IsEmpty());
  EXPECT_EQ(config.fdb.capacity, 131072U);
  EXPECT_EQ(config.fdb.port_limit, 0U);
  EXPECT_EQ(config.fdb.aging_seconds, 300U);
  EXPECT_EQ(config.metrics_listen, "127.0.0.1:9479");
  EXPECT_EQ(config.log_level, log::Level::Info);
  EXPECT_THAT(config.ports, IsEmpty());
  EXPECT_THAT(config.pins, IsEmpty());
}

TEST(Config, EveryKeyIsRead) {
  const Config config = config_of(
      "[node]\nname = node-1\n"
      "[control]\nsocket = /tmp/c.sock\ngroup = root\nmode = 0600\n"
      "[state]\ndirectory = /tmp/state\n"
      "[workers]\ncores = 1,3\nmain-core = 0, 2\nidle = poll\nspread = always\n"
      "[memory]\nhugepages = required\nmib = 512,256\nbuffers = 4096\n"
      "[pods]\ngateway = 10.0.0.1, fd00::1\ngateway-mac = 02:00:00:00:00:09\n"
      "[fdb]\nsize = 2048\nport-limit = 100\naging-seconds = 0\n"
      "[flows]\ncapacity = 64000000\nfile = /run/f\ntimeout-udp = 1\n"
      "[metrics]\nlisten =\n"
      "[log]\nlevel = debug\n"
      "[queues]\nweb:1 = 3\n"
      "[port.web]\ntype = tap\nifname = eth0\nqueues = 2\nip = 10.0.0.2, fd00::2\n");
  const EngineOptions engine = engine_options(config);
  EXPECT_EQ(config.node_name, "node-1");
  EXPECT_EQ(config.socket, "/tmp/c.sock");
  EXPECT_EQ(config.socket_group, "root");
  EXPECT_EQ(config.socket_mode, 0600U);
  EXPECT_EQ(config.state_directory, "/tmp/state");
  EXPECT_THAT(engine.worker_cores, ElementsAre(1, 3));
  EXPECT_THAT(engine.other_cores, ElementsAre(0, 2));
  EXPECT_EQ(engine.idle, IdlePolicy::Poll);
  EXPECT_EQ(engine.spread, SpreadPolicy::Always);
  EXPECT_EQ(engine.memory.hugepages, HugepagePolicy::Required);
  EXPECT_THAT(engine.memory.mib_per_node, ElementsAre(512, 256));
  EXPECT_EQ(engine.memory.buffers, 4096U);
  EXPECT_EQ(engine.static_queues, 2U);
  EXPECT_EQ(engine.gateway.ips.size(), 2U);
  EXPECT_EQ(engine.gateway.mac.to_string(), "02:00:00:00:00:09");
  EXPECT_EQ(engine.fdb.capacity, 2048U);
  EXPECT_EQ(engine.fdb.port_limit, 100U);
  EXPECT_EQ(engine.fdb.aging_seconds, 0U);
  EXPECT_EQ(engine.flows.capacity, 64000000U);
  EXPECT_EQ(engine.flows.file, "/run/f");
  EXPECT_FALSE(engine.flows.chooses_file);
  EXPECT_EQ(engine.flows.timeouts[static_cast<size_t>(FlowState::UdpUnreplied)], 1U);
  EXPECT_EQ(config.metrics_listen, "");
  EXPECT_EQ(config.log_level, log::Level::Debug);
  ASSERT_EQ(config.ports.size(), 1U);
  EXPECT_EQ(config.ports[0].name, "web");
  EXPECT_EQ(config.ports[0].ips.size(), 2U);
  EXPECT_EQ(config.pins, (Pins{{{"web", 1}, 3U}}));
}

TEST(Config, TheCommandLineWins) {
  const Config config = config_of("[fdb]\nsize = 2048\naging-seconds = 10\n[workers]\ncores = 1\n",
                                  {"--fdb.size", "4096", "--workers.cores=2,3", "--metrics.listen", ""});
  EXPECT_EQ(config.fdb.capacity, 4096U);
  EXPECT_EQ(config.fdb.aging_seconds, 10U);
  EXPECT_THAT(config.worker_cores, ElementsAre(2, 3));
  EXPECT_EQ(config.metrics_listen, "");
}

TEST(Config, AFlagCanHaveAnEmptyValue) {
  EXPECT_EQ(config_of("", {"--metrics.listen="}).metrics_listen, "");
  EXPECT_EQ(config_of("", {"--metrics.listen=", "--node.name=n"}).node_name, "n");
}

TEST(Config, AllProblemsComeAtOnceWithFileAndLine) {
  EXPECT_THAT(problems_of("[worker]\n"
                          "cores = 1\n"
                          "[workers]\n"
                          "cores = 1,9\n"
                          "main-core = 1\n"
                          "idle = lazy\n"
                          "[fdb]\n"
                          "size = many\n"
                          "[port.web]\n"
                          "mtu = 9001\n"
                          "[metrics]\n"
                          "listen = 9479\n"
                          "[control]\n"
                          "group = no-such-group\n",
                          {"--log.level", "loud", "--fdb.sise", "7", "extra"}),
              ElementsAre(Problem{"p.conf:2: worker.cores", "no such key; did you mean 'workers.cores'?"},
                          Problem{"p.conf:4: workers.cores", "core 9 does not exist; this machine has 0-5"},
                          Problem{"p.conf:5: workers.main-core",
                                  "core 1 is a worker's already, in workers.cores; give the "
                                  "other threads cores of their own"},
                          Problem{"p.conf:6: workers.idle", "'lazy' is neither adaptive nor poll"},
                          Problem{"p.conf:8: fdb.size", "'many' is not a whole number from 1024 to 16777216"},
                          Problem{"p.conf:9: port.web.type",
                                  "missing: one of vhost-user, tap, af-packet, af-xdp, memif, ethdev "
                                  "or bond"},
                          Problem{"p.conf:10: port.web.mtu", "'9001' is not a whole number from 68 to 9000"},
                          Problem{"p.conf:12: metrics.listen",
                                  "'9479' is not HOST:PORT, such as 127.0.0.1:9479 or [::1]:9479"},
                          Problem{"p.conf:14: control.group", "there is no group 'no-such-group'"},
                          Problem{"--fdb.sise", "no such option; did you mean '--fdb.size'?"},
                          Problem{"", "unexpected argument 'extra': podswitchd takes only options"},
                          Problem{"--log.level", "'loud' is none of debug, info, warning, error"}));
}

TEST(Config, BadValuesSayWhatWouldBeRight) {
  const auto message = [](const std::string& flag, const std::string& value) {
    const auto problems = problems_of("", {flag, value});
    if (problems.size() != 1) return fmt::format("{} problems", problems.size());
    EXPECT_EQ(problems[0].path, flag);
    return problems[0].message;
  };
  EXPECT_EQ(message("--node.name", "a b"),
            "'a b' is no node name: at most 253 letters, digits, '.', '-' or '_'");
  EXPECT_EQ(message("--control.socket", "c.sock"), "'c.sock' is not an absolute path");
  EXPECT_EQ(message("--control.socket", "/" + std::string(107, 'x')),
            "108 bytes long; a socket's path has at most 107: use a shorter folder");
  EXPECT_EQ(message("--control.group", "no-such-group"), "there is no group 'no-such-group'");
  EXPECT_EQ(message("--control.mode", "1777"), "'1777' is not an octal mode from 0 to 0777, such as 0660");
  EXPECT_EQ(message("--control.mode", "rw"), "'rw' is not an octal mode from 0 to 0777, such as 0660");
  EXPECT_EQ(message("--state.directory", ""), "'' is not an absolute path");
  EXPECT_EQ(message("--state.directory", "/a\nb"), "has control characters or bytes that are not UTF-8");
  EXPECT_EQ(message("--workers.cores", "1;2"),
            "'1;2' is neither a number nor a range from 0 to 1023; a list looks like 1,3-5");
  EXPECT_EQ(message("--workers.cores", "1,,2"), "an element of the list is empty");
  EXPECT_EQ(message("--workers.cores", "1024"),
            "'1024' is neither a number nor a range from 0 to 1023; a list looks like 1,3-5");
  EXPECT_EQ(message("--workers.cores", "1,2,1-2"), "2 problems");
  EXPECT_EQ(message("--workers.cores", "1,1"), "core 1 is listed twice");
  EXPECT_EQ(message("--workers.cores", "5"), "core 5 is not open to this process; its CPU set is 0-3");
  EXPECT_EQ(message("--workers.spread", "yes"), "'yes' is none of auto, off, always");
  EXPECT_EQ(message("--workers.main-core", "6"), "core 6 does not exist; this machine has 0-5");
  EXPECT_EQ(message("--workers.main-core", "0-3"),
            "leaves no core to a worker: take one out or set workers.cores");
  EXPECT_EQ(message("--memory.hugepages", "yes"), "'yes' is none of auto, required, none");
  EXPECT_EQ(message("--memory.mib", "512M"), "'512M' is not a whole number from 0 to 1048576");
  EXPECT_EQ(message("--memory.buffers", "100"), "'100' is not a whole number from 2048 to 16777216");
  EXPECT_EQ(message("--pods.gateway", "10.0.0.1/24"),
            "'10.0.0.1/24' is not an IPv4 or IPv6 address; it is given without a prefix length");
  EXPECT_EQ(message("--pods.gateway", "224.0.0.1"), "224.0.0.1 is not a unicast address");
  EXPECT_EQ(message("--pods.gateway", "::"), ":: is not a unicast address");
  EXPECT_EQ(message("--pods.gateway", "fd00::1,fd00:0::1"), "fd00::1 is given twice");
  EXPECT_EQ(message("--pods.service-cidrs", "10.96.0.1/12"),
            "'10.96.0.1/12' has bits set behind the prefix: the network is 10.96.0.0/12");
  EXPECT_EQ(message("--pods.service-cidrs", "10.96.0.0/12,10.97.0.0/16"),
            "10.97.0.0/16 overlaps 10.96.0.0/12");
  EXPECT_EQ(message("--pods.service-cidrs", "::/0"), "::/0 is every address, not those of Services");
  EXPECT_EQ(message("--pods.gateway-mac", "02:00"), "'02:00' is not a MAC address such as 02:00:00:00:00:01");
  EXPECT_EQ(message("--pods.gateway-mac", "01:00:5e:00:00:01"),
            "01:00:5e:00:00:01 is zero or a group address");
  EXPECT_EQ(message("--pods.gateway-mac", "00:00:00:00:00:00"),
            "00:00:00:00:00:00 is zero or a group address");
  EXPECT_EQ(message("--fdb.size", "-1"), "'-1' is not a whole number from 1024 to 16777216");
  EXPECT_EQ(message("--fdb.port-limit", "131073"), "131073 is more than fdb.size, 131072");
  EXPECT_EQ(message("--fdb.aging-seconds", "5m"), "'5m' is not a whole number from 0 to 1000000");
  EXPECT_EQ(message("--metrics.listen", "127.0.0.1:0"), "'0' is not a whole number from 1 to 65535");
}

TEST(Config, ListenAddresses) {
  for (const char* good : {"0.0.0.0:9479", "[::]:9479", "[fd00::1]:1", "localhost:65535", ""})
    EXPECT_THAT(problems_of("", {"--metrics.listen", good}), IsEmpty()) << good;
  for (const char* bad : {":9479", "::1:9479", "[::1]", "[::g]:80", "256.0.0.1:80", "1.2.3:80", "a b:80",
                          "x:", "x:99999", "[]:80", "/run/x"})
    EXPECT_EQ(problems_of("", {"--metrics.listen", bad}).size(), 1U) << bad;
}

TEST(Config, CommandLineMistakes) {
  EXPECT_THAT(problems_of("", {"--fdb.size", "2048", "--fdb.size", "4096"}),
              ElementsAre(Problem{"--fdb.size", "given twice"}));
  EXPECT_THAT(problems_of("", {"--chekc"}),
              ElementsAre(Problem{"--chekc", "no such option; did you mean '--check'?"}));
  EXPECT_THAT(problems_of("", {"--port.web.type", "tap"}),
              ElementsAre(Problem{"--port.web.type", "is known in the configuration file only"}));
  EXPECT_THAT(problems_of("", {"--fdb.siz", "2048"}),
              ElementsAre(Problem{"--fdb.siz", "no such option; did you mean '--fdb.size'?"}));
  EXPECT_EQ(problems_of("", {"--fdb.size"}).size(), 1U);
  EXPECT_EQ(problems_of("", {"-h"}).size(), 1U);
}

TEST(Config, Actions) {
  const auto action = [](const char* flag) {
    std::vector<Problem> problems;
    const char* argv[] = {"podswitchd", flag, "--config", "x.conf"};
    const Invocation invocation = parse_command_line(4, argv, problems);
    EXPECT_THAT(problems, IsEmpty());
    EXPECT_EQ(invocation.config_path, "x.conf");
    return invocation.action;
  };
  EXPECT_EQ(action("--check"), Action::Check);
  EXPECT_EQ(action("--help"), Action::Help);
  EXPECT_EQ(action("--version"), Action::Version);
  EXPECT_EQ(action("--print-config"), Action::PrintConfig);
  EXPECT_EQ(action("--fdb.size=2048"), Action::Run);
}

TEST(Config, UnknownSectionsAndKeys) {
  EXPECT_THAT(problems_of("[metric]\n[metrics]\nport = 1\n[xyzzy]\nfoo = 1\n"),
              ElementsAre(Problem{"p.conf:1", "no such section 'metric'; did you mean 'metrics'?"},
                          Problem{"p.conf:3: metrics.port", "no such key"},
                          Problem{"p.conf:5: xyzzy.foo", "no such key"}));
}

TEST(Config, CoresFollowWhatIsGiven) {
  Config config = config_of("[workers]\nmain-core = 3\n");
  EXPECT_THAT(config.worker_cores, ElementsAre(2));
  EXPECT_THAT(config.main_cores, ElementsAre(3));
  config = config_of("[workers]\ncores = 0-2\n");
  EXPECT_THAT(config.main_cores, ElementsAre(3));
  config = config_of("[workers]\ncores = 0-3\n");
  EXPECT_THAT(config.main_cores, ElementsAre(0, 1, 2, 3));
}

TEST(Config, OneCoreDoesEverything) {
  const Cores one{{0, 1}, {1}};
  const Config config = config_of("", {}, one);
  EXPECT_THAT(config.worker_cores, ElementsAre(1));
  EXPECT_THAT(config.main_cores, ElementsAre(1));
}

TEST(Config, TheRealMachineIsAccepted) {
  const Cores cores = Cores::of_this_process();
  ASSERT_FALSE(cores.allowed.empty());
  const Config config = config_of("", {}, cores);
  EXPECT_THAT(config.worker_cores, ElementsAre(cores.allowed.back()));
}

TEST(Config, PinsAreChecked) {
  EXPECT_THAT(
      problems_of("[workers]\ncores = 2,3\n"
                  "[queues]\n"
                  "web:0 = 2\n"
                  "web:1 = 3\n"
                  "db:0 = 2\n"
                  "web:00 = 3\n"
                  "web = 3\n"
                  "web:x = 3\n"
                  "web:0x = y\n"
                  "odd:0 = 1\n"
                  "[port.web]\ntype = tap\nifname = eth0\n"
                  "[port.odd]\ntype = tap\n"),
      ElementsAre(Problem{"p.conf:5: queues.web:1", "port web has 1 queue, counted from 0"},
                  Problem{"p.conf:6: queues.db:0",
                          "there is no section [port.db]; queues of ports that are added later are "
                          "pinned with 'podswitch worker assign'"},
                  Problem{"p.conf:7: queues.web:00", "this queue is given twice"},
                  Problem{"p.conf:8: queues.web", "a queue is PORT:QUEUE, such as uplink:0 = 1"},
                  Problem{"p.conf:9: queues.web:x", "'x' is not a whole number from 0 to 15"},
                  Problem{"p.conf:10: queues.web:0x", "'0x' is not a whole number from 0 to 15"},
                  Problem{"p.conf:11: queues.odd:0", "core 1 has no worker; workers run on 2,3"},
                  Problem{"p.conf:15: port.odd.ifname", "a tap port needs the name of its interface"}));
}

TEST(Config, StaticPortsMustNotClash) {
  EXPECT_THAT(problems_of("[pods]\ngateway = 10.0.0.1\n"
                          "[port.a]\ntype = vhost-user\npath = /run/a\nmac = 02:00:00:00:00:01\n"
                          "[port.b]\ntype = vhost-user\npath = /run/a\n"
                          "[port.c]\ntype = tap\nifname = eth0\nmac = 02:00:00:00:00:01\n"
                          "[port.d]\ntype = tap\nifname = eth0\nip = 10.0.0.1\nmac = 02:00:00:00:00:01\n"
                          "[port.e]\ntype = tap\nifname = e\nmac = 02:00:00:00:00:01\nnetwork = blue\n"),
              UnorderedElementsAre(
                  Problem{"p.conf:9: port.b.path", "/run/a is port a's"},
                  Problem{"p.conf:13: port.c.mac", "02:00:00:00:00:01 is port a's in network default"},
                  Problem{"p.conf:16: port.d.ifname", "eth0 is port c's"},
                  Problem{"p.conf:18: port.d.mac", "02:00:00:00:00:01 is port a's in network default"},
                  Problem{"p.conf:18: port.d.mac", "02:00:00:00:00:01 is port c's in network default"},
                  Problem{"p.conf:17: port.d.ip", "10.0.0.1 is the gateway's own"}));
}

TEST(Config, StretchedNetworks) {
  EXPECT_EQ(config_of("[network.blue]\nvni = 100\n[network.red]\nvni = 16777215\n").networks,
            (Networks{{"blue", 100}, {"red", 16777215}}));
  EXPECT_THAT(
      problems_of(
          "[overlay]\nvni = 5\n"
          "[network.a]\nvni = 5\n"
          "[network.b]\nvni = 6\n"
          "[network.c]\nvni = 6\n"
          "[network.default]\nvni = 7\n"
          "[network.d]\nvni = 0\n"
          "[network.e]\nvnj = 8\n"
          "[network.f]\n"
          "[network.u]\nvni = 9\n"
          "[port.up]\ntype = tap\nifname = up\nmac = 02:00:00:00:00:01\nrole = uplink\nnetwork = u\n"),
      UnorderedElementsAre(
          Problem{"p.conf:4: network.a.vni", "5 is overlay.vni, that of the routed network default"},
          Problem{"p.conf:8: network.c.vni", "6 is network b's"},
          Problem{"p.conf:9: network.default.name",
                  "the pods of network default are routed to other nodes: overlay.network"},
          Problem{"p.conf:12: network.d.vni", "'0' is not a whole number from 1 to 16777215"},
          Problem{"p.conf:14: network.e.vnj", "no such key; did you mean 'network.e.vni'?"},
          Problem{"p.conf:15: network.f.vni", "missing: 1 to 16777215"},
          Problem{"p.conf:16: network.u.name",
                  "port up, the uplink, is in network u: what it carries stays on this node"}));
}

TEST(Config, WhatIsNotOnTheMachineIsNamed) {
  EXPECT_THAT(
      problems_of("[port.a]\ntype = af-packet\nifname = nosuch0\n"
                  "[port.b]\ntype = af-xdp\nifname = nosuch1\n"
                  "[port.c]\ntype = tap\nifname = eth0\nnetns = /run/netns/no-such\n"
                  "[port.d]\ntype = ethdev\ndevice = 0000:7f:1f.7\n"
                  "[port.e]\ntype = ethdev\ndevice = 7f:1f.6,arg=1\n"
                  "[port.f]\ntype = ethdev\ndevice = net_null0,copy=1\n"
                  "[port.g]\ntype = af-packet\nifname = lo\n"
                  "[port.h]\ntype = vhost-user\nmode = server\npath = /x\nsocket-group = no-such-group\n"
                  "[port.i]\ntype = memif\nmode = server\npath = /no-such/folder/i.sock\n"
                  "[port.j]\ntype = memif\npath = /no-such/folder/j.sock\n"
                  "[port.k]\ntype = vhost-user\nmode = server\npath = /k\nsocket-group = 4711\n"),
      ElementsAre(Problem{"p.conf:3: port.a.ifname", "there is no interface nosuch0"},
                  Problem{"p.conf:6: port.b.ifname", "there is no interface nosuch1"},
                  Problem{"p.conf:10: port.c.netns", "there is no /run/netns/no-such"},
                  Problem{"p.conf:13: port.d.device", "there is no PCI device 0000:7f:1f.7"},
                  Problem{"p.conf:16: port.e.device", "there is no PCI device 0000:7f:1f.6"},
                  Problem{"p.conf:27: port.h.socket-group", "there is no group 'no-such-group'"},
                  Problem{"p.conf:31: port.i.path",
                          "folder /no-such/folder: No such file or directory: make it first"}));
}

TEST(Config, WhereFlowsAreKept) {
  const EngineOptions by_default = engine_options(config_of("[control]\nsocket = /tmp/c.sock\n"));
  EXPECT_TRUE(by_default.flows.chooses_file);
  EXPECT_EQ(by_default.flows.file, "/tmp/c.sock.flows");
  const EngineOptions none = engine_options(config_of("[flows]\nfile = none\n"));
  EXPECT_FALSE(none.flows.chooses_file);
  EXPECT_EQ(none.flows.file, "");
  EXPECT_THAT(
      problems_of("[flows]\nfile = flows\ncapacity = 1000\ntimeout-tcp-close = 0\n"
                  "timeout-tcp-established = 604801\n"),
      ElementsAre(Problem{"p.conf:2: flows.file", "'flows' is neither auto nor none nor an absolute path"},
                  Problem{"p.conf:3: flows.capacity", "'1000' is not a whole number from 1024 to 64000000"},
                  Problem{"p.conf:4: flows.timeout-tcp-close", "'0' is not a whole number from 1 to 604800"},
                  Problem{"p.conf:5: flows.timeout-tcp-established",
                          "'604801' is not a whole number from 1 to 604800"}));
}

TEST(Config, SomeMistakesOnlyTheStartFinds) {
  EXPECT_TRUE(is_wrong_configuration(Error("flows.file", "another daemon has its flows there")));
  EXPECT_TRUE(is_wrong_configuration(Error("memory.hugepages", "none are free")));
  EXPECT_TRUE(is_wrong_configuration(Error("memory", "no room")));
  EXPECT_TRUE(is_wrong_configuration(Error("workers.cores", "no worker can run there")));
  EXPECT_FALSE(is_wrong_configuration(Error("", "EAL did not start")));
  EXPECT_FALSE(is_wrong_configuration(Error("/run/podswitch/control.sock", "another daemon listens there")));
  EXPECT_FALSE(is_wrong_configuration(Error("metrics.listen", "the port is taken")));
}

TEST(Config, TooLittleMemoryIsSaidBeforeAnythingStarts) {
  EngineOptions options;
  options.memory.mib_per_node = {8};
  try {
    Engine engine(options);
    FAIL() << "started";
  } catch (const Error& error) {
    EXPECT_EQ(error.problems().front().path, "memory.mib");
  }
}

TEST(Config, PortNamesMayHoldDots) {
  const Config config = config_of("[queues]\na.b:0 = 3\n[port.a.b]\ntype = tap\nifname = eth0\n");
  ASSERT_EQ(config.ports.size(), 1U);
  EXPECT_EQ(config.ports[0].name, "a.b");
  EXPECT_THAT(problems_of("[port.]\ntype = tap\nifname = eth0\n"),
              ElementsAre(Problem{"p.conf:1: port..name",
                                  "'' is no port name: 1 to 63 letters, digits, '.', '_' or '-', a letter or "
                                  "digit first"}));
}

TEST(Config, TheGatewaysMacComesFromTheNodesName) {
  const MacAddress a = config_of("", {"--node.name", "a"}).gateway.mac;
  const MacAddress b = config_of("", {"--node.name", "b"}).gateway.mac;
  EXPECT_EQ(a, config_of("[node]\nname = a\n").gateway.mac);
  EXPECT_NE(a, b);
  EXPECT_FALSE(a.is_multicast());
  EXPECT_EQ(a.bytes[0] & 2, 2);  // locally administered
}

TEST(Config, TheInstanceFollowsTheSocket) {
  EXPECT_EQ(instance_name("/run/a.sock"), instance_name("/run/./a.sock"));
  EXPECT_NE(instance_name("/run/a.sock"), instance_name("/run/b.sock"));
}

class ConfigFile : public testing::Test {
 protected:
  ConfigFile() {
    std::string pattern = testing::TempDir() + "podswitch-config-XXXXXX";
    path_ = mkdtemp(pattern.data()) + std::string("/podswitch.conf");
  }
  ~ConfigFile() override { std::system(("rm -r " + path_.substr(0, path_.rfind('/'))).c_str()); }

  void write(std::string_view text) { std::ofstream(path_) << text; }
  Config load(const std::string& path) {
    Invocation invocation;
    invocation.config_path = path;
    return load_config(invocation, {});
  }
  std::string error(const std::string& path) {
    try {
      load(path);
    } catch (const Error& problem) {
      return problem.what();
    }
    return "none";
  }

  std::string path_;
};

TEST_F(ConfigFile, IsReadAndNamedInMessages) {
  write("[fdb]\nsize = 4096\n");
  EXPECT_EQ(load(path_).fdb.capacity, 4096U);
  write("[fdb]\nsize = 1\n\nsise = 2\n");
  EXPECT_EQ(error(path_), path_ + ":2: fdb.size: '1' is not a whole number from 1024 to 16777216\n" + path_ +
                              ":4: fdb.sise: no such key; did you mean 'fdb.size'?");
}

TEST_F(ConfigFile, MustBeReadableAndOfAReasonableSize) {
  EXPECT_EQ(error(path_), "--config: cannot read " + path_ + ": No such file or directory");
  EXPECT_EQ(error("/proc/self"), "--config: cannot read /proc/self: Is a directory");
  write(std::string(kMaxIniBytes + 1, '#'));
  EXPECT_EQ(error(path_), "--config: " + path_ + " has more than 1048576 bytes");
}

}  // namespace
}  // namespace podswitch
