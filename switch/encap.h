// SPDX-License-Identifier: Apache-2.0
// Putting packets into VXLAN and Geneve tunnels, and taking them out. All that a tunnel's packets have in
// common lies ready as bytes: the configuration thread makes a template per next hop, workers copy it in
// front of the packet and fill in what differs. Templates are plain values; a packet is changed by the
// worker that owns it.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <optional>

#include "switch/net/address.h"
#include "switch/net/checksum.h"
#include "switch/net/tunnel.h"
#include "switch/offload.h"
#include "switch/trim.h"

namespace podswitch {

// The outer IPv4 header's DF.
enum class DontFragment : uint8_t {
  Set,
  Inherit,  // the inner IPv4 packet's; set around IPv6, which no router fragments
  Clear,    // routers of the underlay may fragment: the other end reassembles
};

struct TunnelSpec {
  struct InnerMacs {
    MacAddress source;
    MacAddress destination;
    friend bool operator==(const InnerMacs&, const InnerMacs&) = default;
  };

  net::Encapsulation encapsulation = net::Encapsulation::Vxlan;
  MacAddress outer_source_mac;
  MacAddress outer_destination_mac;
  IpAddress outer_source;  // both of one family
  IpAddress outer_destination;
  uint16_t udp_port = net::kVxlanPort;  // destination
  uint32_t vni = 0;                     // bridged: of packets that bring none of their own
  std::optional<uint16_t> vlan_tci;     // the underlay's 802.1Q tag, priority bits included
  uint8_t ttl = 64;
  DontFragment dont_fragment = DontFragment::Set;
  // IPv6: RFC 6935 allows none where the other end takes it, and Linux does not, unless told. IPv4 never has
  // one.
  bool has_udp6_checksum = true;
  // Routed mode: the frame's own layer 2 header, tags included, is replaced by one with these MACs. Absent:
  // bridged, the frame is carried as it is.
  std::optional<InnerMacs> inner_macs;
  friend bool operator==(const TunnelSpec&, const TunnelSpec&) = default;
};

// What differs from packet to packet.
struct InnerPacket {
  uint16_t ether_type;  // host order, behind all tags
  uint16_t l3_offset;   // bytes from the frame's start
  uint16_t ip_id;       // of the outer IPv4 header, where needs_ip_id(); a super frame uses segment_count()
  uint32_t flow_hash;   // net::flow_hash(): becomes the UDP source port and the IPv6 flow label
  uint32_t vni = 0;     // bridged: of the frame's network; 0: the template's
};

// The outer headers (Ethernet, IP, UDP, tunnel) and in routed mode the inner Ethernet header: 64 bytes for
// the commonest case, routed over IPv4.
class TunnelTemplate {
 public:
  // Bytes in front of the inner packet.
  uint16_t length() const noexcept { return length_; }
  // False: nobody on the way fragments, so that the identification has no meaning (RFC 6864 section 4.1).
  bool needs_ip_id() const noexcept { return needs_ip_id_; }

  // Puts the headers in front of `packet`, in its headroom. Outer ECN and DSCP are the packet's (RFC 6040
  // normal mode, RFC 2983 uniform model). An open request (switch/offload.h) stays about the inner
  // packet. The packet's data must not be shared: a flooded one is copied first. False: no headroom, or too
  // long for IP; then nothing has changed.
  [[nodiscard]] bool encapsulate(rte_mbuf& packet, const InnerPacket& inner) const noexcept;

 private:
  friend std::optional<TunnelTemplate> make_template(const TunnelSpec& spec);
  static constexpr size_t kShort = 64;  // one cache line
  static constexpr size_t kLong = 96;

  uint64_t request_flags() const noexcept;
  bool move_request(rte_mbuf& packet, uint32_t removed) const noexcept;
  void copy_to(uint8_t* end, uint32_t room) const noexcept;
  void write_outer_ip(uint8_t* start, const InnerPacket& inner, uint8_t traffic_class, uint16_t udp_length,
                      bool dont_fragment) const noexcept;

  // The headers end where this ends, so that copies of two fixed sizes serve all lengths and the short one
  // is just as long as a cache line.
  alignas(32) std::array<uint8_t, kLong> bytes_{};
  net::Sum ipv4_sum_ = 0;  // of the header without what differs
  uint8_t length_ = 0;
  uint8_t l3_offset_ = 0;
  uint8_t udp_offset_ = 0;
  net::Encapsulation encapsulation_ = net::Encapsulation::Vxlan;
  bool is_ipv4_ : 1 = false;
  bool is_routed_ : 1 = false;
  bool has_checksum_ : 1 = false;
  bool needs_ip_id_ : 1 = false;
  bool inherits_df_ : 1 = false;
};
static_assert(sizeof(TunnelTemplate) == 128);  // of which NextHop uses what is left over

// nullopt: the addresses are of two families, or the VNI is out of its range.
std::optional<TunnelTemplate> make_template(const TunnelSpec& spec);

// Leaves the inner frame of what read_tunnel() found: outer headers and padding are cut off, and what the
// receive side said or asked is forgotten, because it was about them.
inline void decapsulate(rte_mbuf& packet, uint16_t inner_offset, uint32_t inner_length) noexcept {
  clear_offload_request(packet);
  rte_pktmbuf_adj(&packet, inner_offset);
  trim(packet, inner_length);
}

}  // namespace podswitch
