// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/packet_builder.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <stdexcept>

namespace podswitch::test {
namespace {

uint16_t fold(uint64_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

void set16(Bytes& frame, size_t at, unsigned value) {
  frame.at(at) = static_cast<uint8_t>(value >> 8);
  frame.at(at + 1) = static_cast<uint8_t>(value);
}

}  // namespace

MacAddress mac(std::string_view text) {
  return MacAddress::parse(text).value();
}
Ipv4Address ip4(std::string_view text) {
  return Ipv4Address::parse(text).value();
}
Ipv6Address ip6(std::string_view text) {
  return Ipv6Address::parse(text).value();
}

Packet& Packet::put8(unsigned value) {
  data_.push_back(static_cast<uint8_t>(value));
  return *this;
}
Packet& Packet::put16(unsigned value) {
  return put8(value >> 8).put8(value);
}
Packet& Packet::put32(uint32_t value) {
  return put16(value >> 16).put16(value & 0xffff);
}
template <typename Array>
Packet& Packet::put(const Array& bytes) {
  data_.insert(data_.end(), bytes.begin(), bytes.end());
  return *this;
}

Packet& Packet::eth(std::string_view source, std::string_view destination) {
  return put(mac(destination).bytes).put(mac(source).bytes).put16(0);
}

void Packet::set_ether_type(uint16_t type) {
  set16(data_, type_at_, type);
  payload_ether_type_ = type;
  l3_ = data_.size();
}

Packet& Packet::vlan(uint16_t tci, uint16_t tag_type) {
  set16(data_, type_at_, tag_type);
  put16(tci);
  type_at_ = data_.size();
  put16(0);
  l3_ = data_.size();
  return *this;
}

Packet& Packet::ether_type(uint16_t type) {
  set_ether_type(type);
  return *this;
}

Packet& Packet::arp(uint16_t operation, std::string_view sender_mac, std::string_view sender_ip,
                    std::string_view target_mac, std::string_view target_ip) {
  set_ether_type(0x0806);
  put16(1).put16(0x0800).put8(6).put8(4).put16(operation);
  put(mac(sender_mac).bytes).put(ip4(sender_ip).bytes);
  return put(mac(target_mac).bytes).put(ip4(target_ip).bytes);
}

Packet& Packet::ipv4(std::string_view source, std::string_view destination, const Ipv4Fields& fields) {
  set_ether_type(0x0800);
  has_ip_ = true;
  protocol_ = fields.protocol;
  put8(0x40 | (5 + fields.options.size() / 4))
      .put8(fields.tos)
      .put16(0)
      .put16(fields.id)
      .put16(fields.fragment);
  next_header_at_ = data_.size() + 1;
  put8(fields.ttl).put8(fields.protocol).put16(0);
  put(ip4(source).bytes).put(ip4(destination).bytes).put(fields.options);
  l4_ = data_.size();
  return *this;
}

Packet& Packet::ipv6(std::string_view source, std::string_view destination, const Ipv6Fields& fields) {
  set_ether_type(0x86dd);
  has_ip_ = is_v6_ = true;
  protocol_ = fields.next_header;
  put32(0x60000000 | uint32_t{fields.traffic_class} << 20 | fields.flow_label).put16(0);
  next_header_at_ = data_.size();
  put8(fields.next_header).put8(fields.hop_limit);
  put(ip6(source).bytes).put(ip6(destination).bytes);
  l4_ = data_.size();
  return *this;
}

Packet& Packet::extension(uint8_t type, unsigned units) {
  data_.at(next_header_at_) = type;
  next_header_at_ = data_.size();
  put8(protocol_).put8(units - 1);
  // Hop-by-hop and destination options: one PadN option fills it. For a routing header: no segments left.
  if (type == 43)
    put8(0).put8(0);
  else
    put8(1).put8(units * 8 - 4);
  data_.resize(data_.size() + units * 8 - 4);
  l4_ = data_.size();
  return *this;
}

Packet& Packet::fragment6(uint16_t offset, bool more, uint8_t next_header) {
  data_.at(next_header_at_) = 44;
  next_header_at_ = data_.size();
  put8(next_header).put8(0).put16((offset & 0xfff8u) | (more ? 1 : 0)).put32(0xabcd);
  l4_ = data_.size();
  return *this;
}

void Packet::begin_l4(L4 kind, uint8_t protocol) {
  data_.at(next_header_at_) = protocol;
  protocol_ = protocol;
  l4_kind_ = kind;
  l4_ = data_.size();
}

Packet& Packet::tcp(uint16_t source, uint16_t destination, const TcpFields& fields) {
  begin_l4(L4::Tcp, 6);
  put16(source).put16(destination).put32(fields.sequence).put32(77);
  put8((5 + fields.options.size() / 4) << 4).put8(fields.flags).put16(512).put16(0).put16(0);
  return put(fields.options);
}

Packet& Packet::udp(uint16_t source, uint16_t destination) {
  begin_l4(L4::Udp, 17);
  return put16(source).put16(destination).put16(0).put16(0);
}

Packet& Packet::sctp(uint16_t source, uint16_t destination) {
  begin_l4(L4::Sctp, 132);
  return put16(source).put16(destination).put32(0xcafe).put32(0);
}

Packet& Packet::vxlan(uint32_t vni) {
  return put32(0x08000000).put32(vni << 8);
}

Packet& Packet::geneve(uint32_t vni, const Bytes& options) {
  return put8(static_cast<unsigned>(options.size() / 4)).put8(0).put16(0x6558).put32(vni << 8).put(options);
}

Packet& Packet::icmp(uint8_t type, uint8_t code) {
  begin_l4(L4::Icmp, 1);
  return put8(type).put8(code).put16(0);
}

Packet& Packet::icmpv6(uint8_t type, uint8_t code) {
  begin_l4(L4::Icmpv6, 58);
  return put8(type).put8(code).put16(0);
}

Packet& Packet::echo(uint16_t id, uint16_t sequence) {
  return put16(id).put16(sequence);
}

Packet& Packet::solicitation(std::string_view target) {
  return icmpv6(135).put32(0).put(ip6(target).bytes);
}

Packet& Packet::advertisement(std::string_view target, uint32_t flags) {
  return icmpv6(136).put32(flags).put(ip6(target).bytes);
}

Packet& Packet::nd_option(uint8_t type, std::string_view address) {
  return put8(type).put8(1).put(mac(address).bytes);
}

Packet& Packet::payload(size_t length) {
  for (size_t i = 1; i <= length; ++i) put8(static_cast<unsigned>(i * 7 + i / 256));
  return *this;
}

Packet& Packet::payload(const Bytes& bytes) {
  return put(bytes);
}

Packet& Packet::partial_checksum() {
  is_partial_ = true;
  return *this;
}
Packet& Packet::no_checksum() {
  has_checksum_ = false;
  return *this;
}
Packet& Packet::padding(size_t length) {
  padding_ = length;
  return *this;
}
Packet& Packet::cut(size_t length) {
  cut_ = length;
  return *this;
}
Packet& Packet::poke(size_t offset, uint8_t value) {
  pokes_.emplace_back(offset, value);
  return *this;
}

uint32_t Packet::pseudo_header(const Bytes& frame, size_t l4_length) const {
  const size_t from = is_v6_ ? l3_ + 8 : l3_ + 12;
  return slow_sum(frame, from, from + (is_v6_ ? 32 : 8)) + protocol_ + static_cast<uint32_t>(l4_length);
}

void Packet::finish_checksum(Bytes& frame) const {
  const size_t length = frame.size() - l4_;
  if (l4_kind_ == L4::Sctp) {
    const uint32_t crc = is_partial_ ? 0 : slow_crc32c(frame, l4_, frame.size());
    for (size_t i = 0; i < 4; ++i) frame.at(l4_ + 8 + i) = static_cast<uint8_t>(crc >> 8 * i);
    return;
  }
  if (l4_kind_ == L4::Udp) set16(frame, l4_ + 4, static_cast<unsigned>(length));
  if (!has_checksum_) return;
  const size_t at = l4_ + (l4_kind_ == L4::Tcp ? 16 : l4_kind_ == L4::Udp ? 6 : 2);
  const uint32_t pseudo = l4_kind_ == L4::Icmp ? 0 : pseudo_header(frame, length);
  if (is_partial_) return set16(frame, at, fold(pseudo));
  const uint16_t sum = fold(uint64_t{pseudo} + slow_sum(frame, l4_, frame.size()));
  set16(frame, at, l4_kind_ == L4::Udp && sum == 0xffff ? 0xffff : 0xffffu - sum);
}

Bytes Packet::bytes() const {
  Bytes frame = data_;
  if (has_ip_ && is_v6_) {
    set16(frame, l3_ + 4, static_cast<unsigned>(frame.size() - l3_ - 40));
  } else if (has_ip_) {
    set16(frame, l3_ + 2, static_cast<unsigned>(frame.size() - l3_));
    set16(frame, l3_ + 10, 0xffffu - slow_sum(frame, l3_, l3_ + (frame[l3_] & 0x0fu) * 4));
  }
  if (l4_kind_ != L4::None) finish_checksum(frame);
  frame.resize(frame.size() + padding_, 0xee);
  frame.resize(frame.size() - cut_);
  for (const auto& [offset, value] : pokes_) frame.at(offset) = value;
  return frame;
}

PacketPtr Packet::mbuf(const std::vector<size_t>& sizes) const {
  return make_mbuf(bytes(), sizes);
}

PacketPtr make_mbuf(const Bytes& frame, const std::vector<size_t>& sizes) {
  PacketPtr head;
  size_t at = 0;
  for (size_t i = 0; at < frame.size() || i == 0; ++i) {
    rte_mbuf* segment = rte_pktmbuf_alloc(&packet_pool());
    if (segment == nullptr) throw std::runtime_error("test pool is empty");
    if (head != nullptr) segment->data_off = 0;
    size_t size = std::min<size_t>(frame.size() - at, rte_pktmbuf_tailroom(segment));
    if (i < sizes.size()) size = std::min(size, sizes[i]);
    if (size > 0)
      std::memcpy(rte_pktmbuf_append(segment, static_cast<uint16_t>(size)), frame.data() + at, size);
    at += size;
    if (head == nullptr)
      head.reset(segment);
    else
      rte_pktmbuf_chain(head.get(), segment);
  }
  return head;
}

Bytes bytes_of(const rte_mbuf& packet) {
  Bytes frame;
  for (const rte_mbuf* segment = &packet; segment != nullptr; segment = segment->next) {
    const auto* data = rte_pktmbuf_mtod(segment, const uint8_t*);
    frame.insert(frame.end(), data, data + segment->data_len);
  }
  return frame;
}

std::string defect_of(const rte_mbuf& packet) {
  const char* reason = "";
  return rte_mbuf_check(&packet, 1, &reason) == 0 ? "" : reason;
}

std::string text_of(const Bytes& frame) {
  std::string text = std::to_string(frame.size()) + " bytes";
  char byte[8];
  for (size_t i = 0; i < frame.size(); ++i) {
    std::snprintf(byte, sizeof byte, "%s%02x", i % 16 == 0 ? "\n" : " ", frame[i]);
    text += byte;
  }
  return text;
}

std::string text_of(const rte_mbuf& packet) {
  return text_of(bytes_of(packet));
}

uint16_t slow_sum(const Bytes& data, size_t from, size_t to) {
  uint64_t sum = 0;
  for (size_t i = from; i < to; ++i) sum += (i - from) % 2 == 0 ? data.at(i) << 8 : data.at(i);
  return fold(sum);
}

uint32_t slow_crc32c(const Bytes& data, size_t from, size_t to) {
  uint32_t crc = 0xffffffff;
  for (size_t i = from; i < to; ++i) {
    crc ^= data.at(i);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc;
}

}  // namespace podswitch::test
