// SPDX-License-Identifier: Apache-2.0
// What becomes of a connection, packet by packet. A script's words: `>` from who began it, `<` from the other
// side; S SYN, A ACK, F FIN, R RST of TCP, chunks by name of SCTP.
#include "lb/flow_state.h"

#include <gtest/gtest.h>

#include <map>
#include <sstream>

namespace podswitch::test {
namespace {

struct Script {
  const char* packets;
  const char* states;  // after each packet
};

uint8_t tcp_flags(std::string_view word) {
  const std::map<char, uint8_t> flags{{'F', net::kTcpFin},
                                      {'S', net::kTcpSyn},
                                      {'R', net::kTcpRst},
                                      {'P', net::kTcpPsh},
                                      {'A', net::kTcpAck}};
  uint8_t all = 0;
  for (const char letter : word) all |= flags.at(letter);
  return all;
}

uint8_t sctp_chunk(const std::string& word) {
  const std::map<std::string, uint8_t> chunks{
      {"DATA", 0},         {"INIT", 1},        {"INIT-ACK", 2},
      {"ABORT", 6},        {"SHUTDOWN", 7},    {"SHUTDOWN-ACK", 8},
      {"COOKIE-ECHO", 10}, {"COOKIE-ACK", 11}, {"SHUTDOWN-COMPLETE", 14}};
  return chunks.at(word);
}

std::string run(uint8_t protocol, const std::string& packets) {
  std::istringstream words(packets);
  std::string states;
  FlowState state = FlowState::Free;
  for (std::string word; words >> word;) {
    const auto direction = word[0] == '>' ? FlowDirection::Original : FlowDirection::Reply;
    FlowEvent event;
    if (protocol == net::kProtoTcp) event.tcp_flags = tcp_flags(word.substr(1));
    if (protocol == net::kProtoSctp) event.sctp_chunk = sctp_chunk(word.substr(1));
    state = state == FlowState::Free ? first_state(protocol, event) : next_state(state, direction, event);
    states += (states.empty() ? "" : " ") + std::string(info(state).name);
  }
  return states;
}

void expect_all(uint8_t protocol, std::initializer_list<Script> scripts) {
  for (const Script& script : scripts)
    EXPECT_EQ(run(protocol, script.packets), script.states) << script.packets;
}

TEST(FlowStateTest, TcpOpens) {
  expect_all(6, {{">S <SA >A <A", "SYN_SENT SYN_RECV ESTABLISHED ESTABLISHED"},
                 {">S >S <SA <SA >A", "SYN_SENT SYN_SENT SYN_RECV SYN_RECV ESTABLISHED"},
                 {">S <S >SA <SA >A", "SYN_SENT SYN_RECV SYN_RECV SYN_RECV ESTABLISHED"},
                 {">S <RA", "SYN_SENT CLOSE"},
                 {">S <A >R", "SYN_SENT SYN_SENT CLOSE"}});
}

TEST(FlowStateTest, TcpClosesFromEitherSide) {
  expect_all(
      6, {{">S <SA >A >FA <A <FA >A", "SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK TIME_WAIT"},
          {">S <SA >A <FA >A >FA <A", "SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK TIME_WAIT"},
          {">S <SA >A >FA <FA >A", "SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT LAST_ACK TIME_WAIT"},
          {">S <SA >A >FA >FA <A", "SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT FIN_WAIT CLOSE_WAIT"},
          {">S <SA >A >RA", "SYN_SENT SYN_RECV ESTABLISHED CLOSE"},
          {">S <SA >FA", "SYN_SENT SYN_RECV FIN_WAIT"}});
}

TEST(FlowStateTest, AHalfClosedTcpConnectionStaysSoWhileTheOtherSideSends) {
  expect_all(6,
             {{">S <SA >A >FA <PA >A <PA >A <FA <FA >A",
               "SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT CLOSE_WAIT CLOSE_WAIT CLOSE_WAIT LAST_ACK "
               "LAST_ACK TIME_WAIT"},
              {">S <SA >A <FA >PA <A >PA >FA >A <A",
               "SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT CLOSE_WAIT CLOSE_WAIT LAST_ACK LAST_ACK "
               "TIME_WAIT"}});
}

TEST(FlowStateTest, WhatIsOverStaysOverUntilANewConnectionBegins) {
  for (const FlowState state : {FlowState::TcpTimeWait, FlowState::TcpClose})
    for (const uint8_t flags : {net::kTcpAck, net::kTcpSyn, net::kTcpFin}) {
      EXPECT_EQ(next_state(state, FlowDirection::Original, {.tcp_flags = flags}), state);
      EXPECT_TRUE(is_over(state));
    }
  EXPECT_FALSE(is_over(FlowState::TcpEstablished));
  EXPECT_FALSE(is_over(FlowState::TcpCloseWaitOriginal));
  EXPECT_TRUE(is_over(FlowState::SctpClosed));
}

TEST(FlowStateTest, UdpIsRepliedAsSoonAsTheOtherSideSpeaks) {
  expect_all(17, {{"> > < >", "UNREPLIED UNREPLIED REPLIED REPLIED"}});
}

TEST(FlowStateTest, SctpOpensAndCloses) {
  expect_all(132, {{">INIT <INIT-ACK >COOKIE-ECHO <COOKIE-ACK >DATA",
                    "COOKIE_WAIT COOKIE_WAIT COOKIE_WAIT ESTABLISHED ESTABLISHED"},
                   {">INIT <INIT-ACK >COOKIE-ECHO <DATA", "COOKIE_WAIT COOKIE_WAIT COOKIE_WAIT ESTABLISHED"},
                   {">INIT <COOKIE-ACK >SHUTDOWN <SHUTDOWN-ACK >SHUTDOWN-COMPLETE",
                    "COOKIE_WAIT ESTABLISHED SHUTDOWN SHUTDOWN CLOSED"},
                   {">INIT <COOKIE-ACK <SHUTDOWN >SHUTDOWN-ACK <SHUTDOWN-COMPLETE",
                    "COOKIE_WAIT ESTABLISHED SHUTDOWN SHUTDOWN CLOSED"},
                   {">INIT <ABORT >DATA", "COOKIE_WAIT CLOSED CLOSED"},
                   {">INIT <ABORT <COOKIE-ACK", "COOKIE_WAIT CLOSED CLOSED"}});
}

TEST(FlowStateTest, OnlyAPlainSynOrAnInitBeginsAConnection) {
  for (unsigned flags = 0; flags < 256; ++flags)
    EXPECT_EQ(begins_connection(6, {.tcp_flags = static_cast<uint8_t>(flags)}),
              (flags & (net::kTcpSyn | net::kTcpAck | net::kTcpFin | net::kTcpRst)) == net::kTcpSyn);
  for (unsigned chunk = 0; chunk < 256; ++chunk)
    EXPECT_EQ(begins_connection(132, {.sctp_chunk = static_cast<uint8_t>(chunk)}), chunk == kSctpInit);
  EXPECT_TRUE(begins_connection(17, {}));
}

// Made-up segments would otherwise fill the table for a day.
TEST(FlowStateTest, AConnectionThatWasThereBeforeIsEstablishedWhenItIsAnswered) {
  const FlowState tcp = first_state(6, {.tcp_flags = net::kTcpAck});
  EXPECT_TRUE(is_expendable(tcp));
  EXPECT_EQ(next_state(tcp, FlowDirection::Original, {.tcp_flags = net::kTcpSyn}), FlowState::TcpSynSent);
  EXPECT_EQ(next_state(tcp, FlowDirection::Original, {.tcp_flags = net::kTcpAck}), tcp);
  EXPECT_EQ(next_state(tcp, FlowDirection::Reply, {.tcp_flags = net::kTcpAck}), FlowState::TcpEstablished);
  EXPECT_EQ(next_state(tcp, FlowDirection::Reply, {.tcp_flags = net::kTcpFin | net::kTcpAck}),
            FlowState::TcpFinWaitReply);
  EXPECT_EQ(first_state(6, {.tcp_flags = net::kTcpRst}), FlowState::TcpClose);
  const FlowState sctp = first_state(132, {.sctp_chunk = 0});
  EXPECT_TRUE(is_expendable(sctp));
  EXPECT_EQ(next_state(sctp, FlowDirection::Reply, {.sctp_chunk = 0}), FlowState::SctpEstablished);
}

TEST(FlowStateTest, ASteadyPacketNeverChangesTheState) {
  for (size_t i = 1; i < kFlowStateCount; ++i)
    for (const auto direction : {FlowDirection::Original, FlowDirection::Reply})
      for (unsigned flags = 0; flags < 256; ++flags) {
        const auto state = static_cast<FlowState>(i);
        const FlowEvent event{.tcp_flags = static_cast<uint8_t>(flags)};
        EXPECT_TRUE(!is_steady(state, direction, event.tcp_flags) ||
                    next_state(state, direction, event) == state);
      }
}

TEST(FlowStateTest, TheTimeoutsAreLinuxsButForTwo) {
  const FlowTimeouts timeouts = default_flow_timeouts();
  const auto of = [&](FlowState state) { return timeouts[static_cast<size_t>(state)]; };
  EXPECT_EQ(of(FlowState::TcpEstablished), 24 * 3600u);
  EXPECT_EQ(of(FlowState::TcpCloseWaitOriginal), 3600u);
  EXPECT_EQ(of(FlowState::TcpCloseWaitReply), 3600u);
  EXPECT_EQ(of(FlowState::TcpSynSent), 120u);
  EXPECT_EQ(of(FlowState::TcpTimeWait), 120u);
  EXPECT_EQ(of(FlowState::UdpUnreplied), 30u);
  EXPECT_EQ(of(FlowState::UdpReplied), 120u);
  EXPECT_EQ(of(FlowState::SctpEstablished), 210u);
}

}  // namespace
}  // namespace podswitch::test
