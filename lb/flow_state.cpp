// SPDX-License-Identifier: Apache-2.0
#include "lb/flow_state.h"

namespace podswitch {
namespace {

FlowState closed_first_by(FlowDirection direction, FlowState original, FlowState reply) noexcept {
  return direction == FlowDirection::Original ? original : reply;
}

// What each half-closed state is called when the other side was first.
bool is_first_closer(FlowState state, FlowDirection direction) noexcept {
  const bool is_original = state == FlowState::TcpFinWaitOriginal ||
                           state == FlowState::TcpCloseWaitOriginal || state == FlowState::TcpLastAckOriginal;
  return is_original == (direction == FlowDirection::Original);
}

FlowState after_fin(FlowState state, FlowDirection direction) noexcept {
  using S = FlowState;
  switch (state) {
    case S::TcpPickedUp:
      return direction == FlowDirection::Reply ? S::TcpFinWaitReply : state;
    case S::TcpSynReceived:
    case S::TcpEstablished:
      return closed_first_by(direction, S::TcpFinWaitOriginal, S::TcpFinWaitReply);
    case S::TcpFinWaitOriginal:
    case S::TcpCloseWaitOriginal:
      return is_first_closer(state, direction) ? state : S::TcpLastAckOriginal;
    case S::TcpFinWaitReply:
    case S::TcpCloseWaitReply:
      return is_first_closer(state, direction) ? state : S::TcpLastAckReply;
    default:
      return state;
  }
}

FlowState after_ack(FlowState state, FlowDirection direction) noexcept {
  using S = FlowState;
  switch (state) {
    case S::TcpPickedUp:
      return direction == FlowDirection::Reply ? S::TcpEstablished : state;
    case S::TcpSynReceived:
      return direction == FlowDirection::Original ? S::TcpEstablished : state;
    case S::TcpFinWaitOriginal:
      return is_first_closer(state, direction) ? state : S::TcpCloseWaitOriginal;
    case S::TcpFinWaitReply:
      return is_first_closer(state, direction) ? state : S::TcpCloseWaitReply;
    case S::TcpLastAckOriginal:
    case S::TcpLastAckReply:
      return is_first_closer(state, direction) ? S::TcpTimeWait : state;
    default:
      return state;
  }
}

FlowState next_tcp_state(FlowState state, FlowDirection direction, uint8_t flags) noexcept {
  using S = FlowState;
  if ((flags & net::kTcpRst) != 0) return S::TcpClose;
  if ((flags & net::kTcpSyn) != 0) {
    if (state == S::TcpPickedUp && direction == FlowDirection::Original) return S::TcpSynSent;
    // The second SYN of a simultaneous open (RFC 9293 section 3.5), or a SYN/ACK.
    return state == S::TcpSynSent && direction == FlowDirection::Reply ? S::TcpSynReceived : state;
  }
  if ((flags & net::kTcpFin) != 0) return after_fin(state, direction);
  return (flags & net::kTcpAck) != 0 ? after_ack(state, direction) : state;
}

FlowState next_sctp_state(FlowState state, FlowDirection direction, uint8_t chunk) noexcept {
  using S = FlowState;
  if (state == S::SctpClosed) return state;
  switch (chunk) {
    case kSctpAbort:
    case kSctpShutdownComplete:
      return S::SctpClosed;
    case kSctpShutdown:
    case kSctpShutdownAck:
      return S::SctpShutdown;
    case kSctpCookieAck:
      return S::SctpEstablished;
    case 0:  // the server sends data or acknowledges it: the COOKIE ACK went by unseen
      return state == S::SctpInit && direction == FlowDirection::Reply ? S::SctpEstablished : state;
    default:
      return state;
  }
}

}  // namespace

FlowTimeouts default_flow_timeouts() {
  FlowTimeouts timeouts;
  for (size_t i = 0; i < kFlowStateCount; ++i) timeouts[i] = kFlowStates[i].default_seconds;
  return timeouts;
}

FlowState first_state(uint8_t protocol, FlowEvent event) noexcept {
  switch (protocol) {
    case net::kProtoTcp:
      if ((event.tcp_flags & net::kTcpRst) != 0) return FlowState::TcpClose;
      return begins_connection(protocol, event) ? FlowState::TcpSynSent : FlowState::TcpPickedUp;
    case net::kProtoSctp:
      return FlowState::SctpInit;
    case net::kProtoUdp:
      return FlowState::UdpUnreplied;
    default:
      return FlowState::IcmpUnreplied;
  }
}

bool begins_connection(uint8_t protocol, FlowEvent event) noexcept {
  if (protocol == net::kProtoTcp)
    return (event.tcp_flags & (net::kTcpSyn | net::kTcpAck | net::kTcpRst | net::kTcpFin)) == net::kTcpSyn;
  if (protocol == net::kProtoSctp) return event.sctp_chunk == kSctpInit;
  return true;
}

FlowState next_state(FlowState state, FlowDirection direction, FlowEvent event) noexcept {
  using S = FlowState;
  switch (state) {
    case S::Free:
    case S::UdpReplied:
    case S::IcmpReplied:
      return state;
    case S::UdpUnreplied:
      return direction == FlowDirection::Reply ? S::UdpReplied : state;
    case S::IcmpUnreplied:
      return direction == FlowDirection::Reply ? S::IcmpReplied : state;
    case S::SctpInit:
    case S::SctpEstablished:
    case S::SctpShutdown:
    case S::SctpClosed:
      return next_sctp_state(state, direction, event.sctp_chunk);
    default:
      return next_tcp_state(state, direction, event.tcp_flags);
  }
}

bool is_over(FlowState state) noexcept {
  return state == FlowState::TcpTimeWait || state == FlowState::TcpClose || state == FlowState::SctpClosed ||
         state == FlowState::TcpLastAckOriginal || state == FlowState::TcpLastAckReply;
}

bool is_expendable(FlowState state) noexcept {
  using S = FlowState;
  return state == S::UdpUnreplied || state == S::IcmpUnreplied || state == S::TcpSynSent ||
         state == S::TcpPickedUp || state == S::SctpInit || state == S::TcpTimeWait || state == S::TcpClose ||
         state == S::SctpClosed;
}

bool is_replied(FlowState state) noexcept {
  using S = FlowState;
  return state != S::Free && state != S::UdpUnreplied && state != S::IcmpUnreplied &&
         state != S::TcpSynSent && state != S::TcpPickedUp && state != S::SctpInit;
}

}  // namespace podswitch
