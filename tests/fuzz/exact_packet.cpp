// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/exact_packet.h"

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace podswitch::fuzz {
namespace {

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

}  // namespace

void require(bool holds) {
  if (!holds) std::abort();
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

}  // namespace podswitch::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  std::array<const char*, 9> eal{"fuzz", "--no-huge", "--no-shconf",       "--no-pci",    "--no-telemetry",
                                 "-m",   "128",       "--log-level=error", "--lcores=0@0"};
  // EAL would keep every fuzzer on CPU 0.
  cpu_set_t allowed;
  podswitch::fuzz::require(sched_getaffinity(0, sizeof allowed, &allowed) == 0);
  podswitch::fuzz::require(rte_eal_init(static_cast<int>(eal.size()), const_cast<char**>(eal.data())) >= 0);
  podswitch::fuzz::require(sched_setaffinity(0, sizeof allowed, &allowed) == 0);
  return 0;
}
