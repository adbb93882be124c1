// SPDX-License-Identifier: Apache-2.0
#include "pmd/transmitter.h"

#include <mutex>

#include "switch/mtu.h"
#include "switch/offload.h"
#include "switch/stretch.h"

namespace podswitch {
namespace {

// A super frame has at most 64 KiB, cut into pieces of at least 48 bytes. So has an IPv4 packet: no link
// takes less than 68 (RFC 791).
constexpr size_t kMaxSegments = 65536 / 48 + 1;

void share(rte_mbuf* packet) noexcept {
  for (rte_mbuf* segment = packet; segment != nullptr; segment = segment->next)
    rte_mbuf_refcnt_update(segment, 1);
}

bool is_shared(const rte_mbuf& packet) noexcept {
  for (const rte_mbuf* segment = &packet; segment != nullptr; segment = segment->next)
    if (rte_mbuf_refcnt_read(segment) > 1) return true;
  return false;
}

// One buffer instead of a chain; nullptr when it does not fit one or there is none.
rte_mbuf* linear_copy(const rte_mbuf& packet, rte_mempool& pool) noexcept {
  rte_mbuf* copy = rte_pktmbuf_alloc(&pool);
  if (copy == nullptr) return nullptr;
  char* data =
      rte_pktmbuf_append(copy, static_cast<uint16_t>(std::min<uint32_t>(packet.pkt_len, UINT16_MAX)));
  if (data == nullptr) {
    rte_pktmbuf_free(copy);
    return nullptr;
  }
  for (const rte_mbuf* segment = &packet; segment != nullptr; segment = segment->next) {
    std::memcpy(data, rte_pktmbuf_mtod(segment, const void*), segment->data_len);
    data += segment->data_len;
  }
  copy->port = packet.port;
  return copy;
}

// How many packets from `first` on go to the same port.
uint16_t run_length(const Burst& burst, uint16_t first) noexcept {
  uint16_t end = first + 1;
  while (end < burst.count && burst.meta[end].verdict == Verdict::Forward &&
         burst.meta[end].out_port == burst.meta[first].out_port)
    ++end;
  return end - first;
}

}  // namespace

Transmitter::Transmitter(rte_mempool& pool, PortCounterTable& counters, IpIds& ip_ids)
    : pool_(pool),
      counters_(counters),
      ip_ids_(ip_ids),
      batches_(std::make_unique<std::array<Batch, kMaxPorts>>()),
      segments_(kMaxSegments),
      pieces_(kMaxSegments),
      uncut_(kMaxSegments) {}

void Transmitter::count_drop(const rte_mbuf& packet, DropReason reason) noexcept {
  counters_[packet.port].reasons[static_cast<size_t>(reason)].add(1);
}

void Transmitter::drop(rte_mbuf* packet, DropReason reason) noexcept {
  count_drop(*packet, reason);
  rte_pktmbuf_free(packet);
}

void Transmitter::hand_on(Burst& burst, const WorkerView& view, const Snapshot& snapshot) noexcept {
  std::array<rte_mbuf*, kBurstSize> dropped;
  uint16_t dropped_count = 0;
  for (uint16_t i = 0; i < burst.count; ++i) {
    rte_mbuf* packet = burst.packets[i];
    const PacketMeta& meta = burst.meta[i];
    if (meta.verdict == Verdict::Forward) [[likely]] {
      const uint16_t run = run_length(burst, i);
      add(meta.out_port, &burst.packets[i], run, view);
      i += run - 1;
    } else if (meta.verdict == Verdict::Flood) {
      flood(packet, meta, view, snapshot);
    } else if (meta.verdict == Verdict::Fragment) [[unlikely]] {
      cut(packet, meta, burst.cuts[i], view, snapshot);
    } else if (meta.verdict == Verdict::Held) [[unlikely]] {
      continue;
    } else {
      counters_[burst.in_port].reasons[static_cast<size_t>(meta.reason)].add(1);
      dropped[dropped_count++] = packet;
    }
  }
  if (dropped_count != 0) rte_pktmbuf_free_bulk(dropped.data(), dropped_count);
}

void Transmitter::add(PortId out, rte_mbuf** packets, uint16_t count, const WorkerView& view) noexcept {
  Batch& batch = (*batches_)[out];
  if (batch.count == 0) {
    if (count == kBurstSize) return send(out, packets, count, view);
    waiting_[waiting_count_++] = out;
  }
  const uint16_t fitting = std::min<uint16_t>(count, kBurstSize - batch.count);
  std::copy_n(packets, fitting, &batch.packets[batch.count]);
  batch.count += fitting;
  if (batch.count < kBurstSize) return;
  send(out, batch.packets.data(), kBurstSize, view);
  batch.count = 0;
  forget(out);
  if (fitting < count) add(out, packets + fitting, count - fitting, view);
}

// A full batch is the only one that is sent before flush(), and was mostly added to last.
void Transmitter::forget(PortId out) noexcept {
  for (uint16_t i = waiting_count_; i-- > 0;)
    if (waiting_[i] == out) {
      waiting_[i] = waiting_[--waiting_count_];
      return;
    }
}

void Transmitter::flush(const WorkerView& view) noexcept {
  for (uint16_t i = 0; i < waiting_count_; ++i) {
    Batch& batch = (*batches_)[waiting_[i]];
    send(waiting_[i], batch.packets.data(), batch.count, view);
    batch.count = 0;
  }
  waiting_count_ = 0;
}

void Transmitter::flood(rte_mbuf* packet, const PacketMeta& meta, const WorkerView& view,
                        const Snapshot& snapshot) noexcept {
  const FidView& fid = snapshot.fids[meta.fid];
  bool any_up = false;
  for (const PortId out : fid.members) {
    if (out == packet->port || view.routes[out].port == nullptr || !view.routes[out].port->is_up()) continue;
    any_up = true;
    flood_to(out, packet, fid, view, snapshot);
  }
  // What came out of a tunnel, its node has sent into all others.
  if (fid.vni != 0 && !snapshot.ports[packet->port].is_uplink) {
    flood_to_tunnels(packet, meta, view, snapshot);
    any_up |= !snapshot.tunnel.peers.empty();
  }
  if (!any_up) count_drop(*packet, DropReason::PortDown);
  rte_pktmbuf_free(packet);
}

// Head-end replication (RFC 7348 section 4.2, without multicast in the underlay).
void Transmitter::flood_to_tunnels(rte_mbuf* packet, const PacketMeta& meta, const WorkerView& view,
                                   const Snapshot& snapshot) noexcept {
  for (const NextHopId peer : snapshot.tunnel.peers) {
    const NextHop& hop = (*snapshot.next_hops)[peer];
    rte_mbuf* copy = copy_packet(*packet, pool_);
    if (copy == nullptr) {
      count_drop(*packet, DropReason::NoBuffer);
      continue;
    }
    const uint32_t vni = snapshot.fids[meta.fid].vni;
    if (const auto reason = wrap_frame(*copy, meta.ether_type, meta.l3_offset, vni, hop, ip_ids_)) {
      drop(copy, *reason);
    } else if (snapshot.ports[hop.port].vlan_mode == VlanMode::Trunk &&
               !push_vlan(*copy, trunk_tag(*copy, snapshot.fids[hop.fid]))) {
      drop(copy, DropReason::NoBuffer);
    } else {
      add(hop.port, &copy, 1, view);
    }
  }
}

void Transmitter::flood_to(PortId out, rte_mbuf* packet, const FidView& fid, const WorkerView& view,
                           const Snapshot& snapshot) noexcept {
  const PortView& port = snapshot.ports[out];
  if (!fits_mtu(*packet, port.mtu)) return count_drop(*packet, DropReason::MtuExceeded);
  if (port.vlan_mode != VlanMode::Trunk) {
    share(packet);
    return add(out, &packet, 1, view);
  }
  rte_mbuf* copy = copy_packet(*packet, pool_);
  if (copy == nullptr) return count_drop(*packet, DropReason::NoBuffer);
  if (!push_vlan(*copy, trunk_tag(*packet, fid))) return drop(copy, DropReason::NoBuffer);
  add(out, &copy, 1, view);
}

void Transmitter::send(PortId out, rte_mbuf** packets, uint16_t count, const WorkerView& view) noexcept {
  const TxRoute& route = view.routes[out];
  if (route.port == nullptr || !route.port->is_up()) [[unlikely]] {
    for (uint16_t i = 0; i < count; ++i) count_drop(*packets[i], DropReason::PortDown);
    return rte_pktmbuf_free_bulk(packets, count);
  }
  uint64_t bytes = 0;
  uint64_t flags = 0;
  uint16_t segments = 1;
  for (uint16_t i = 0; i < count; ++i) {
    bytes += packets[i]->pkt_len;
    flags |= packets[i]->ol_flags;
    segments |= packets[i]->nb_segs;
  }
  if ((flags & kOffloadMask) != 0 || segments > 1) [[unlikely]]
    return send_with_care(out, route, packets, count);
  transmit(out, route, packets, count, bytes);
}

void Transmitter::send_with_care(PortId out, const TxRoute& route, rte_mbuf** packets,
                                 uint16_t count) noexcept {
  const TxCaps caps = route.port->tx_caps();
  std::array<rte_mbuf*, kBurstSize> ready;
  uint16_t ready_count = 0;
  const auto flush_ready = [&]() noexcept {
    if (ready_count != 0) transmit(out, route, ready.data(), ready_count);
    ready_count = 0;
  };
  for (uint16_t i = 0; i < count; ++i) {
    rte_mbuf* packet = packets[i];
    if (!fits(*packet, caps)) {
      if ((packet->ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0) {
        flush_ready();
        cut_and_transmit(out, route, packet, caps);
        continue;
      }
      packet = make_fit(packet, caps);
      if (packet == nullptr) continue;
    }
    ready[ready_count++] = packet;
  }
  flush_ready();
}

// Completes the checksum and straightens the chain as `caps` asks for, on a copy when others hold the
// packet too. nullptr: dropped.
rte_mbuf* Transmitter::make_fit(rte_mbuf* packet, const TxCaps& caps) noexcept {
  const bool is_straight = packet->nb_segs == 1 || caps.multi_segment;
  // A linear copy does not carry the request on.
  if (has_open_request(*packet) && (!takes_checksum(*packet, caps) || !is_straight)) {
    if (is_shared(*packet)) {
      rte_mbuf* copy = copy_packet(*packet, pool_);
      if (copy == nullptr) {
        drop(packet, DropReason::NoBuffer);
        return nullptr;
      }
      rte_pktmbuf_free(packet);
      packet = copy;
    }
    complete_checksum(*packet);
  }
  if (is_straight) return packet;
  rte_mbuf* copy = linear_copy(*packet, pool_);
  if (copy == nullptr) {
    drop(packet, packet->pkt_len + RTE_PKTMBUF_HEADROOM > rte_pktmbuf_data_room_size(&pool_)
                     ? DropReason::MtuExceeded
                     : DropReason::NoBuffer);
    return nullptr;
  }
  rte_pktmbuf_free(packet);
  return copy;
}

void Transmitter::cut_and_transmit(PortId out, const TxRoute& route, rte_mbuf* packet,
                                   const TxCaps& caps) noexcept {
  const uint16_t count = segment(*packet, pool_, segments_.data(), static_cast<uint16_t>(segments_.size()));
  if (count == 0) return drop(packet, DropReason::NoBuffer);
  uint16_t kept = 0;
  for (uint16_t i = 0; i < count; ++i) {
    segments_[i]->port = packet->port;
    rte_mbuf* piece = fits(*segments_[i], caps) ? segments_[i] : make_fit(segments_[i], caps);
    if (piece != nullptr) segments_[kept++] = piece;
  }
  for (uint16_t i = 0; i < kept; i += kBurstSize)
    transmit(out, route, &segments_[i], std::min<uint16_t>(kBurstSize, kept - i));
  rte_pktmbuf_free(packet);
}

void Transmitter::transmit(PortId out, const TxRoute& route, rte_mbuf** packets, uint16_t count) noexcept {
  uint64_t bytes = 0;
  for (uint16_t i = 0; i < count; ++i) bytes += packets[i]->pkt_len;
  transmit(out, route, packets, count, bytes);
}

void Transmitter::transmit(PortId out, const TxRoute& route, rte_mbuf** packets, uint16_t count,
                           uint64_t bytes) noexcept {
  uint16_t sent;
  if (route.lock == nullptr) {
    sent = route.port->send(route.queue, packets, count);
  } else {
    const std::scoped_lock lock(*route.lock);
    sent = route.port->send(route.queue, packets, count);
  }
  if (sent < count) [[unlikely]] {
    for (uint16_t i = sent; i < count; ++i) {
      bytes -= packets[i]->pkt_len;
      count_drop(*packets[i], DropReason::TxFull);
    }
    rte_pktmbuf_free_bulk(&packets[sent], count - sent);
  }
  counters_[out].tx_packets.add(sent);
  counters_[out].tx_bytes.add(bytes);
}

}  // namespace podswitch
