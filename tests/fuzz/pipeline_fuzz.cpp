// SPDX-License-Identifier: Apache-2.0
// libFuzzer: arbitrary frames with arbitrary offload requests through the pipeline, then through what an
// egress may do with them.
#include <array>
#include <cstring>
#include <string_view>

#include "switch/offload.h"
#include "tests/fuzz/exact_packet.h"
#include "tests/fuzz/pipeline_services.h"
#include "tests/unit/rig.h"

namespace podswitch::fuzz {
namespace {

using test::mac;

test::Rig& rig() {
  const auto ip = [](std::string_view text) { return *IpAddress::parse(text); };
  static NextHopTable hops;
  static test::Rig rig(
      {{.id = 0, .mac = mac("02:00:00:00:00:01"), .ips = {ip("10.0.0.1"), ip("2001:db8::1")}},
       {.id = 1,
        .mac = mac("02:00:00:00:00:02"),
        .ips = {ip("10.0.0.2"), ip("2001:db8::2")},
        .allow_spoofing = true},
       {.id = 2, .mac = mac("02:00:00:00:00:03"), .mtu = 9000},
       {.id = 3, .vlan = {.mode = VlanMode::Trunk, .trunk = {7, 8}}},
       {.id = 4,
        .vlan = {.mode = VlanMode::Access, .access = 7},
        .mac = mac("02:00:00:00:00:05"),
        .ips = {ip("10.0.0.5")}}},
      {mac("02:aa:00:00:00:fe"), {ip("10.0.0.254"), ip("2001:db8::fe")}}, routing_with_services(hops));
  return rig;
}

void check_egress(rte_mbuf& packet) {
  require(test::defect_of(packet).empty());
  for (const TxCaps caps : {TxCaps{}, TxCaps{.checksum = true, .tso4 = true, .tso6 = true, .tso_ecn = true}})
    (void)fits(packet, caps);
  const test::PacketPtr copy(copy_packet(packet, test::packet_pool()));
  require(copy != nullptr);
  if ((packet.ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0) {
    std::array<rte_mbuf*, 1400> out;
    const uint16_t count = segment(packet, test::packet_pool(), out.data(), out.size());
    require(count == segment_count(packet) && count > 1);
    const uint32_t headers = packet.l2_len + packet.l3_len + packet.l4_len;
    for (uint16_t i = 0; i < count; ++i) {
      require(test::defect_of(*out[i]).empty());
      require(out[i]->pkt_len <= headers + packet.tso_segsz);
    }
    rte_pktmbuf_free_bulk(out.data(), count);
  }
  complete_checksum(packet);
  require(!has_open_request(packet) && packet.pkt_len == copy->pkt_len);
  if (push_vlan(packet, 5)) pop_vlan(packet);
}

}  // namespace
}  // namespace podswitch::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace podswitch;
  fuzz::Controls controls;
  if (size < sizeof controls || size > 60000) return 0;
  std::memcpy(&controls, data, sizeof controls);
  const PortId port = controls.port % 5;
  fuzz::begin_flows(fuzz::rig());
  const test::Outcome outcome =
      fuzz::rig().send(port, fuzz::make_packet(controls, data + sizeof controls, size - sizeof controls));
  fuzz::require(outcome.meta.verdict != Verdict::Undecided);
  if (outcome.meta.verdict == Verdict::Forward) {
    fuzz::require(fuzz::rig().snapshot().ports.at(outcome.meta.out_port).present);
    fuzz::check_egress(*outcome.packet);
  } else if (outcome.meta.verdict == Verdict::Flood) {
    fuzz::require(fuzz::rig().snapshot().fids.at(outcome.meta.fid).members.size() > 1);
    fuzz::check_egress(*outcome.packet);
  }
  fuzz::rig().pass_seconds(2);
  for (const test::Outcome& held : fuzz::rig().resume())
    fuzz::require(held.meta.verdict != Verdict::Undecided);
  fuzz::rig().apply_learned();
  return 0;
}
