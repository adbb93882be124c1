// SPDX-License-Identifier: Apache-2.0
// The frames that one port sends to another. Each is computed from where it stands in the stream: flow by
// flow, and from the first again with the next sequence number. So a million flows need no table, and a
// receiver knows every byte that it should have got. Not changed once made: any thread.
#pragma once

#include <algorithm>
#include <cstring>
#include <utility>

#include "switch/net/checksum.h"
#include "tests/bench/generator/frame.h"
#include "tests/bench/generator/outer.h"

namespace podswitch::bench {

inline constexpr uint32_t kFirstClientPort = 1024, kClientPorts = 60000;

// A place in a stream.
struct Cursor {
  uint32_t flow = 0;
  uint32_t sequence = 0;
  uint32_t mac = 0;   // flow modulo MACs
  uint32_t size = 0;  // index into the wire sizes
  // Of the far address: flow modulo nodes or services, and how often these have had their turn.
  uint32_t node = 0;
  uint32_t host = 0;
};

class Stream {
 public:
  // `trial_number` tells trials apart.
  Stream(const Trial& trial, uint8_t from_port, uint8_t to_port, uint16_t trial_number);
  Stream(const Stream&) = delete;  // points into itself
  Stream& operator=(const Stream&) = delete;
  Stream(Stream&&) = default;

  const Trial& trial() const { return trial_; }
  uint8_t from_port() const { return from_; }
  uint8_t to_port() const { return to_; }
  uint16_t trial_number() const { return trial_number_; }
  // Without what a tunnel puts in front.
  uint16_t wire_bytes(const Cursor& cursor) const { return sizes_[cursor.size]; }
  uint16_t outer_sent() const { return trial_.is_sent_in_tunnel() ? kOuterBytes : 0; }
  uint16_t outer_received() const { return trial_.arrives_in_tunnel() ? kOuterBytes : 0; }
  // Whether a frame that arrives may have so many.
  bool has_size(uint32_t received_bytes) const noexcept {
    const uint32_t wire_bytes = received_bytes - outer_received();
    for (const Template& one : templates_)
      if (one.wire_bytes == wire_bytes) return true;
    return false;
  }

  void advance(Cursor& cursor) const noexcept {
    if (++cursor.size == sizes_.size()) cursor.size = 0;
    if (++cursor.mac == trial_.macs) cursor.mac = 0;
    if (++cursor.node >= destinations_) cursor.node = 0, ++cursor.host;
    if (++cursor.flow < trial_.flows) return;
    cursor.flow = cursor.mac = cursor.node = cursor.host = 0;
    ++cursor.sequence;
  }
  // How many frames of the stream are before this one.
  uint64_t position(uint32_t flow, uint32_t sequence) const noexcept {
    return uint64_t{sequence} * trial_.flows + flow;
  }
  Cursor cursor_at(uint32_t flow, uint32_t sequence) const noexcept {
    return {flow,
            sequence,
            flow % trial_.macs,
            static_cast<uint32_t>(position(flow, sequence) % sizes_.size()),
            flow % destinations_,
            flow / destinations_};
  }

  // Writes headers and stamp: the first Layout::kBlock bytes. What follows is payload().
  template <Protocol kProtocol>
  void write(uint8_t* frame, const Cursor& cursor, uint64_t tsc) const noexcept;
  // What is sent in front of it, if anything: outer_sent() bytes.
  void write_outer(uint8_t* to, const Cursor& cursor) const noexcept {
    outer_.write(to, wire_bytes(cursor), cursor.flow, trial_.first_node + cursor.node);
  }

 private:
  struct Template {
    uint16_t wire_bytes;
    uint64_t ip_sum, l4_sum;  // of all that does not change
    alignas(16) std::array<uint8_t, kLargestBlock> bytes;
  };
  template <Protocol kProtocol>
  Template make_template(uint16_t wire_bytes) const;
  // A far address' last three bytes: a number, or a host in a /24 of its node.
  uint32_t far_number(const Cursor& cursor) const noexcept {
    return trial_.nodes == 0 ? cursor.flow : ((trial_.first_node + cursor.node) << 8 | (cursor.host & 0xff));
  }

  struct Ends {
    be32_t source, destination;  // the last four bytes of the addresses
    be16_t source_port;
  };
  template <bool kV6>
  Ends ends(const Cursor& cursor) const noexcept {
    const uint32_t near = kV6 ? 0 : (64U + from_) << 24, far = kV6 ? 0 : (32U + from_) << 24;
    const uint32_t flow = cursor.flow;
    if (trial_.service) {  // each flow is another client: no two have both address and port
      const uint32_t client = trial_.first_client + flow;
      return {be32_t((client / kClientPorts + 1) | near), be32_t(first_service_ + cursor.node),
              be16_t(static_cast<uint16_t>(kFirstClientPort + client % kClientPorts))};
    }
    // Destination and source port vary as with testpmd's flowgen and real clients; the sources are few.
    return {be32_t(((flow & (trial_.sources - 1)) + 1) | near), be32_t(far_number(cursor) | far),
            be16_t(static_cast<uint16_t>(kFirstClientPort + flow % 32768))};
  }

  static be16_t folded_checksum(uint64_t sum) noexcept {
    sum = (sum & 0xffff'ffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return be16_t::from_raw(static_cast<uint16_t>(~sum));
  }

  Trial trial_;
  uint8_t from_, to_;
  uint16_t trial_number_;
  uint32_t destinations_, first_service_;
  Outer outer_;
  std::vector<uint16_t> sizes_;
  std::vector<Template> templates_;           // one for each different size
  std::vector<const Template*> template_of_;  // for each of sizes_
};

template <Protocol kProtocol>
void Stream::write(uint8_t* frame, const Cursor& cursor, uint64_t tsc) const noexcept {
  using L = Layout<kProtocol>;
  const Template& t = *template_of_[cursor.size];
  std::memcpy(frame, t.bytes.data(), L::kBlock);
  auto& head = *reinterpret_cast<typename L::Head*>(frame);
  if (trial_.macs > 1)
    head.ether.destination = mac_behind(to_, cursor.mac), head.ether.source = mac_behind(from_, cursor.mac);
  const uint32_t flow = cursor.flow;
  auto [source, destination, source_port] = ends<L::kV6>(cursor);
  if (trial_.is_sent_in_tunnel()) std::swap(source, destination);  // from the far ones
  std::memcpy(head.ip.source.bytes.data() + sizeof head.ip.source - 4, &source, 4);
  std::memcpy(head.ip.destination.bytes.data() + sizeof head.ip.destination - 4, &destination, 4);
  const uint64_t addresses = uint64_t{source.raw()} + destination.raw();
  if constexpr (!L::kV6) head.ip.checksum = folded_checksum(t.ip_sum + addresses);
  head.l4.source_port = source_port;
  head.stamp.flow = be32_t(flow);
  head.stamp.sequence = be32_t(cursor.sequence);
  head.stamp.tsc = be64_t(tsc);
  // 32-bit words count as their two 16-bit halves, since 2^16 is 1 modulo 2^16 - 1.
  const uint64_t stamp = uint64_t{head.stamp.flow.raw()} + head.stamp.sequence.raw() +
                         (head.stamp.tsc.raw() >> 32) + (head.stamp.tsc.raw() & 0xffff'ffff);
  head.l4.checksum = folded_checksum(t.l4_sum + addresses + head.l4.source_port.raw() + stamp);
  if constexpr (!L::kTcp)  // 0 would say that there is none
    if (head.l4.checksum.raw() == 0) head.l4.checksum = be16_t(0xffff);
}

}  // namespace podswitch::bench
