// SPDX-License-Identifier: Apache-2.0
#include "pmd/assignment.h"

#include <algorithm>

namespace podswitch {

Assignment assign_queues(const std::vector<QueueName>& queues, const Pins& pins,
                         const std::vector<unsigned>& worker_cores, const Assignment& previous) {
  Assignment assignment;
  std::vector<size_t> load(worker_cores.size());
  const auto place = [&](const QueueName& queue, unsigned worker) {
    assignment[queue] = worker;
    ++load[worker];
  };
  std::vector<QueueName> open;
  for (const QueueName& queue : queues) {
    const auto pin = pins.find(queue);
    const auto core = pin == pins.end() ? worker_cores.end()
                                        : std::find(worker_cores.begin(), worker_cores.end(), pin->second);
    if (core != worker_cores.end())
      place(queue, static_cast<unsigned>(core - worker_cores.begin()));
    else if (const auto old = previous.find(queue); old != previous.end())
      place(queue, old->second);
    else
      open.push_back(queue);
  }
  for (const QueueName& queue : open)
    place(queue, static_cast<unsigned>(std::min_element(load.begin(), load.end()) - load.begin()));
  return assignment;
}

}  // namespace podswitch
