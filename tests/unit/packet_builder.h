// SPDX-License-Identifier: Apache-2.0
// Builds frames for tests, layer by layer:
//   Packet().eth(kMacA, kMacB).vlan(5).ipv4("10.0.0.1", "10.0.0.2").udp(1, 2).payload(100).mbuf()
// Lengths, next headers and checksums come by themselves, from code as plain as can be that shares nothing
// with the switch's; partial_checksum() leaves a checksum to the receiver, as virtio does.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "switch/net/address.h"
#include "tests/unit/pool.h"

namespace podswitch::test {

using Bytes = std::vector<uint8_t>;

MacAddress mac(std::string_view text);
Ipv4Address ip4(std::string_view text);
Ipv6Address ip6(std::string_view text);

inline constexpr std::string_view kBroadcastMac = "ff:ff:ff:ff:ff:ff";
inline constexpr std::string_view kZeroMac = "00:00:00:00:00:00";

struct Ipv4Fields {
  uint8_t ttl = 60;
  uint16_t id = 0x1234;
  uint16_t fragment = 0;  // flags and offset as on the wire
  Bytes options = {};     // a multiple of 4 bytes
  uint8_t protocol = 253;
  uint8_t tos = 0;
};
struct Ipv6Fields {
  uint8_t hop_limit = 60;
  uint8_t next_header = 59;
  uint8_t traffic_class = 0;
  uint32_t flow_label = 0;
};
struct TcpFields {
  uint32_t sequence = 1000;
  uint8_t flags = 0x10;
  Bytes options = {};  // a multiple of 4 bytes
};

class Packet {
 public:
  Packet& eth(std::string_view source, std::string_view destination);
  Packet& vlan(uint16_t tci, uint16_t tag_type = 0x8100);
  Packet& ether_type(uint16_t type);
  Packet& arp(uint16_t operation, std::string_view sender_mac, std::string_view sender_ip,
              std::string_view target_mac, std::string_view target_ip);

  Packet& ipv4(std::string_view source, std::string_view destination, const Ipv4Fields& fields = {});
  Packet& ipv6(std::string_view source, std::string_view destination, const Ipv6Fields& fields = {});
  // An extension header of 8 * `units` bytes: hop-by-hop (0), routing (43), destination options (60).
  Packet& extension(uint8_t type, unsigned units = 1);
  Packet& fragment6(uint16_t offset, bool more, uint8_t next_header = 59);

  Packet& tcp(uint16_t source, uint16_t destination, const TcpFields& fields = {});
  Packet& udp(uint16_t source, uint16_t destination);
  Packet& sctp(uint16_t source, uint16_t destination);
  // Behind udp(); the inner frame is the payload. `options`: a multiple of 4 bytes.
  Packet& vxlan(uint32_t vni);
  Packet& geneve(uint32_t vni, const Bytes& options = {});
  Packet& icmp(uint8_t type, uint8_t code = 0);
  Packet& icmpv6(uint8_t type, uint8_t code = 0);
  Packet& echo(uint16_t id, uint16_t sequence);  // behind icmp() or icmpv6()
  Packet& solicitation(std::string_view target);
  Packet& advertisement(std::string_view target, uint32_t flags);
  Packet& nd_option(uint8_t type, std::string_view mac);

  Packet& payload(size_t length);  // counts up from 1
  Packet& payload(const Bytes& bytes);
  Packet& partial_checksum();
  Packet& no_checksum();  // UDP: the field is 0

  // What is wrong on purpose, done to the finished frame.
  Packet& padding(size_t length);  // behind what the IP header counts
  Packet& cut(size_t length);      // bytes off the end
  Packet& poke(size_t offset, uint8_t value);

  uint16_t l3_offset() const { return static_cast<uint16_t>(l3_); }
  uint16_t l4_offset() const { return static_cast<uint16_t>(l4_); }
  uint16_t payload_ether_type() const { return payload_ether_type_; }

  Bytes bytes() const;
  // `sizes`: of all segments but the last, which takes the rest.
  PacketPtr mbuf(const std::vector<size_t>& sizes = {}) const;

 private:
  enum class L4 { None, Tcp, Udp, Sctp, Icmp, Icmpv6 };
  Packet& put8(unsigned value);
  Packet& put16(unsigned value);
  Packet& put32(uint32_t value);
  template <typename Array>
  Packet& put(const Array& bytes);
  void set_ether_type(uint16_t type);
  void begin_l4(L4 kind, uint8_t protocol);
  uint32_t pseudo_header(const Bytes& frame, size_t l4_length) const;
  void finish_checksum(Bytes& frame) const;

  Bytes data_;
  size_t type_at_ = 12;
  size_t l3_ = 14;
  size_t l4_ = 0;
  size_t next_header_at_ = 0;
  bool is_v6_ = false;
  bool has_ip_ = false;
  bool is_partial_ = false;
  bool has_checksum_ = true;
  L4 l4_kind_ = L4::None;
  uint8_t protocol_ = 0;
  uint16_t payload_ether_type_ = 0;
  size_t padding_ = 0;
  size_t cut_ = 0;
  std::vector<std::pair<size_t, uint8_t>> pokes_;
};

// Makes an mbuf of `frame`, in segments as for Packet::mbuf().
PacketPtr make_mbuf(const Bytes& frame, const std::vector<size_t>& sizes = {});
Bytes bytes_of(const rte_mbuf& packet);
// What is inconsistent about an mbuf chain, or nothing.
std::string defect_of(const rte_mbuf& packet);
// Sixteen bytes a line: EXPECT_EQ(text_of(a), text_of(b)) shows where two frames differ.
std::string text_of(const Bytes& frame);
std::string text_of(const rte_mbuf& packet);

// Plain and slow: the oracles.
uint16_t slow_sum(const Bytes& data, size_t from, size_t to);  // folded, host order
uint32_t slow_crc32c(const Bytes& data, size_t from, size_t to);

}  // namespace podswitch::test
