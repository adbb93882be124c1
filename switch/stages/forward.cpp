// SPDX-License-Identifier: Apache-2.0
#include "switch/stages/stages.h"

namespace podswitch::stages {
namespace {

// 01:80:c2:00:00:00 to :0f, IEEE 802.1Q table 8-1, as as_u64() gives it.
bool is_reserved_group(uint64_t key) noexcept {
  return (key & 0xf0ff'ffff'ffffULL) == 0x0000'00c2'8001ULL;
}

void flood(PacketMeta& meta, const Snapshot& snapshot) noexcept {
  // The port of origin is a member itself.
  if (snapshot.fids[meta.fid].members.size() < 2) return meta.drop(DropReason::NoOtherPort);
  meta.verdict = Verdict::Flood;
}

}  // namespace

void forward(Burst& burst, const Snapshot& snapshot, Local& local) noexcept {
  uint64_t last_key = 0;
  PortId last_port = kNoPort;
  for_each_undecided(burst, [&](rte_mbuf&, PacketMeta& meta, uint16_t i) noexcept {
    if (meta.destination == last_key) return meta.forward(last_port);
    constexpr uint64_t kGroupBit = 1;
    if ((meta.destination & kGroupBit) != 0) {
      if (is_reserved_group(meta.destination)) return meta.drop(DropReason::ReservedGroup);
      return flood(meta, snapshot);
    }
    const Fdb::Hit hit = local.fdb->find(burst.destination_place[i]);
    if (!hit || !snapshot.ports[hit.port()].present) return flood(meta, snapshot);
    if (hit.port() == burst.in_port) return meta.drop(DropReason::SamePort);
    last_key = meta.destination;
    last_port = hit.port();
    meta.forward(hit.port());
  });
}

}  // namespace podswitch::stages
