// SPDX-License-Identifier: Apache-2.0
#include "ctl/port_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace podswitch {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;

PortSpec tap() {
  std::vector<Problem> problems;
  PortSpec spec = make_port("web", {{"type", "tap"}, {"ifname", "eth0"}}, "", problems);
  EXPECT_THAT(problems, IsEmpty());
  return spec;
}

std::vector<Problem> problems_of(const PortSettings& settings, const std::string& path = "") {
  std::vector<Problem> problems;
  make_port("web", settings, path, problems);
  return problems;
}

std::vector<Problem> json_problems_of(const json& object) {
  std::vector<Problem> problems;
  port_from_json(object, "", problems);
  return problems;
}

PortSpec round_trip(const PortSpec& spec) {
  std::vector<Problem> problems;
  PortSpec back = port_from_json(json::parse(to_json(spec).dump()), "", problems);
  EXPECT_THAT(problems, IsEmpty());
  return back;
}

TEST(PortOptions, DefaultsInTheTableAreThoseOfPortSpec) {
  for (const PortOption& option : port_options()) {
    if (option.name == "type") continue;
    PortSpec spec;
    EXPECT_THAT(option.get(spec), IsEmpty()) << option.name;
    if (option.default_text.empty()) continue;
    option.set(spec, option.default_text);
    EXPECT_EQ(spec, PortSpec()) << option.name;
  }
}

TEST(PortOptions, EveryOptionIsReadAndWrittenBack) {
  std::vector<Problem> problems;
  const PortSpec vhost = make_port("v-1.a_b",
                                   {{"type", "vhost-user"},
                                    {"network", "blue"},
                                    {"pod", "shop/web-0"},
                                    {"uid", "u-1"},
                                    {"mac", "02:00:00:00:00:01"},
                                    {"ip", "10.0.0.1, fd00::1"},
                                    {"ip", "10.0.0.2"},
                                    {"mtu", "9000"},
                                    {"queues", "4"},
                                    {"trunk", "20,10,100-103,11"},
                                    {"allow-spoofing", ""},
                                    {"path", "/run/v.sock"},
                                    {"mode", "server"},
                                    {"socket-mode", "0660"},
                                    {"socket-group", "kvm"}},
                                   "", problems);
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_EQ(to_json(vhost), json::parse(R"({"name":"v-1.a_b","type":"vhost-user","network":"blue",
      "pod":"shop/web-0","uid":"u-1","mac":"02:00:00:00:00:01","ip":["10.0.0.1","10.0.0.2","fd00::1"],
      "mtu":9000,"queues":4,"trunk":"10,11,20,100-103","allow-spoofing":true,"path":"/run/v.sock",
      "mode":"server","socket-mode":"0660","socket-group":"kvm"})"));
  EXPECT_EQ(round_trip(vhost), vhost);

  const PortSpec memif =
      make_port("m", {{"type", "memif"}, {"path", "/run/m.sock"}, {"memif-id", "4294967295"}}, "", problems);
  const PortSpec nic = make_port("n", {{"type", "ethdev"}, {"device", "0000:00:05.0"}}, "", problems);
  const PortSpec veth =
      make_port("a", {{"type", "af-packet"}, {"ifname", "veth0"}, {"netns", "/run/netns/a"}, {"vlan", "7"}},
                "", problems);
  EXPECT_THAT(problems, IsEmpty());
  for (const PortSpec& spec : {tap(), memif, nic, veth}) EXPECT_EQ(round_trip(spec), spec);
}

TEST(PortOptions, ABondIsReadAndWrittenBack) {
  std::vector<Problem> problems;
  const PortSpec bond = make_port("up",
                                  {{"type", "bond"},
                                   {"mode", "802.3ad"},
                                   {"members", "0000:03:00.0, net_tap0,iface=up0,mac=fixed"},
                                   {"members", "0000:03:00.1"}},
                                  "", problems);
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_EQ(bond.bond_mode, BondMode::Lacp);
  EXPECT_THAT(bond.members, ElementsAre("0000:03:00.0", "net_tap0,iface=up0,mac=fixed", "0000:03:00.1"));
  EXPECT_EQ(round_trip(bond), bond);
  const PortSpec backup =
      make_port("up", {{"members", "eth1,eth0"}, {"mode", "active-backup"}, {"type", "bond"}}, "", problems);
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_THAT(backup.members, ElementsAre("eth1", "eth0"));  // their order is the operator's
  EXPECT_EQ(round_trip(backup), backup);
}

TEST(PortOptions, ABondsMembersAndModeAreChecked) {
  const Problem count{"members",
                      "a bond port needs 2 to 8: PCI addresses, interfaces, or DPDK device strings"};
  EXPECT_THAT(problems_of({{"type", "bond"}}),
              ElementsAre(Problem{"mode", "a bond port needs one: active-backup or 802.3ad"}, count));
  const auto of_members = [](const char* members) {
    return problems_of({{"type", "bond"}, {"mode", "active-backup"}, {"members", members}});
  };
  EXPECT_THAT(of_members("eth0"), ElementsAre(count));
  EXPECT_THAT(of_members("a,b,c,d,e,f,g,h,i"), ElementsAre(count));
  EXPECT_THAT(of_members("03:00.0,0000:03:00.0"),
              ElementsAre(Problem{"members", "0000:03:00.0 is given twice"}));
  EXPECT_THAT(of_members("net_tap0,iface=a,net_tap0,iface=b"),
              ElementsAre(Problem{"members", "net_tap0 is given twice"}));
  EXPECT_THAT(of_members("eth0,a-name-of-16-chr"),
              ElementsAre(Problem{
                  "members", "'a-name-of-16-chr' is no PCI address, interface name, or DPDK device string"}));
  EXPECT_THAT(of_members("iface=up0,eth0"),
              ElementsAre(Problem{"members", "'iface=up0' belongs to no device"}));
  EXPECT_THAT(of_members("eth0,,eth1"), ElementsAre(Problem{"members", "an element of the list is empty"}));
  EXPECT_THAT(
      problems_of({{"type", "bond"}, {"mode", "server"}, {"members", "eth0,eth1"}, {"ifname", "eth0"}}),
      ElementsAre(Problem{"ifname", "a bond port has no interface of its own"},
                  Problem{"mode", "a bond port has no socket to serve"}));
  EXPECT_THAT(
      problems_of({{"type", "memif"}, {"path", "/m"}, {"mode", "802.3ad"}, {"members", "eth0,eth1"}}),
      ElementsAre(Problem{"mode", "a memif port takes client or server; a bond is active-backup or 802.3ad"},
                  Problem{"members", "a memif port has no members; a bond has"}));
}

TEST(PortOptions, JsonHoldsOnlyWhatDiffersFromTheDefaults) {
  EXPECT_EQ(to_json(tap()), json::parse(R"({"name":"web","type":"tap","ifname":"eth0"})"));
}

TEST(PortOptions, JsonMayGiveNumbersAndFlagsAsTexts) {
  std::vector<Problem> problems;
  const PortSpec a = port_from_json(
      json::parse(
          R"({"name":"web","type":"tap","ifname":"eth0","mtu":"1400","vlan":5,"allow-spoofing":"true","ip":"10.0.0.1"})"),
      "", problems);
  const PortSpec b = port_from_json(
      json::parse(
          R"({"name":"web","type":"tap","ifname":"eth0","mtu":1400,"vlan":"5","allow-spoofing":true,"ip":["10.0.0.1"]})"),
      "", problems);
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_EQ(a, b);
}

TEST(PortOptions, AllProblemsComeAtOnceUnderThePath) {
  EXPECT_THAT(
      problems_of({{"type", "tap"},
                   {"mtuu", "9000"},
                   {"mtu", "big"},
                   {"queues", "17"},
                   {"mac", "02:00"},
                   {"ip", "10.0.0.1,10.0.0.256"},
                   {"vlan", "4095"},
                   {"allow-spoofing", "maybe"},
                   {"mode", "both"},
                   {"socket-mode", "0999"},
                   {"memif-id", "-1"},
                   {"queues", "2"},
                   {"path", "/x"}},
                  "ports.web"),
      ElementsAre(
          Problem{"ports.web.mtuu", "no such port option; did you mean 'mtu'?"},
          Problem{"ports.web.mtu", "'big' is not a whole number from 68 to 9000"},
          Problem{"ports.web.queues", "'17' is not a whole number from 1 to 16"},
          Problem{"ports.web.mac", "'02:00' is not a MAC address such as 02:00:00:00:00:01"},
          Problem{"ports.web.ip",
                  "'10.0.0.256' is not an IPv4 or IPv6 address; it is given without a prefix length"},
          Problem{"ports.web.vlan", "'4095' is not a whole number from 1 to 4094"},
          Problem{"ports.web.allow-spoofing", "'maybe' is neither true nor false"},
          Problem{"ports.web.mode", "'both' is none of client, server, active-backup, 802.3ad"},
          Problem{"ports.web.socket-mode", "'0999' is not an octal mode from 0 to 0777, such as 0660"},
          Problem{"ports.web.memif-id", "'-1' is not a whole number from 0 to 4294967295"},
          Problem{"ports.web.queues", "given twice"}, Problem{"ports.web.path", "a tap port has no socket"},
          Problem{"ports.web.ifname", "a tap port needs the name of its interface"}));
}

TEST(PortOptions, TypeIsNeededAndNothingElseIsGuessedWithoutIt) {
  EXPECT_THAT(problems_of({{"ifname", "eth0"}}),
              ElementsAre(Problem{
                  "type", "missing: one of vhost-user, tap, af-packet, af-xdp, memif, ethdev or bond"}));
  EXPECT_THAT(
      problems_of({{"type", "veth"}}),
      ElementsAre(Problem{
          "type", "'veth' is no port type: vhost-user, tap, af-packet, af-xdp, memif, ethdev or bond"}));
}

TEST(PortOptions, ATapWithAddressesHasAMacOfItsOwn) {
  const auto mac_of = [](const char* name, PortSettings settings) {
    std::vector<Problem> problems;
    settings.insert(settings.end(), {{"ip", "10.0.0.1"}});
    const PortSpec spec = make_port(name, settings, "", problems);
    EXPECT_THAT(problems, IsEmpty());
    EXPECT_EQ(round_trip(spec), spec);
    return spec.mac;
  };
  const PortSettings plain{{"type", "tap"}, {"ifname", "eth0"}};
  const auto mac = mac_of("web", plain);
  ASSERT_TRUE(mac);
  EXPECT_EQ(mac->bytes[0] & 3, 2);  // locally administered, unicast
  EXPECT_EQ(mac_of("web", plain), mac);
  EXPECT_NE(mac_of("db", plain), mac);
  EXPECT_NE(mac_of("web", {{"type", "tap"}, {"ifname", "eth0"}, {"network", "blue"}}), mac);
  EXPECT_EQ(mac_of("web", {{"type", "tap"}, {"ifname", "eth0"}, {"mac", "02:00:00:00:00:07"}}),
            MacAddress::parse("02:00:00:00:00:07"));
  EXPECT_EQ(mac_of("web", {{"type", "af-packet"}, {"ifname", "eth0"}}), std::nullopt);
  EXPECT_EQ(tap().mac, std::nullopt);
}

TEST(PortOptions, OneVlanModeOnly) {
  EXPECT_THAT(
      problems_of({{"type", "tap"}, {"ifname", "eth0"}, {"vlan", "5"}, {"trunk", "6"}}),
      ElementsAre(Problem{
          "trunk", "a port takes either vlan (one, untagged towards the pod) or trunk (tagged), not both"}));
}

TEST(PortOptions, TrunkListsAreChecked) {
  for (const char* bad : {"", "0", "5-4", "1-4095", "1,,2", "a", "1-", "-1", "1-2-3"})
    EXPECT_EQ(problems_of({{"type", "tap"}, {"ifname", "eth0"}, {"trunk", bad}}).size(), 1U) << bad;
}

TEST(PortOptions, ControlCharactersAndBadUtf8AreRefused) {
  using namespace std::string_literals;
  for (const std::string& bad : {"a\nb"s, "a\0b"s, "\xff"s, "\xc0\x80"s, "\xed\xa0\x80"s, "\xe2\x82"s})
    EXPECT_THAT(problems_of({{"type", "tap"}, {"ifname", "eth0"}, {"uid", bad}}),
                ElementsAre(Problem{"uid", "has control characters or bytes that are not UTF-8"}));
  EXPECT_THAT(problems_of({{"type", "tap"}, {"ifname", "eth0"}, {"uid", std::string(4097, 'a')}}),
              ElementsAre(Problem{"uid", "longer than 4096 bytes"}));
}

TEST(PortOptions, AddressesAreLimited) {
  std::string many = "10.0.0.0";
  for (int i = 1; i < 65; ++i) many += ",10.0.0." + std::to_string(i);
  EXPECT_THAT(problems_of({{"type", "tap"}, {"ifname", "eth0"}, {"ip", many}}),
              ElementsAre(Problem{"ip", "more than 64 addresses"}));
}

TEST(PortOptions, ListsInAnotherOrderAreTheSamePort) {
  const auto port = [](const char* ip, const char* trunk) {
    std::vector<Problem> problems;
    PortSpec spec =
        make_port("web", {{"type", "tap"}, {"ifname", "eth0"}, {"ip", ip}, {"trunk", trunk}}, "", problems);
    EXPECT_THAT(problems, IsEmpty());
    return spec;
  };
  const PortSpec spec = port("10.0.0.1,10.0.0.2,fd00::1", "10-12");
  EXPECT_EQ(spec.ips.size(), 3U);
  EXPECT_EQ(port("fd00:0::1,10.0.0.2,10.0.0.1,10.0.0.2", "12,10,11,10"), spec);
}

TEST(PortOptions, JsonOfTheWrongShapeIsRefused) {
  EXPECT_THAT(json_problems_of(json::parse("[]")),
              ElementsAre(Problem{"", "a port is a JSON object, not of type array"}));
  EXPECT_THAT(
      json_problems_of(json::parse(
          R"({"name":"web","type":"tap","ifname":["x"],"mtu":1500.5,"mac":null,"ip":["10.0.0.1",7,"x"],
                      "allow-spoofing":1,"queues":{}})")),
      testing::UnorderedElementsAre(
          Problem{"ifname", "of JSON type array, not string"},
          Problem{"mtu", "'1500.5' is not a whole number from 68 to 9000"},
          Problem{"mac", "of JSON type null, not string"},
          Problem{"ip[1]", "of JSON type number, not string"},
          Problem{"ip[2]", "'x' is not an IPv4 or IPv6 address; it is given without a prefix length"},
          Problem{"allow-spoofing", "of JSON type number, not boolean"},
          Problem{"queues", "of JSON type object, not number"}));
  EXPECT_THAT(json_problems_of(json::parse(R"({"name":7,"type":"tap","ifname":"eth0"})")),
              ElementsAre(Problem{"name",
                                  "'' is no port name: 1 to 63 letters, digits, '.', '_' or '-', a "
                                  "letter or digit first"}));
}

}  // namespace
}  // namespace podswitch
