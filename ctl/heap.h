// SPDX-License-Identifier: Apache-2.0
// Where the daemon's heap lies. A cluster of thousands of nodes is many small objects, which a change visits
// after half a second of other work: with small pages most of its time is misses of the TLB, many times as
// long on a virtual machine (one node more among 5,000: 35 ms and 8 ms).
#pragma once

namespace podswitch {

// Starts this program anew with glibc's heap in transparent hugepages, unless it is so already or somebody
// has set glibc's tunables himself. To be called first in main(), before there is a thread; returns when
// nothing is left to do.
void use_hugepages_for_heap(char** argv);

}  // namespace podswitch
