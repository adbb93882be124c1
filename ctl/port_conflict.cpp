// SPDX-License-Identifier: Apache-2.0
#include "ctl/port_conflict.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "pmd/bond_member.h"

namespace podswitch {
namespace {

// The NICs of a port; empty: it has none, or one in another namespace.
std::set<std::string> devices_of(const PortSpec& port) {
  std::set<std::string> devices;
  if (!port.device.empty()) devices.insert(member_device(port.device));
  if (!port.ifname.empty() && port.netns.empty()) devices.insert(port.ifname);
  for (const std::string& member : port.members) devices.insert(member_device(member));
  return devices;
}

void find_member_conflicts(const PortSpec& port, const PortSpec& other, std::vector<Problem>& problems) {
  if (port.members.empty() && other.members.empty()) return;
  const std::set<std::string> theirs = devices_of(other);
  for (const std::string& device : devices_of(port))
    if (theirs.count(device) != 0)
      problems.push_back({!port.members.empty()  ? "members"
                          : !port.device.empty() ? "device"
                                                 : "ifname",
                          fmt::format("{} is port {}'s", device, other.name)});
}

void find_device_conflicts(const PortSpec& port, const PortSpec& other, std::vector<Problem>& problems) {
  // One memif socket serves many interfaces, told apart by their ids.
  const bool both_memif = port.kind == PortKind::Memif && other.kind == PortKind::Memif;
  if (!port.path.empty() && port.path == other.path) {
    if (!both_memif)
      problems.push_back({"path", fmt::format("{} is port {}'s", port.path, other.name)});
    else if (port.memif_id == other.memif_id)
      problems.push_back(
          {"memif-id", fmt::format("{} on {} is port {}'s", port.memif_id, port.path, other.name)});
  }
  if (!port.ifname.empty() && port.ifname == other.ifname && port.netns == other.netns)
    problems.push_back({"ifname", fmt::format("{} is port {}'s", port.ifname, other.name)});
  if (!port.device.empty() && port.device == other.device)
    problems.push_back({"device", fmt::format("{} is port {}'s", port.device, other.name)});
}

bool share_a_vlan(const VlanConfig& a, const VlanConfig& b) {
  const auto holds = [](const VlanConfig& trunk, const VlanConfig& access) {
    return access.mode == VlanMode::Access &&
           std::binary_search(trunk.trunk.begin(), trunk.trunk.end(), access.access);
  };
  if (a.mode == VlanMode::Trunk && b.mode == VlanMode::Trunk)
    return std::find_first_of(a.trunk.begin(), a.trunk.end(), b.trunk.begin(), b.trunk.end()) !=
           a.trunk.end();
  if (a.mode == VlanMode::Trunk) return holds(a, b);
  if (b.mode == VlanMode::Trunk) return holds(b, a);
  return a.mode == b.mode && a.access == b.access;
}

}  // namespace

void find_conflicts(const PortSpec& port, const PortSpec& other, std::vector<Problem>& problems) {
  find_device_conflicts(port, other, problems);
  find_member_conflicts(port, other, problems);
  if (port.role != PortRole::Pod && port.role == other.role)
    problems.push_back({"role", fmt::format("port {} is the {} already, and a switch has one", other.name,
                                            to_string(port.role))});
  if (port.network != other.network || !share_a_vlan(port.vlan, other.vlan)) return;
  const auto add = [&](const char* option, const std::string& address) {
    problems.push_back(
        {option, fmt::format("{} is port {}'s in network {}", address, other.name, port.network)});
  };
  // The host has the uplink's MAC: it is the node's.
  const bool are_the_node = port.role != PortRole::Pod && other.role != PortRole::Pod;
  if (port.mac && port.mac == other.mac && !are_the_node) add("mac", port.mac->to_string());
  for (const IpAddress& ip : port.ips)
    if (std::find(other.ips.begin(), other.ips.end(), ip) != other.ips.end()) add("ip", ip.to_string());
}

}  // namespace podswitch
