// SPDX-License-Identifier: Apache-2.0
// How the model of a NIC reads a frame. Written apart from the switch's parser, on purpose.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace podswitch::test {

enum class TunnelKind : uint8_t { Vxlan, Geneve };

// In what NICs differ.
struct ParserHabits {
  bool sees_through_tags = false;        // eth / ipv4 is also a tagged frame
  bool sees_through_extensions = false;  // ipv6 / udp is also behind extension headers
  bool takes_last_next_header = false;   // ipv6's next header is the last extension header's
  bool checks_ip = false;                // what has a wrong length or checksum matches no IP item
  bool checks_tunnel = false;            // nor a tunnel item without VXLAN's I flag, or with Geneve's options
  std::set<std::pair<uint16_t, TunnelKind>> tunnel_ports = {};  // that it was told

  std::string to_string() const;
};

struct FrameHeaders {
  std::array<uint8_t, 6> mac{};
  std::optional<uint16_t> vlan;
  std::optional<bool> is_v4;  // nullopt: no IP
  std::vector<uint8_t> source, destination;
  bool is_fragment = false;             // of IPv4
  bool has_fragment_extension = false;  // of IPv6
  uint8_t next_header = 0;              // as the habit has it
  std::optional<uint16_t> source_port, destination_port;
  bool has_udp = false;
  std::optional<TunnelKind> tunnel;
  size_t inner_offset = 0;  // of the inner frame
};

FrameHeaders read_headers(const std::vector<uint8_t>& frame, size_t offset, const ParserHabits& habits);

// Toeplitz over addresses and, when there are any, ports.
uint32_t rss_hash(const FrameHeaders& headers);

}  // namespace podswitch::test
