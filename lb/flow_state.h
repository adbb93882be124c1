// SPDX-License-Identifier: Apache-2.0
// What a flow is up to, and how long it may be silent: the connection states of TCP, SCTP, UDP and pings,
// after Linux' nf_conntrack_proto_tcp.c and nf_conntrack_proto_sctp.c, without its windows. A row of the list
// makes the enum, the name in listings, the configuration key of its timeout, and the default. Plain data,
// any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "switch/net/headers.h"

namespace podswitch {

// TcpPickedUp: its beginning was not seen, nor an answer. Of a half-closed connection it matters who closed
// first: that side's last ACK ends it.
// clang-format off
#define PODSWITCH_FLOW_STATES(X)                                                  \
  X(Free,                FREE,        none,             0)                        \
  X(UdpUnreplied,        UNREPLIED,   udp,              30)                       \
  X(UdpReplied,          REPLIED,     udp-stream,       120)                      \
  X(IcmpUnreplied,       UNREPLIED,   icmp,             30)                       \
  X(IcmpReplied,         REPLIED,     icmp,             30)                       \
  X(TcpSynSent,          SYN_SENT,    tcp-syn-sent,     120)                      \
  X(TcpPickedUp,         NONE,        tcp-syn-sent,     120)                      \
  X(TcpSynReceived,      SYN_RECV,    tcp-syn-recv,     60)                       \
  X(TcpEstablished,      ESTABLISHED, tcp-established,  86400)                    \
  X(TcpFinWaitOriginal,  FIN_WAIT,    tcp-fin-wait,     120)                      \
  X(TcpFinWaitReply,     FIN_WAIT,    tcp-fin-wait,     120)                      \
  X(TcpCloseWaitOriginal, CLOSE_WAIT, tcp-close-wait,   3600)                     \
  X(TcpCloseWaitReply,   CLOSE_WAIT,  tcp-close-wait,   3600)                     \
  X(TcpLastAckOriginal,  LAST_ACK,    tcp-last-ack,     30)                       \
  X(TcpLastAckReply,     LAST_ACK,    tcp-last-ack,     30)                       \
  X(TcpTimeWait,         TIME_WAIT,   tcp-time-wait,    120)                      \
  X(TcpClose,            CLOSE,       tcp-close,        10)                       \
  X(SctpInit,            COOKIE_WAIT, sctp-init,        3)                        \
  X(SctpEstablished,     ESTABLISHED, sctp-established, 210)                      \
  X(SctpShutdown,        SHUTDOWN,    sctp-shutdown,    3)                        \
  X(SctpClosed,          CLOSED,      sctp-closed,      10)
// clang-format on

enum class FlowState : uint8_t {
#define PODSWITCH_ENUM(id, name, key, seconds) id,
  PODSWITCH_FLOW_STATES(PODSWITCH_ENUM)
#undef PODSWITCH_ENUM
      Count
};
inline constexpr size_t kFlowStateCount = static_cast<size_t>(FlowState::Count);

struct FlowStateInfo {
  std::string_view name;  // as conntrack-tools says it
  std::string_view timeout_key;
  uint32_t default_seconds;
};
inline constexpr std::array<FlowStateInfo, kFlowStateCount> kFlowStates{{
#define PODSWITCH_INFO(id, name, key, seconds) {#name, #key, seconds},
    PODSWITCH_FLOW_STATES(PODSWITCH_INFO)
#undef PODSWITCH_INFO
}};
constexpr const FlowStateInfo& info(FlowState state) {
  return kFlowStates[static_cast<size_t>(state)];
}

// Seconds of silence after which a flow is forgotten, by state.
using FlowTimeouts = std::array<uint32_t, kFlowStateCount>;
FlowTimeouts default_flow_timeouts();

enum class FlowDirection : uint8_t { Original, Reply };

// What a packet says about its connection.
struct FlowEvent {
  uint8_t tcp_flags = 0;   // of TCP
  uint8_t sctp_chunk = 0;  // of SCTP: the type of the one that matters, 0 (DATA) when none does
};
inline constexpr uint8_t kSctpInit = 1, kSctpInitAck = 2, kSctpAbort = 6, kSctpShutdown = 7,
                         kSctpShutdownAck = 8, kSctpCookieEcho = 10, kSctpCookieAck = 11,
                         kSctpShutdownComplete = 14;

// The state a flow begins in. One that was there before it was seen counts as not answered until it is, so
// that nobody fills the table with what he makes up.
FlowState first_state(uint8_t protocol, FlowEvent event) noexcept;
// Whether a packet without a flow may begin one that is to be translated: any but TCP's and SCTP's later
// ones.
bool begins_connection(uint8_t protocol, FlowEvent event) noexcept;
// The state after one more packet.
FlowState next_state(FlowState state, FlowDirection direction, FlowEvent event) noexcept;
// Whether a packet of these TCP flags never changes the state: most of what there is.
inline bool is_steady(FlowState state, FlowDirection direction, uint8_t tcp_flags) noexcept {
  if (state == FlowState::TcpEstablished)
    return (tcp_flags & (net::kTcpFin | net::kTcpSyn | net::kTcpRst)) == 0;
  return state == FlowState::UdpReplied ||
         (state == FlowState::UdpUnreplied && direction == FlowDirection::Original);
}
// The connection is over: a SYN or INIT of its tuple begins another.
bool is_over(FlowState state) noexcept;
// What a full table gives up first: nobody has answered, or it is over.
bool is_expendable(FlowState state) noexcept;
// "assured" in conntrack-tools' words: both sides have spoken.
bool is_replied(FlowState state) noexcept;

}  // namespace podswitch
