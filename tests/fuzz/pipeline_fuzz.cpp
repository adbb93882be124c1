// SPDX-License-Identifier: Apache-2.0
// libFuzzer: arbitrary frames with arbitrary offload requests through the pipeline, then through what an
// egress may do with them. Segments lie in heap buffers of just their size, so that AddressSanitizer sees
// every byte too far.
#include <rte_eal.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "switch/offload.h"
#include "tests/fuzz/pipeline_input.h"
#include "tests/unit/rig.h"

namespace podswitch::fuzz {
namespace {

using test::mac;

void require(bool holds) {
  if (!holds) std::abort();
}

// A segment's heap buffer, with the count that says who uses it: apart, so that an overflow is seen.
struct Buffer {
  rte_mbuf_ext_shared_info shared;
  std::unique_ptr<uint8_t[]> bytes;
};

test::PacketPtr make_segment(const uint8_t* data, size_t size, size_t headroom, size_t tailroom) {
  test::PacketPtr segment(rte_pktmbuf_alloc(&test::packet_pool()));
  require(segment != nullptr);
  const size_t length = headroom + size + tailroom;
  auto* buffer = new Buffer{{}, std::make_unique<uint8_t[]>(length)};
  buffer->shared.free_cb = [](void*, void* opaque) { delete static_cast<Buffer*>(opaque); };
  buffer->shared.fcb_opaque = buffer;
  rte_mbuf_ext_refcnt_set(&buffer->shared, 1);
  rte_pktmbuf_attach_extbuf(segment.get(), buffer->bytes.get(),
                            reinterpret_cast<rte_iova_t>(buffer->bytes.get()), static_cast<uint16_t>(length),
                            &buffer->shared);
  segment->data_off = static_cast<uint16_t>(headroom);
  if (size > 0) std::memcpy(rte_pktmbuf_append(segment.get(), static_cast<uint16_t>(size)), data, size);
  return segment;
}

test::PacketPtr make_packet(const Controls& controls, const uint8_t* frame, size_t size) {
  const size_t first = controls.first_cut == 0 ? size : std::min<size_t>(controls.first_cut, size);
  const size_t second = std::min<size_t>(controls.second_cut, size - first);
  test::PacketPtr packet = make_segment(frame, first, controls.headroom, controls.tailroom);
  const auto chain = [&](size_t from, size_t length) {
    if (length > 0)
      rte_pktmbuf_chain(packet.get(), make_segment(frame + from, length, 0, controls.tailroom).release());
  };
  chain(first, second);
  chain(first + second, size - first - second);
  if ((controls.request & kPartialChecksum) != 0) packet->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
  if ((controls.request & kSuperFrame) != 0) packet->ol_flags |= RTE_MBUF_F_RX_LRO;
  packet->tso_segsz = static_cast<uint16_t>(controls.segment_size_high << 8 | controls.segment_size_low);
  return packet;
}

test::Rig& rig() {
  const auto ip = [](std::string_view text) { return *IpAddress::parse(text); };
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
      {mac("02:aa:00:00:00:fe"), {ip("10.0.0.254"), ip("2001:db8::fe")}});
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

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  std::array<const char*, 9> eal{"fuzz", "--no-huge", "--no-shconf",       "--no-pci",    "--no-telemetry",
                                 "-m",   "128",       "--log-level=error", "--lcores=0@0"};
  podswitch::fuzz::require(rte_eal_init(static_cast<int>(eal.size()), const_cast<char**>(eal.data())) >= 0);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace podswitch;
  fuzz::Controls controls;
  if (size < sizeof controls || size > 60000) return 0;
  std::memcpy(&controls, data, sizeof controls);
  const PortId port = controls.port % 5;
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
  fuzz::rig().apply_learned();
  return 0;
}
