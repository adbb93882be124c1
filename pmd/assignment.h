// SPDX-License-Identifier: Apache-2.0
// Which worker polls which receive queue: where it was pinned, else where it was before, else the worker
// with the fewest queues, which makes it round robin. Configuration thread.
#pragma once

#include <map>
#include <vector>

#include "pmd/engine.h"

namespace podswitch {

using Assignment = std::map<QueueName, unsigned>;  // to a worker's index

// `queues` are all that exist. A pin to a core without a worker is ignored: validation refuses it earlier.
Assignment assign_queues(const std::vector<QueueName>& queues, const Pins& pins,
                         const std::vector<unsigned>& worker_cores, const Assignment& previous);

}  // namespace podswitch
