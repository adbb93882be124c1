// SPDX-License-Identifier: Apache-2.0
// Keeps the kernel's own stack from seeing what arrives on interfaces whose frames the switch takes by packet
// sockets, which read them earlier: an nftables table of family netdev whose ingress chain drops everything.
// It outlives the process (`nft list table netdev podswitch_uplink`). In the network namespace of the calling
// thread; control side.
#pragma once

#include <string>

namespace podswitch {

inline constexpr const char* kIngressTable = "podswitch_uplink";

// Makes the table for this interface alone, in the place of an older one, at once. Throws Error.
void block_ingress(const std::string& ifname);
// False: there was none. Throws Error.
bool unblock_ingress();
bool is_ingress_blocked();

}  // namespace podswitch
