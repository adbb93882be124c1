// SPDX-License-Identifier: Apache-2.0
// libFuzzer: arbitrary frames as tunnel packets, and as packets that go through a tunnel: what is read lies
// in the frame, and what was written is read back, with any offload request completed or cut. Of the
// controls, `port` chooses the tunnel and where the frame's layer 3 begins.
#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "switch/encap.h"
#include "switch/net/ecn.h"
#include "switch/net/flow_hash.h"
#include "switch/net/headers.h"
#include "switch/net/mbuf_view.h"
#include "switch/offload.h"
#include "tests/fuzz/exact_packet.h"
#include "tests/support/same_tunnel.h"
#include "tests/unit/packet_builder.h"

namespace podswitch::fuzz {
namespace {

constexpr uint16_t kEthernet = sizeof(net::EtherHeader);

struct Tunnel {
  TunnelSpec spec;
  TunnelTemplate headers;
};

// One of each kind, by the bits of its number.
Tunnel make_tunnel(unsigned bits) {
  TunnelSpec spec;
  const bool is_v6 = (bits & 1) != 0;
  spec.outer_source = *IpAddress::parse(is_v6 ? "2001:db8::1" : "192.0.2.1");
  spec.outer_destination = *IpAddress::parse(is_v6 ? "2001:db8::2" : "192.0.2.2");
  if ((bits & 2) != 0) spec.encapsulation = net::Encapsulation::Geneve;
  if ((bits & 4) != 0) spec.inner_macs.emplace();
  if ((bits & 8) != 0) spec.vlan_tci = 5;
  if ((bits & 16) != 0) spec.dont_fragment = DontFragment::Inherit;
  spec.has_udp6_checksum = (bits & 32) != 0;
  spec.vni = 0xabcde0 + bits;
  return {spec, make_template(spec).value()};
}

const Tunnel& tunnel_of(const Controls& controls) {
  static const std::vector<Tunnel> tunnels = [] {
    std::vector<Tunnel> all;
    for (unsigned bits = 0; bits < 64; ++bits) all.push_back(make_tunnel(bits));
    return all;
  }();
  return tunnels.at(controls.port % tunnels.size());
}

net::TunnelRead read_back(const rte_mbuf& packet, const TunnelSpec& spec) {
  const uint16_t offset = spec.vlan_tci ? kEthernet + sizeof(net::VlanHeader) : kEthernet;
  const uint16_t ether_type = spec.outer_source.is_v4() ? net::kEtherTypeIpv4 : net::kEtherTypeIpv6;
  const net::TunnelRead read =
      net::read_tunnel(packet, ether_type, offset, spec.udp_port, spec.encapsulation);
  require(read.verdict == net::TunnelVerdict::Tunnel);
  require(read.packet.vni == spec.vni);
  require(read.packet.outer_source == spec.outer_source);
  require(read.packet.outer_destination == spec.outer_destination);
  return read;
}

void read_any(const Controls& controls, const uint8_t* frame, size_t size) {
  const test::PacketPtr packet = make_packet(controls, frame, size);
  const TunnelSpec& spec = tunnel_of(controls).spec;
  const uint16_t offset = spec.vlan_tci ? kEthernet + sizeof(net::VlanHeader) : kEthernet;
  const uint16_t ether_type = (controls.request & 4) != 0 ? net::kEtherTypeIpv6 : net::kEtherTypeIpv4;
  packet->ol_flags &= ~(RTE_MBUF_F_RX_L4_CKSUM_MASK | RTE_MBUF_F_RX_LRO);
  if ((controls.request & 8) != 0)  // random frames seldom have right checksums
    packet->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_GOOD;
  const uint16_t port = spec.encapsulation == net::Encapsulation::Vxlan ? net::kVxlanPort : net::kGenevePort;
  const net::TunnelRead read = net::read_tunnel(*packet, ether_type, offset, port, spec.encapsulation);
  net::PlainTunnel plain;
  if (net::read_plain_tunnel(*packet, ether_type, offset, port, spec.encapsulation, plain))
    require(read.verdict == net::TunnelVerdict::Tunnel && test::is_same(plain, read.packet));
  if (read.verdict != net::TunnelVerdict::Tunnel) return;
  const net::TunnelPacket& tunnel = read.packet;
  require(tunnel.vni <= net::kMaxVni && tunnel.inner_length >= kEthernet);
  require(tunnel.inner_offset + kEthernet <= packet->data_len);
  require(tunnel.inner_offset + tunnel.inner_length <= packet->pkt_len);
  const test::Bytes before = test::bytes_of(*packet);
  decapsulate(*packet, tunnel.inner_offset, tunnel.inner_length);
  require(test::defect_of(*packet).empty() && packet->pkt_len == tunnel.inner_length);
  const auto inner = before.begin() + tunnel.inner_offset;
  require(test::bytes_of(*packet) == test::Bytes(inner, inner + tunnel.inner_length));
  (void)net::apply_outer_ecn(*packet, net::kEtherTypeIpv4, kEthernet, tunnel.outer_ecn_tos);
  (void)net::apply_outer_ecn(*packet, net::kEtherTypeIpv6, kEthernet, tunnel.outer_ecn_tos);
}

// Completes or cuts an encapsulated packet's request, and reads what comes out.
void check_request(rte_mbuf& packet, const TunnelSpec& spec) {
  if ((packet.ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0) {
    std::array<rte_mbuf*, 1400> out;
    const uint16_t count = segment(packet, test::packet_pool(), out.data(), out.size());
    require(count > 1);
    for (uint16_t i = 0; i < count; ++i) {
      const test::PacketPtr piece(out.at(i));
      const net::TunnelRead read = read_back(*piece, spec);
      require(read.packet.inner_offset + read.packet.inner_length == piece->pkt_len);
    }
    return;
  }
  complete_checksum(packet);
  read_back(packet, spec);
}

void there_and_back(const Controls& controls, const uint8_t* frame, size_t size) {
  const test::PacketPtr packet = make_packet(controls, frame, size);
  const Tunnel& tunnel = tunnel_of(controls);
  const auto* ether = net::header_at<net::EtherHeader>(*packet, 0);
  if (ether == nullptr) return;
  const uint16_t ether_type = ether->ether_type.host();
  PacketMeta meta{};
  meta.ether_type = ether_type;
  meta.l3_offset = kEthernet;
  if ((packet->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_NONE) != 0 && !adopt_offload_request(*packet, meta)) return;
  const test::Bytes before = test::bytes_of(*packet);
  const uint32_t hash = net::flow_hash(*packet, ether_type, kEthernet);
  if (!tunnel.headers.encapsulate(*packet, {ether_type, kEthernet, 7, hash})) {
    require(test::bytes_of(*packet) == before);
    return;
  }
  require(test::defect_of(*packet).empty());
  if (has_open_request(*packet)) return check_request(*packet, tunnel.spec);
  const net::TunnelPacket back = read_back(*packet, tunnel.spec).packet;
  decapsulate(*packet, back.inner_offset, back.inner_length);
  const size_t same_from = tunnel.spec.inner_macs ? 12 : 0;
  const test::Bytes after = test::bytes_of(*packet);
  require(after.size() == before.size() &&
          std::equal(after.begin() + same_from, after.end(), before.begin() + same_from));
  require(net::flow_hash(*packet, ether_type, kEthernet) == hash || tunnel.spec.inner_macs);
}

}  // namespace
}  // namespace podswitch::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace podswitch;
  fuzz::Controls controls;
  if (size < sizeof controls || size > 60000) return 0;
  std::memcpy(&controls, data, sizeof controls);
  fuzz::read_any(controls, data + sizeof controls, size - sizeof controls);
  // As much headroom as the switch has; where it ends is what unit tests look for.
  controls.headroom = static_cast<uint8_t>(controls.headroom % 2 == 0 ? 128 : controls.headroom);
  fuzz::there_and_back(controls, data + sizeof controls, size - sizeof controls);
  return 0;
}
