// SPDX-License-Identifier: Apache-2.0
// Packets that are larger than their next hop takes: cut, and each piece handed to it, into its tunnel too.
#include "pmd/transmitter.h"
#include "switch/fragment.h"
#include "switch/next_hop.h"
#include "switch/offload.h"
#include "switch/stages/next_hop.h"
#include "switch/stages/rewrite.h"

namespace podswitch {

void Transmitter::cut(rte_mbuf* packet, const PacketMeta& meta, const Cut& how, const WorkerView& view,
                      const Snapshot& snapshot) noexcept {
  if ((packet->ol_flags & RTE_MBUF_F_TX_TCP_SEG) == 0) {
    cut_one(*packet, meta, how, view, snapshot);
    return rte_pktmbuf_free(packet);
  }
  const uint16_t count = segment(*packet, pool_, uncut_.data(), static_cast<uint16_t>(uncut_.size()));
  if (count == 0) return drop(packet, DropReason::NoBuffer);
  for (uint16_t i = 0; i < count; ++i) cut_one(*uncut_[i], meta, how, view, snapshot);
  rte_pktmbuf_free_bulk(uncut_.data(), count);
  rte_pktmbuf_free(packet);
}

// Leaves `packet` to the caller.
void Transmitter::cut_one(rte_mbuf& packet, const PacketMeta& meta, const Cut& how, const WorkerView& view,
                          const Snapshot& snapshot) noexcept {
  const uint16_t count = fragment(packet, meta.l3_offset, how.hop->mtu, pool_, pieces_.data(),
                                  static_cast<uint16_t>(pieces_.size()));
  if (count == 0) return count_drop(packet, DropReason::NoBuffer);
  for (uint16_t i = 0; i < count; ++i) {
    rte_mbuf* piece = pieces_[i];
    PacketMeta piece_meta = meta;
    stages::hand_piece_to(*how.hop, *piece, piece_meta, how.flow_hash, ip_ids_);
    if (piece_meta.verdict == Verdict::Forward)
      stages::rewrite_one(*piece, piece_meta, snapshot.ports[piece_meta.out_port], snapshot);
    if (piece_meta.verdict == Verdict::Forward)
      add(piece_meta.out_port, &piece, 1, view);
    else
      drop(piece, piece_meta.reason);
  }
}

}  // namespace podswitch
