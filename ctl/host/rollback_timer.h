// SPDX-License-Identifier: Apache-2.0
// Runs `podswitch uplink rollback` after a while, outside of the daemon and of the caller's session: by a
// timer of systemd's where it runs in this network namespace, else by a process of its own that outlives its
// parent.
#pragma once

#include <cstdint>
#include <string>

namespace podswitch {

// Throws Error when neither can be had.
void start_rollback_timer(const std::string& id, const std::string& directory, uint32_t seconds);
// Best effort: a timer that fires all the same finds nothing to do.
void stop_rollback_timer(const std::string& id);

}  // namespace podswitch
