// SPDX-License-Identifier: Apache-2.0
#include "tests/support/flow_headers.h"

#include <algorithm>

namespace podswitch::test {
namespace {

using Frame = std::vector<uint8_t>;

uint16_t word(const Frame& frame, size_t at) {
  return static_cast<uint16_t>(frame[at] << 8 | frame[at + 1]);
}

bool is_ipv4_right(const Frame& frame, size_t at, size_t header) {
  uint32_t sum = 0;
  for (size_t i = 0; i < header; i += 2) sum += word(frame, at + i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  const size_t total = word(frame, at + 2);
  return sum == 0xffff && total >= header && at + total <= frame.size();
}

std::vector<uint8_t> slice(const Frame& frame, size_t at, size_t length) {
  return {frame.begin() + static_cast<ptrdiff_t>(at), frame.begin() + static_cast<ptrdiff_t>(at + length)};
}

// Where layer 4 starts, or 0.
size_t read_ipv4(const Frame& frame, size_t at, const ParserHabits& habits, FrameHeaders& out) {
  if (frame.size() < at + 20 || frame[at] >> 4 != 4) return 0;
  const size_t header = (frame[at] & 15U) * 4;
  if (header < 20 || frame.size() < at + header) return 0;
  if (habits.checks_ip && !is_ipv4_right(frame, at, header)) return 0;
  out.is_v4 = true;
  out.source = slice(frame, at + 12, 4);
  out.destination = slice(frame, at + 16, 4);
  out.is_fragment = (word(frame, at + 6) & 0x3fff) != 0;
  out.next_header = frame[at + 9];
  return (word(frame, at + 6) & 0x1fff) == 0 ? at + header : 0;
}

size_t read_ipv6(const Frame& frame, size_t at, const ParserHabits& habits, FrameHeaders& out,
                 uint8_t& protocol) {
  if (frame.size() < at + 40 || frame[at] >> 4 != 6) return 0;
  if (habits.checks_ip && at + 40 + word(frame, at + 4) > frame.size()) return 0;
  out.is_v4 = false;
  out.source = slice(frame, at + 8, 16);
  out.destination = slice(frame, at + 24, 16);
  protocol = out.next_header = frame[at + 6];
  at += 40;
  bool is_first = true;
  while (protocol == 0 || protocol == 43 || protocol == 44 || protocol == 60) {
    if (frame.size() < at + 8) return 0;
    if (protocol == 44) {
      out.has_fragment_extension = true;
      is_first = (word(frame, at + 2) & 0xfff8) == 0;
    }
    const size_t length = protocol == 44 ? 8 : (frame[at + 1] + 1U) * 8;
    protocol = frame[at];
    if (habits.takes_last_next_header) out.next_header = protocol;
    at += length;
    if (!habits.sees_through_extensions && !habits.takes_last_next_header) return 0;
  }
  return is_first ? at : 0;
}

void read_tunnel(const Frame& frame, size_t at, const ParserHabits& habits, FrameHeaders& out) {
  if (frame.size() < at + 8) return;
  const uint16_t port = *out.destination_port;
  if (habits.tunnel_ports.contains({port, TunnelKind::Vxlan})) {
    if (habits.checks_tunnel && (frame[at] & 8) == 0) return;
    out.tunnel = TunnelKind::Vxlan;
    out.inner_offset = at + 8;
  } else if (habits.tunnel_ports.contains({port, TunnelKind::Geneve})) {
    if (habits.checks_tunnel && frame[at] != 0) return;
    out.tunnel = TunnelKind::Geneve;
    out.inner_offset = at + 8 + (frame[at] & 63U) * 4;
  }
}

}  // namespace

std::string ParserHabits::to_string() const {
  return std::string(sees_through_tags ? "tags " : "") + (sees_through_extensions ? "extensions " : "") +
         (takes_last_next_header ? "last-next-header " : "") + (checks_ip ? "checks-ip " : "") +
         (checks_tunnel ? "checks-tunnel" : "");
}

FrameHeaders read_headers(const Frame& frame, size_t offset, const ParserHabits& habits) {
  FrameHeaders out;
  if (frame.size() < offset + 14) return out;
  std::copy_n(frame.begin() + static_cast<ptrdiff_t>(offset), 6, out.mac.begin());
  size_t at = offset + 12;
  while (word(frame, at) == 0x8100 || word(frame, at) == 0x88a8) {
    if (frame.size() < at + 6) return out;
    if (!out.vlan) out.vlan = word(frame, at + 2) & 0x0fff;
    at += 4;
  }
  const uint16_t type = word(frame, at);
  size_t l4 = 0;
  uint8_t protocol = 0;
  if (type == 0x0800) {
    l4 = read_ipv4(frame, at + 2, habits, out);
    protocol = out.next_header;
  } else if (type == 0x86dd) {
    l4 = read_ipv6(frame, at + 2, habits, out, protocol);
  }
  if (l4 == 0 || (protocol != 17 && protocol != 6) || frame.size() < l4 + 8) return out;
  out.source_port = word(frame, l4);
  out.destination_port = word(frame, l4 + 2);
  out.has_udp = protocol == 17;
  if (out.has_udp) read_tunnel(frame, l4 + 8, habits, out);
  return out;
}

// Microsoft's verification key, as most NICs have it.
uint32_t rss_hash(const FrameHeaders& headers) {
  static constexpr std::array<uint8_t, 40> kKey{0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
                                                0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
                                                0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
                                                0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};
  std::vector<uint8_t> input = headers.source;
  input.insert(input.end(), headers.destination.begin(), headers.destination.end());
  if (headers.source_port && !headers.is_fragment && !headers.has_fragment_extension)
    for (const uint16_t port : {*headers.source_port, *headers.destination_port}) {
      input.push_back(static_cast<uint8_t>(port >> 8));
      input.push_back(static_cast<uint8_t>(port));
    }
  const auto key_bit = [](size_t bit) { return kKey.at(bit / 8) >> (7 - bit % 8) & 1U; };
  uint32_t hash = 0;
  for (size_t bit = 0; bit < input.size() * 8; ++bit) {
    if ((input[bit / 8] >> (7 - bit % 8) & 1U) == 0) continue;
    uint32_t window = 0;
    for (size_t i = 0; i < 32; ++i) window = window << 1 | key_bit((bit + i) % 320);
    hash ^= window;
  }
  return hash;
}

}  // namespace podswitch::test
