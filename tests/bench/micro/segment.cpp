// SPDX-License-Identifier: Apache-2.0
// What is left to do for a receiver without offloads: checksums, and cutting super frames.
#include <array>
#include <stdexcept>
#include <vector>

#include "switch/net/checksum.h"
#include "switch/net/headers.h"
#include "switch/offload.h"
#include "tests/bench/micro/measure.h"
#include "tests/bench/micro/scene.h"

namespace podswitch::bench {
namespace {

test::PacketPtr open_tcp(size_t payload, uint16_t segment_size) {
  const test::Packet packet = test::Packet()
                                  .eth(mac_of(kIn, 0).to_string(), mac_of(kOut, 0).to_string())
                                  .ipv4("10.0.0.1", "10.0.0.2")
                                  .tcp(1000, 2000)
                                  .payload(payload)
                                  .partial_checksum();
  test::PacketPtr mbuf = packet.mbuf();
  mbuf->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_NONE;
  if (segment_size != 0) mbuf->ol_flags |= RTE_MBUF_F_RX_LRO;
  mbuf->tso_segsz = segment_size;
  PacketMeta meta{};
  meta.l3_offset = packet.l3_offset();
  meta.ether_type = packet.payload_ether_type();
  if (!adopt_offload_request(*mbuf, meta)) throw std::runtime_error("the request is not valid");
  return mbuf;
}

// Per segment ("pkt"), with the segments' buffers taken from the pool and given back.
void segment_tcp(benchmark::State& state) {
  const auto payload = static_cast<size_t>(state.range(0));
  const test::PacketPtr whole = open_tcp(payload, 1448);
  std::array<rte_mbuf*, 64> pieces;
  const uint16_t expected = segment_count(*whole);
  size_t made = 0;
  const auto buffers = [&] {
    if (rte_pktmbuf_alloc_bulk(&test::packet_pool(), pieces.data(), expected) == 0)
      rte_pktmbuf_free_bulk(pieces.data(), expected);
  };
  const auto nothing = [] {};
  measure(state, expected, nothing, [&] {
    const uint16_t count = segment(*whole, test::packet_pool(), pieces.data(), pieces.size());
    rte_pktmbuf_free_bulk(pieces.data(), count);
    made += count;
  });
  state.counters["of it buffers"] =
      restore_cycles(state.iterations(), buffers) * 1e9 / static_cast<double>(rte_get_tsc_hz()) / expected;
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(payload));
  if (made != static_cast<size_t>(state.iterations()) * expected) fail(state, "not all was cut");
}

void complete_tcp(benchmark::State& state) {
  const auto payload = static_cast<size_t>(state.range(0));
  const test::PacketPtr packet = open_tcp(payload, 0);
  const rte_mbuf before = *packet;
  auto* tcp = rte_pktmbuf_mtod_offset(packet.get(), net::TcpHeader*, packet->l2_len + packet->l3_len);
  const be16_t sum = tcp->checksum;
  const auto restore = [&] {
    packet->ol_flags = before.ol_flags;
    tcp->checksum = sum;
  };
  measure(state, 1, restore, [&] { complete_checksum(*packet); });
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(payload));
  if (has_open_request(*packet) || tcp->checksum == sum) fail(state, "nothing was completed");
}

void sum(benchmark::State& state) {
  const std::vector<uint8_t> data(static_cast<size_t>(state.range(0)), 0x5a);
  const auto nothing = [] {};
  measure(state, 1, nothing, [&] {
    net::Sum result = net::sum_bytes(data.data(), data.size());
    benchmark::DoNotOptimize(result);
  });
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void crc32c(benchmark::State& state) {
  const test::PacketPtr packet = test::Packet().payload(static_cast<size_t>(state.range(0))).mbuf();
  const auto nothing = [] {};
  measure(state, 1, nothing, [&] {
    uint32_t result = net::crc32c_chain(*packet, 0, packet->pkt_len, ~uint32_t{0});
    benchmark::DoNotOptimize(result);
  });
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

BENCHMARK(segment_tcp)->Name("segment/tcp")->ArgName("payload")->Arg(2 * 1448)->Arg(44 * 1448);
BENCHMARK(complete_tcp)->Name("checksum/complete_tcp")->ArgName("payload")->Arg(10)->Arg(1448);
BENCHMARK(sum)->Name("checksum/sum")->ArgName("bytes")->Arg(20)->Arg(64)->Arg(1500)->Arg(9000);
BENCHMARK(crc32c)->Name("checksum/crc32c")->ArgName("bytes")->Arg(64)->Arg(1500)->Arg(9000);

}  // namespace
}  // namespace podswitch::bench
