// SPDX-License-Identifier: Apache-2.0
#include "switch/stages/stages.h"

namespace podswitch::stages {
namespace {

void post(Local& local, uint64_t key, PortId port) noexcept {
  if (local.posted_second != local.now_seconds) {
    local.posted.fill(0);
    local.posted_second = local.now_seconds;
  }
  const uint64_t mark = key * 0x9e3779b97f4a7c15ULL ^ port;
  uint64_t& slot = local.posted[mark >> 56];
  if (slot == mark) return;
  if (local.learned->push({key, port}))
    slot = mark;
  else
    local.learn_queue_full.add(1);
}

}  // namespace

void learn(Burst& burst, const Snapshot& snapshot, Local& local) noexcept {
  const PortView& port = snapshot.ports[burst.in_port];
  if (port.owns_mac) return;
  uint64_t known = 0;  // seen on this port already within this burst
  for_each_undecided(burst, [&](rte_mbuf&, PacketMeta& meta, uint16_t i) noexcept {
    if (meta.source == known) return;
    const Fdb::Hit hit = local.fdb->find(burst.source_place[i]);
    if (!hit) return post(local, meta.source, burst.in_port);
    if (hit.port() == burst.in_port) {
      known = meta.source;
      return hit.mark_seen();
    }
    if (!hit.is_static()) return post(local, meta.source, burst.in_port);
    if (!port.allow_spoofing) meta.drop(DropReason::MacOfOtherPort);
  });
}

}  // namespace podswitch::stages
