// SPDX-License-Identifier: Apache-2.0
// The packet path of the switch: from a received burst to a verdict on each packet. Run by workers.
#pragma once

#include "switch/burst.h"
#include "switch/local.h"
#include "switch/snapshot.h"

namespace podswitch {

// In: in_port, count, packets. Out: meta, with a verdict other than Undecided on each. What other workers are
// to finish is not in the burst any more.
void run_pipeline(Burst& burst, const Snapshot& snapshot, Local& local) noexcept;
// The rest of it for a burst that stages::take_over() has made.
void run_later_stages(Burst& burst, const Snapshot& snapshot, Local& local) noexcept;

}  // namespace podswitch
