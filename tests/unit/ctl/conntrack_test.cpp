// SPDX-License-Identifier: Apache-2.0
#include "ctl/commands/conntrack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "ctl/cli_arguments.h"
#include "ctl/cli_conntrack.h"
#include "pmd/error.h"

namespace podswitch {
namespace {

using nlohmann::json;
using testing::HasSubstr;

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

// As a client that asks a Service.
FlowEntry entry(std::string_view client, std::string_view vip, std::string_view backend, uint8_t protocol,
                FlowState state) {
  FlowEntry flow;
  flow.slot = 3;
  flow.original = FlowKey::of(ip(client), 4000, ip(vip), 80, protocol, 0);
  flow.reply = FlowKey::of(ip(backend), 8080, ip(client), 4000, protocol, 0);
  flow.service = 1;
  flow.state = state;
  flow.idle_seconds = 8;
  flow.timeout_seconds = 86400;
  return flow;
}

const FlowEntry kTcp = entry("10.1.0.1", "10.96.0.1", "10.1.0.3", 6, FlowState::TcpEstablished);
const FlowEntry kUdp6 = entry("fd00:1::1", "fd00:96::1", "fd00:1::3", 17, FlowState::UdpUnreplied);

bool matches(const json& arguments, const FlowEntry& flow) {
  return flow_filter(arguments).matches(flow);
}

TEST(Conntrack, EachFilterFits) {
  EXPECT_EQ(flow_filter(json::object()), FlowFilter{});
  EXPECT_TRUE(matches(json::object(), kTcp));
  for (const auto& [fits, fails] : std::vector<std::pair<json, json>>{
           {{{"orig-src", "10.1.0.1"}}, {{"orig-src", "10.1.0.3"}}},
           {{{"orig-src", "10.1.0.0/24"}}, {{"orig-src", "10.1.1.0/24"}}},
           {{{"orig-dst", "10.96.0.0/12"}}, {{"orig-dst", "fd00:96::/64"}}},
           {{{"reply-src", "10.1.0.3"}}, {{"reply-src", "10.96.0.1"}}},
           {{{"reply-dst", "10.1.0.1"}}, {{"reply-dst", "10.1.0.3"}}},
           {{{"proto", "tcp"}}, {{"proto", "udp"}}},
           {{{"proto", "6"}}, {{"proto", "132"}}},
           {{{"sport", 4000}}, {{"sport", 80}}},
           {{{"dport", 80}}, {{"dport", 8080}}},
           {{{"state", "established"}}, {{"state", "SYN_SENT"}}},
           {{{"family", "ipv4"}}, {{"family", "ipv6"}}},
           {{{"proto", "tcp"}, {"sport", 4000}}, {{"proto", "tcp"}, {"sport", 4001}}}}) {
    EXPECT_TRUE(matches(fits, kTcp)) << fits;
    EXPECT_FALSE(matches(fails, kTcp)) << fails;
  }
  EXPECT_TRUE(matches({{"orig-src", "fd00:1::/64"}, {"family", "ipv6"}, {"state", "UNREPLIED"}}, kUdp6));
  EXPECT_FALSE(matches({{"orig-src", "0.0.0.0/0"}}, kUdp6));
}

TEST(Conntrack, APingHasNoPorts) {
  const FlowEntry ping = entry("10.1.0.1", "10.96.0.1", "10.1.0.3", 1, FlowState::IcmpReplied);
  EXPECT_TRUE(matches({{"proto", "icmp"}}, ping));
  EXPECT_FALSE(matches({{"sport", 4000}}, ping));
  EXPECT_FALSE(matches({{"dport", 80}}, ping));
}

TEST(Conntrack, AServiceIsNamedWithOrWithoutItsPort) {
  const FlowEntry flow = entry("10.1.0.1", "10.96.0.1", "10.1.0.3", 6, FlowState::TcpEstablished);
  const FlowFilter whole = flow_filter({{"service", "shop/web"}});
  EXPECT_TRUE(whole.matches_service("shop/web:http", flow));
  EXPECT_FALSE(whole.matches_service("shop/web-2:http", flow));
  EXPECT_FALSE(whole.matches_service("", flow));
  const FlowFilter port = flow_filter({{"service", "shop/web:http"}});
  EXPECT_TRUE(port.matches_service("shop/web:http", flow));
  EXPECT_FALSE(port.matches_service("shop/web:https", flow));
  EXPECT_TRUE(FlowFilter{}.matches_service("", flow));
  EXPECT_NE(whole, FlowFilter{});
  const FlowFilter number = flow_filter({{"service", "shop/web:80"}});
  EXPECT_TRUE(number.matches_service("shop/web:http", flow));
  EXPECT_TRUE(number.matches_service("shop/web", flow));
  EXPECT_FALSE(number.matches_service("shop/web-2", flow));
  EXPECT_FALSE(flow_filter({{"service", "shop/web:81"}}).matches_service("shop/web:http", flow));
}

TEST(Conntrack, AllThatIsWrongWithAFilterIsSaid) {
  try {
    flow_filter({{"orig-src", "10.1.0.300"},
                 {"orig-dst", "10.1.0.1/24"},
                 {"proto", "tpc"},
                 {"sport", 65536},
                 {"state", "OPEN"},
                 {"service", "web"},
                 {"family", "4"}});
    FAIL() << "taken";
  } catch (const Error& error) {
    const std::string said = error.what();
    EXPECT_EQ(error.problems().size(), 7u);
    for (const char* part :
         {"orig-src: '10.1.0.300' is not", "orig-dst: '10.1.0.1/24' has bits set behind the prefix",
          "proto: 'tpc' is none of tcp", "sport: 65536 is no port", "state: 'OPEN' is none of UNREPLIED",
          "service: 'web' is not NAMESPACE/NAME", "family: '4' is neither ipv4 nor ipv6"})
      EXPECT_THAT(said, HasSubstr(part));
  }
  EXPECT_THROW(flow_filter({{"proto", "256"}}), Error);
  EXPECT_THROW(flow_filter({{"state", "FREE"}}), Error);
  EXPECT_THROW(flow_filter({{"service", "/web"}}), Error);
}

TEST(Conntrack, LinesAreThoseOfConntrackTools) {
  EXPECT_EQ(
      connection_line(flow_row({kTcp, "shop/web:http"})),
      "tcp      6 86392 ESTABLISHED src=10.1.0.1 dst=10.96.0.1 sport=4000 dport=80 src=10.1.0.3 dst=10.1.0.1 "
      "sport=8080 dport=4000 [ASSURED] service=shop/web:http");
  EXPECT_EQ(connection_line(flow_row({kUdp6, ""})),
            "udp      17 86392 src=fd00:1::1 dst=fd00:96::1 sport=4000 dport=80 [UNREPLIED] src=fd00:1::3 "
            "dst=fd00:1::1 "
            "sport=8080 dport=4000");
  FlowEntry ping = entry("10.1.0.1", "10.96.0.1", "10.1.0.3", 1, FlowState::IcmpUnreplied);
  ping.original = FlowKey::of(ip("10.1.0.1"), 77, ip("10.96.0.1"), 77, 1, 0);
  ping.reply = FlowKey::of(ip("10.1.0.3"), 77, ip("10.1.0.1"), 77, 1, 0);
  ping.idle_seconds = 100000;
  EXPECT_EQ(connection_line(flow_row({ping, ""})),
            "icmp     1 0 src=10.1.0.1 dst=10.96.0.1 id=77 [UNREPLIED] src=10.1.0.3 dst=10.1.0.1 id=77");
}

TEST(Conntrack, RowsHaveBothTuples) {
  const json row = flow_row({kTcp, ""});
  EXPECT_EQ(
      row, json::parse(R"({"protocol":"tcp","protocol_number":6,"timeout_seconds":86392,"state":"ESTABLISHED",
    "replied":true,"service":null,
    "original":{"src":"10.1.0.1","dst":"10.96.0.1","sport":4000,"dport":80},
    "reply":{"src":"10.1.0.3","dst":"10.1.0.1","sport":8080,"dport":4000}})"));
}

TEST(Conntrack, HasTheLettersOfConntrackTools) {
  const CommandLine line =
      parse_cli({"conntrack", "list", "-s", "10.1.0.1", "-d", "10.96.0.1", "-r", "10.1.0.3", "-q", "10.1.0.1",
                 "-p", "tcp", "-f", "ipv4", "--dport", "80", "-o", "json"});
  EXPECT_TRUE(line.wants_json);
  EXPECT_TRUE(flow_filter(line.arguments).matches(kTcp));
  EXPECT_EQ(line.arguments.size(), 7u);
}

// A daemon with seven connections, of which an answer has three; it takes none of the first two places.
class ParcelledTable {
 public:
  json operator()(const json& arguments) {
    asked.push_back(arguments);
    const uint64_t from = arguments.value("from", uint64_t{0});
    const uint64_t limit = std::min<uint64_t>(arguments.value("limit", uint64_t{3}), 3);
    json flows = json::array();
    uint64_t place = from;
    for (; place < 9 && flows.size() < limit; ++place) {
      if (place < 2) continue;
      FlowEntry flow = kTcp;
      flow.original.set_source_port(static_cast<uint16_t>(place));
      flows.push_back(flow_row({flow, ""}));
    }
    const uint64_t flushed = flows.size();
    return {{"flows", std::move(flows)},
            {"flushed", flushed},
            {"next", place == 9 ? json(nullptr) : json(place)}};
  }
  std::vector<json> asked;
};

std::string printed(const std::vector<std::string>& words, ParcelledTable& table) {
  testing::internal::CaptureStdout();
  const auto ask = [&](const json& arguments) { return table(arguments); };
  const CommandLine line = parse_cli(words);
  if (line.command->verb == "list")
    list_connections(line, ask);
  else
    flush_connections(line, ask);
  std::fflush(stdout);
  return testing::internal::GetCapturedStdout();
}

TEST(Conntrack, TheTableComesInParts) {
  ParcelledTable table;
  const json rows = json::parse(printed({"conntrack", "list", "-p", "tcp", "-o", "json"}, table));
  ASSERT_EQ(rows.size(), 7u);
  for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(rows[i].at("original").at("sport"), i + 2);
  ASSERT_EQ(table.asked.size(), 3u);
  EXPECT_EQ(table.asked[0], json({{"proto", "tcp"}}));
  EXPECT_EQ(table.asked[2], json({{"proto", "tcp"}, {"from", 8}}));
  const std::string lines = printed({"conntrack", "list"}, table);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 7);
  EXPECT_TRUE(lines.starts_with("tcp      6 "));
}

TEST(Conntrack, ALimitIsOfAllPartsTogether) {
  ParcelledTable table;
  testing::internal::CaptureStderr();
  EXPECT_EQ(json::parse(printed({"conntrack", "list", "--limit", "5", "-o", "json"}, table)).size(), 5u);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("there may be more (--limit, --from 7)"));
  EXPECT_EQ(table.asked.back(), json({{"limit", 2}, {"from", 5}}));
  EXPECT_EQ(json::parse(printed({"conntrack", "list", "--limit", "7", "-o", "json"}, table)).size(), 7u);
}

TEST(Conntrack, NothingIsAnEmptyList) {
  ParcelledTable table;
  EXPECT_EQ(printed({"conntrack", "list", "--from", "9", "-o", "json"}, table), "[]\n");
  EXPECT_EQ(printed({"conntrack", "list", "--from", "9", "-o", "yaml"}, table), "[]\n");
  EXPECT_EQ(printed({"conntrack", "list", "--from", "9"}, table), "");
}

TEST(Conntrack, AFlushSumsUpItsParts) {
  ParcelledTable table;
  EXPECT_EQ(printed({"conntrack", "flush", "--all"}, table), "7 connections forgotten\n");
  EXPECT_EQ(table.asked.back(), json({{"all", true}, {"from", 8}}));
  EXPECT_EQ(json::parse(printed({"conntrack", "flush", "--all", "-o", "json"}, table)),
            json({{"flushed", 7}}));
}

}  // namespace
}  // namespace podswitch
