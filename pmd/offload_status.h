// SPDX-License-Identifier: Apache-2.0
// Where a piece of the switch's work is done for one port, for listings. Plain values, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <vector>

#include "switch/net/tunnel.h"

namespace podswitch {

class Port;

struct OffloadStatus {
  std::string port;
  std::string offload;  // "inner-rss", "unknown-vtep-drop", "tunnel-checksum", ...
  bool in_nic = false;
  size_t rules = 0;                 // of the flow engine
  std::optional<uint64_t> packets;  // that met it in the NIC; nullopt: nobody counts them there
  std::string reason;               // why in software; in the NIC: what is missing all the same, or empty
};

// Of an uplink whose tunnels are of this kind. Any thread but a worker.
std::vector<OffloadStatus> offloads_of(Port& port, net::Encapsulation encapsulation);

}  // namespace podswitch
