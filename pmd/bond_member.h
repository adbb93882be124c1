// SPDX-License-Identifier: Apache-2.0
// How a member of a bond is named: by what DPDK probes (a PCI address, "net_tap0,iface=up0"), or by a Linux
// interface, which DPDK then shares with the kernel by packet sockets. Any thread but a worker.
#pragma once

#include <string>

namespace podswitch {

bool is_interface_member(const std::string& member);

// The same for each way to write the same device: "0000:03:00.0", "net_tap0", "eth1".
std::string member_device(const std::string& member);

// What is not there, in words; empty when probing is worth a try.
std::string why_no_member(const std::string& member);

}  // namespace podswitch
