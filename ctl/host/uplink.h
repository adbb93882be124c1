// SPDX-License-Identifier: Apache-2.0
// Attaching the node's NIC to the switch and giving it back. The client does this, not the daemon: it takes
// root, which members of the control socket's group are not; it works on the namespace of whoever calls it;
// and the same code must give everything back when there is no daemon. Each function holds the state file's
// lock.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "ctl/client.h"
#include "ctl/host/uplink_plan.h"

namespace podswitch {

// Each returns what to tell the caller, and throws Error.

struct AttachOptions {
  std::string directory;              // of the state file
  std::string socket;                 // of the daemon
  std::optional<uint32_t> timeout_s;  // to be confirmed within; nullopt: is confirmed
};
std::string attach_uplink(Client& client, const UplinkRequest& request, const AttachOptions& options);
std::string confirm_uplink(const std::string& directory);
std::string detach_uplink(const std::string& directory);

// Needs no daemon. Only an attachment that waits for its confirmation, and has this `id`, when one is given.
std::string roll_back_uplink(const std::string& directory, const std::string& id);
// The daemon has stopped and does not start again by itself: the NIC is the host's until resume_uplink().
std::string release_uplink(const std::string& directory);
// The daemon, on the socket that the uplink was attached with, has started. `same_boot`: leaves alone what
// was attached before the machine's boot, since the NIC may not have all of its addresses yet.
std::string resume_uplink(const std::string& directory, bool same_boot);

// Whether a rollback still waits for this attachment.
bool is_unconfirmed(const std::string& directory, const std::string& id);
nlohmann::json uplink_status(const std::string& directory);

}  // namespace podswitch
