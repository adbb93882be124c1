// SPDX-License-Identifier: Apache-2.0
#include "switch/stages/rewrite.h"

#include "switch/stages/stages.h"

namespace podswitch::stages {

void rewrite(Burst& burst, const Snapshot& snapshot, Local&) noexcept {
  PortId last_port = kNoPort;
  const PortView* out = nullptr;
  for (uint16_t i = 0; i < burst.count; ++i) {
    PacketMeta& meta = burst.meta[i];
    if (meta.verdict != Verdict::Forward) continue;
    if (meta.out_port != last_port) out = &snapshot.ports[last_port = meta.out_port];
    rewrite_one(*burst.packets[i], meta, *out, snapshot);
  }
}

}  // namespace podswitch::stages
