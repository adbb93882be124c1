// SPDX-License-Identifier: Apache-2.0
#include "ctl/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "ctl/cli_arguments.h"
#include "ctl/cli_get.h"
#include "ctl/cli_help.h"
#include "ctl/cli_output.h"
#include "ctl/cli_stats.h"
#include "ctl/objects/endpoint_slice_object.h"
#include "ctl/objects/service_object.h"
#include "ctl/port_options.h"
#include "pmd/error.h"

namespace podswitch {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST(Commands, AreInHelpCompletionAndReference) {
  const std::string help = help_text(), completion = bash_completion(), reference = commands_markdown();
  for (const Command& command : commands()) {
    EXPECT_THAT(help, HasSubstr("  " + command.name() + " ")) << command.name();
    EXPECT_THAT(completion, HasSubstr("\"" + command.name() + "\")"));
    EXPECT_THAT(reference, HasSubstr("| `podswitch " + command.name()));
    const std::string own = help_text(command);
    for (const Parameter& row : command.parameters)
      EXPECT_THAT(own,
                  HasSubstr(row.is_positional ? std::string(row.value_name) : "--" + std::string(row.name)));
  }
  const std::string add = help_text(*find_command("port add"));
  for (const PortOption& option : port_options()) {
    EXPECT_THAT(add, HasSubstr("--" + std::string(option.name)));
    EXPECT_THAT(completion, HasSubstr("--" + std::string(option.name)));
  }
}

TEST(Commands, ShippedCompletionIsTheTables) {
  std::ifstream file(std::string(PODSWITCH_SOURCE_DIR) + "/conf/podswitch.bash-completion");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), bash_completion())
      << "run: build/ctl/podswitch completion bash > conf/podswitch.bash-completion";
}

TEST(Commands, PortShowHasALabelForEveryOption) {
  const auto& columns = find_command("port show")->columns;
  for (const Column& column : columns) EXPECT_NE(column.title, "DROPPED");
  for (const PortOption& option : port_options())
    EXPECT_TRUE(std::any_of(columns.begin(), columns.end(), [&](const Column& column) {
      return column.key == option.name;
    })) << option.name;
}

TEST(Commands, CheckArguments) {
  const auto error_of = [](const char* name, const char* arguments) -> std::string {
    try {
      check_arguments(*find_command(name), json::parse(arguments));
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  };
  EXPECT_EQ(error_of("port del", R"({"name":["a","b"]})"), "");
  EXPECT_THAT(error_of("port del", R"({"name":[]})"), HasSubstr("at least one"));
  EXPECT_THAT(error_of("port del", R"({"name":[1]})"), HasSubstr("name: not an array of strings"));
  EXPECT_THAT(error_of("port show", "{}"), HasSubstr("name: missing"));
  EXPECT_THAT(error_of("fdb list", R"({"limt":5})"), HasSubstr("did you mean 'limit'?"));
  EXPECT_THAT(error_of("fdb list", R"({"limit":-5})"), HasSubstr("not a whole number"));
  EXPECT_THAT(error_of("drops", R"({"all":"yes"})"), HasSubstr("not true or false"));
  EXPECT_THAT(error_of("stats", R"({"watch":true})"), HasSubstr("no such argument"));
}

TEST(CommandLine, ReadsCommands) {
  const CommandLine add =
      parse_cli({"--socket", "/x", "port", "add", "web", "--type", "tap", "--ip", "10.0.0.1", "--ip=fd00::1",
                 "--allow-spoofing", "-o", "json", "--mtu", "9000"});
  EXPECT_EQ(add.socket, "/x");
  EXPECT_TRUE(add.wants_json);
  EXPECT_EQ(add.command->name(), "port add");
  EXPECT_EQ(add.arguments, json::parse(R"({"name":"web","type":"tap","ip":["10.0.0.1","fd00::1"],
                                           "allow-spoofing":"true","mtu":"9000"})"));
  EXPECT_EQ(parse_cli({"port", "del", "a", "b"}).arguments, json::parse(R"({"name":["a","b"]})"));
  EXPECT_EQ(parse_cli({"worker", "assign", "a:0", "3"}).arguments,
            json::parse(R"({"queue":"a:0","core":3})"));
  EXPECT_EQ(parse_cli({"stats", "--watch", "--interval", "2"}).local,
            json::parse(R"({"watch":true,"interval":2})"));
  EXPECT_TRUE(parse_cli({"help", "port", "add"}).wants_help);
  EXPECT_TRUE(parse_cli({"port", "--help"}).wants_help);
  EXPECT_EQ(parse_cli({"port", "add", "--file", "-"}).local, json::parse(R"({"file":"-"})"));
}

TEST(CommandLine, ReadsOptionsThatRepeatAndShortOnes) {
  EXPECT_EQ(
      parse_cli({"node", "add", "a", "--vtep", "192.0.2.1", "--vtep=fd00::1", "--pod-cidr",
                 "10.1.0.0/24,fd00:1::/64"})
          .arguments,
      json::parse(R"({"name":"a","vtep":["192.0.2.1","fd00::1"],"pod-cidr":["10.1.0.0/24","fd00:1::/64"]})"));
  for (const char* file : {"-f", "--file"}) {
    const CommandLine line =
        parse_cli({"apply", file, "-", "--prune=Node,Port", "--allow-empty", "-o", "yaml"});
    EXPECT_EQ(line.command->name(), "apply");
    EXPECT_EQ(line.local, json::parse(R"({"file":"-"})"));
    EXPECT_EQ(line.arguments, json::parse(R"({"prune":["Node","Port"],"allow-empty":true})"));
    EXPECT_TRUE(line.wants_yaml);
  }
  EXPECT_THAT(help_text(*find_command("apply")),
              HasSubstr("Usage: podswitch apply -f FILE [--prune KIND...]"));
}

TEST(CommandLine, RefusesWrongUsage) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{},
                                             {"prot"},
                                             {"port"},
                                             {"port", "lst"},
                                             {"port", "list", "more"},
                                             {"port", "del"},
                                             {"port", "add", "--type", "tap"},
                                             {"port", "add", "a"},
                                             {"port", "add", "a", "--file", "x"},
                                             {"port", "add", "a", "--type"},
                                             {"port", "add", "a", "--type", "tap", "--type", "tap"},
                                             {"port", "add", "a", "--type", "tap", "--typo", "x"},
                                             {"port", "add", "a", "--type", "tap", "-t", "x"},
                                             {"fdb", "list", "--limit", "many"},
                                             {"drops", "--all=1"},
                                             {"status", "-o", "xml"},
                                             {"apply"},
                                             {"apply", "-f"},
                                             {"apply", "-f", "a", "-f", "b"},
                                             {"apply", "-f", "a", "--prune", ""},
                                             {"node", "add", "a", "--vtep", "192.0.2.1"},
                                             {"stats", "--watch", "-o", "yaml"},
                                             {"-x"}})
    EXPECT_THROW(parse_cli(words), UsageError) << testing::PrintToString(words);
  try {
    parse_cli({"prot"});
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'port'?"));
  }
}

TEST(CommandLine, UsageErrorsNameTheHelpAndTheOption) {
  const auto error_of = [](const std::vector<std::string>& words) {
    try {
      parse_cli(words);
    } catch (const UsageError& error) {
      return error.command + "|" + error.what();
    }
    return std::string("accepted");
  };
  EXPECT_EQ(error_of({"prot"}), "|no such command 'prot'; did you mean 'port'?");
  EXPECT_EQ(error_of({"x"}), "|no such command 'x'");
  EXPECT_EQ(error_of({"port", "lst"}).substr(0, 5), "port|");
  EXPECT_EQ(error_of({"port", "add", "a"}), "port add|--type is missing");
  EXPECT_EQ(error_of({"fdb", "list", "--limit", "x"}),
            "fdb list|--limit: 'x' is not a whole number from 0 to 4294967295");
  EXPECT_EQ(error_of({"stats", "--interval", "2"}), "stats|--interval goes with --watch only");
  EXPECT_EQ(error_of({"stats", "--watch", "--interval", "0"}), "stats|--interval: at least 1 second");
}

TEST(CommandLine, HelpAndVersionInEveryForm) {
  EXPECT_EQ(parse_cli({"--version"}).command, find_command("version"));
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"help", "port", "add"}, {"port", "add", "--help"}, {"--socket", "/x", "help", "port", "add"}}) {
    const CommandLine line = parse_cli(words);
    EXPECT_TRUE(line.wants_help);
    EXPECT_EQ(line.command, find_command("port add"));
  }
}

TEST(Output, AlignsAndHumanises) {
  const std::vector<Column> columns{
      {"NAME", "name"}, {"BYTES", "bytes", Format::Bytes}, {"N", "n", Format::Count}};
  EXPECT_EQ(format_table(json::parse(R"([{"name":"a","bytes":1536,"n":99999},{"name":"long","n":1234567}])"),
                         columns),
            "NAME     BYTES      N\n"
            "a     1.50 KiB  99999\n"
            "long         -  1.23M\n");
  EXPECT_EQ(format_record(json::parse(R"({"name":"a","bytes":0,"n":null,"other":["x","y"]})"), columns),
            "NAME:   a\nBYTES:  0 B\nother:  x,y\n");
  EXPECT_EQ(
      format_cell(json::parse(R"([{"name":"a","reason":"x"},{"name":"b","reason":"y"}])"), Format::Text),
      "a: x; b: y");
  EXPECT_EQ(format_cell("\x1b[2Jevil", Format::Text), "?[2Jevil");
  EXPECT_EQ(format_cell(93784, Format::Seconds), "1 d 2 h");
  EXPECT_EQ(format_cell(0.256, Format::Share), "25.6 %");
}

TEST(Output, ShowsObjectsAsRows) {
  const ServiceSpec service{{"shop", "web"},
                            ServiceType::NodePort,
                            {*IpAddress::parse("10.96.0.1"), *IpAddress::parse("fd00::1")},
                            {{"http", Protocol::Tcp, 80, 30080}, {"dns", Protocol::Udp, 53, 0}}};
  EXPECT_EQ(row_of_object(service_to_object(service)), (json{{"name", "shop/web"},
                                                             {"type", "NodePort"},
                                                             {"cluster-ip", {"10.96.0.1", "fd00::1"}},
                                                             {"ports", {"80:30080/TCP", "53/UDP"}}}));
  const EndpointSlice slice{{"shop", "web-1"},
                            "web",
                            true,
                            {{*IpAddress::parse("10.0.0.1"), true, true, false, "a"},
                             {*IpAddress::parse("10.0.0.2"), false, true, true, ""}},
                            {{"http", Protocol::Tcp, 8080}}};
  EXPECT_EQ(row_of_object(slice_to_object(slice)), (json{{"name", "shop/web-1"},
                                                         {"service", "web"},
                                                         {"type", "IPv4"},
                                                         {"ports", json::array({"8080/TCP"})},
                                                         {"endpoints", 2},
                                                         {"ready", 1}}));
  EXPECT_EQ(
      row_of_object(service_to_object({{"shop", "x"}, ServiceType::ExternalName, {}, {}})),
      (json{
          {"name", "shop/x"}, {"type", "ExternalName"}, {"cluster-ip", nullptr}, {"ports", json::array()}}));
}

TEST(Stats, RatesComeFromDifferences) {
  const json before = json::parse(R"([{"port":"a","rx_packets":100},{"port":"b","rx_packets":500}])");
  const json now = json::parse(
      R"([{"port":"a","rx_packets":300},{"port":"b","rx_packets":1},{"port":"c","rx_packets":9}])");
  const json rows = with_rates(before, now, 2);
  EXPECT_EQ(rows[0].at("rx_packets_per_second"), 100);
  EXPECT_EQ(rows[1].at("rx_packets_per_second"), 0);  // began anew
  EXPECT_EQ(rows[2].at("rx_packets_per_second"), 0);
}

}  // namespace
}  // namespace podswitch
