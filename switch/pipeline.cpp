// SPDX-License-Identifier: Apache-2.0
#include "switch/pipeline.h"

#include "switch/stages/stages.h"

namespace podswitch {

void run_pipeline(Burst& burst, const Snapshot& snapshot, Local& local) noexcept {
  stages::parse(burst, snapshot, local);
  // One test for all stages that only an uplink needs.
  if (snapshot.ports[burst.in_port].is_uplink) {
    stages::decapsulate(burst, snapshot, local);
    if (burst.is_any_open()) stages::listen(burst, snapshot, local);
    stages::spread(burst, snapshot, local);
  }
  run_later_stages(burst, snapshot, local);
}

// Each stage looks at a burst that may have something for it; out of a tunnel that mostly is the route stage
// alone.
void run_later_stages(Burst& burst, const Snapshot& snapshot, Local& local) noexcept {
  if (burst.is_any_open()) {
    stages::guard(burst, snapshot, local);
    stages::learn(burst, snapshot, local);
    stages::answer(burst, snapshot, local);
  }
  if (snapshot.services != nullptr) stages::translate(burst, snapshot, local);
  stages::route(burst, snapshot, local);
  stages::deliver(burst, snapshot, local);
  if (burst.is_any_open()) stages::forward(burst, snapshot, local);
  stages::rewrite(burst, snapshot, local);
}

}  // namespace podswitch
