// SPDX-License-Identifier: Apache-2.0
#include "pmd/port_spec.h"

#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "pmd/bond_member.h"
#include "pmd/socket_path.h"

namespace podswitch {
namespace {

constexpr std::array<std::string_view, 7> kKindNames{"vhost-user", "tap",    "af-packet", "af-xdp",
                                                     "memif",      "ethdev", "bond"};
constexpr std::array<std::string_view, 2> kBondModeNames{"active-backup", "802.3ad"};
constexpr std::array<std::string_view, 3> kRoleNames{"pod", "uplink", "host"};

bool is_name(std::string_view name, size_t max) {
  const auto allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= max && std::isalnum(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(), allowed);
}

// "a tap", "an af-xdp".
std::string with_article(PortKind kind) {
  const std::string_view name = kKindNames[static_cast<size_t>(kind)];
  return fmt::format("{} {}", name[0] == 'a' || name[0] == 'e' ? "an" : "a", name);
}

class Validator {
 public:
  Validator(const std::string& path, std::vector<Problem>& problems) : path_(path), problems_(problems) {}
  void require(bool ok, const char* option, std::string message) {
    if (!ok) problems_.push_back({path_.empty() ? option : path_ + "." + option, std::move(message)});
  }

 private:
  const std::string& path_;
  std::vector<Problem>& problems_;
};

void validate_socket(const PortSpec& spec, Validator& v) {
  v.require(!spec.path.empty(), "path",
            fmt::format("{} port needs the path of its socket", with_article(spec.kind)));
  v.require(spec.path.empty() || spec.path[0] == '/', "path",
            fmt::format("'{}' is not an absolute path", spec.path));
  v.require(spec.path.size() <= kMaxSocketPath, "path",
            fmt::format("{} bytes long; a socket's path has at most {}: use a shorter folder",
                        spec.path.size(), kMaxSocketPath));
}

bool is_interface_name(const std::string& name) {
  return !name.empty() && name.size() < IFNAMSIZ && name != "." && name != ".." &&
         std::none_of(name.begin(), name.end(), [](char c) {
           return std::isspace(static_cast<unsigned char>(c)) || c == '/' || c == ':' || c == '%' ||
                  c == ',' || c == '=';
         });
}

void validate_interface(const PortSpec& spec, Validator& v) {
  v.require(!spec.ifname.empty(), "ifname",
            fmt::format("{} port needs the name of its interface", with_article(spec.kind)));
  v.require(spec.ifname.empty() || is_interface_name(spec.ifname), "ifname",
            fmt::format("'{}' is no interface name: at most 15 characters without blanks or any of / : % , =",
                        spec.ifname));
  v.require(
      spec.netns.empty() || spec.netns[0] == '/', "netns",
      fmt::format("'{}' is not an absolute path; that of a named namespace is /run/netns/NAME", spec.netns));
}

void validate_bond(const PortSpec& spec, Validator& v) {
  if (spec.kind != PortKind::Bond) {
    v.require(!spec.bond_mode, "mode",
              fmt::format("{} port takes client or server; a bond is active-backup or 802.3ad",
                          with_article(spec.kind)));
    return v.require(spec.members.empty(), "members",
                     fmt::format("{} port has no members; a bond has", with_article(spec.kind)));
  }
  v.require(spec.bond_mode || spec.server, "mode", "a bond port needs one: active-backup or 802.3ad");
  v.require(spec.members.size() >= 2 && spec.members.size() <= kMaxMembers, "members",
            fmt::format("a bond port needs 2 to {}: PCI addresses, interfaces, or DPDK device strings",
                        kMaxMembers));
  std::set<std::string> devices;
  for (const std::string& member : spec.members) {
    v.require(!is_interface_member(member) || is_interface_name(member), "members",
              fmt::format("'{}' is no PCI address, interface name, or DPDK device string", member));
    v.require(devices.insert(member_device(member)).second, "members",
              fmt::format("{} is given twice", member_device(member)));
  }
}

void validate_kind(const PortSpec& spec, Validator& v) {
  const bool is_socket = spec.kind == PortKind::VhostUser || spec.kind == PortKind::Memif;
  const bool is_interface =
      spec.kind == PortKind::Tap || spec.kind == PortKind::AfPacket || spec.kind == PortKind::AfXdp;
  if (is_socket)
    validate_socket(spec, v);
  else
    v.require(spec.path.empty(), "path", fmt::format("{} port has no socket", with_article(spec.kind)));
  if (is_interface)
    validate_interface(spec, v);
  else
    v.require(spec.ifname.empty(), "ifname",
              fmt::format("{} port has no interface of its own", with_article(spec.kind)));
  const bool has_netns = spec.kind == PortKind::Tap || spec.kind == PortKind::AfPacket;
  v.require(spec.netns.empty() || has_netns, "netns",
            fmt::format("{} port cannot enter a namespace; tap and af-packet can", with_article(spec.kind)));
  if (spec.kind == PortKind::Ethdev)
    v.require(!spec.device.empty(), "device",
              "an ethdev port needs a PCI address or a DPDK device string such as net_null0");
  else
    v.require(spec.device.empty(), "device",
              fmt::format("{} port has no device string; ethdev has", with_article(spec.kind)));
  const bool owns_socket = spec.kind == PortKind::VhostUser && spec.server;
  v.require(!spec.server || is_socket, "mode",
            fmt::format("{} port has no socket to serve", with_article(spec.kind)));
  v.require(!spec.socket_mode || owns_socket, "socket-mode",
            "only a vhost-user port with mode server makes its socket");
  v.require(spec.socket_group.empty() || owns_socket, "socket-group",
            "only a vhost-user port with mode server makes its socket");
  v.require(spec.memif_id == 0 || spec.kind == PortKind::Memif, "memif-id",
            fmt::format("{} port has no memif id", with_article(spec.kind)));
}

bool has_two_of_a_family(const std::vector<IpAddress>& list) {
  const auto v4 = std::count_if(list.begin(), list.end(), [](const IpAddress& ip) { return ip.is_v4(); });
  return v4 > 1 || static_cast<long>(list.size()) - v4 > 1;
}

void validate_role(const PortSpec& spec, Validator& v) {
  const bool is_uplink = spec.role == PortRole::Uplink;
  v.require(spec.role == PortRole::Pod || (spec.ips.empty() && spec.pod.empty()), "role",
            "a port to the underlay or the host belongs to no pod and has no pod's ip");
  v.require(!is_uplink || spec.vlan.mode == VlanMode::Untagged ||
                (spec.vlan.mode == VlanMode::Trunk && spec.vlan.trunk.size() == 1),
            "role", "an uplink has no vlan, and a trunk of one VLAN at most: the underlay's tag");
  v.require(spec.role != PortRole::Host || spec.vlan.mode != VlanMode::Trunk, "role",
            "a port to the host has no trunk; its vlan is the uplink's tag");
  v.require(is_uplink || (spec.underlay.empty() && spec.underlay_gateways.empty()), "role",
            "only an uplink has underlay addresses and gateways");
  v.require(!is_uplink || spec.mac.has_value(), "mac",
            "an uplink needs the MAC that the node has in the underlay");
  std::vector<IpAddress> own;
  for (const PrefixedAddress& address : spec.underlay) own.push_back(address.ip);
  v.require(!has_two_of_a_family(own), "underlay", "at most one IPv4 and one IPv6 address");
  v.require(!has_two_of_a_family(spec.underlay_gateways), "underlay-gateway",
            "at most one IPv4 and one IPv6 gateway");
  for (const IpAddress& gateway : spec.underlay_gateways)
    v.require(std::any_of(spec.underlay.begin(), spec.underlay.end(),
                          [&](const PrefixedAddress& address) { return address.prefix().contains(gateway); }),
              "underlay-gateway",
              fmt::format("{} lies in the prefix of no underlay address", gateway.to_string()));
}

void validate_vlan(const VlanConfig& vlan, Validator& v) {
  const auto in_range = [](uint16_t id) { return id >= 1 && id <= 4094; };
  if (vlan.mode == VlanMode::Access)
    v.require(in_range(vlan.access), "vlan", fmt::format("{} is no VLAN: 1 to 4094", vlan.access));
  if (vlan.mode == VlanMode::Trunk)
    v.require(!vlan.trunk.empty() && std::all_of(vlan.trunk.begin(), vlan.trunk.end(), in_range), "trunk",
              "a trunk needs a list of VLANs from 1 to 4094, such as 10,20,100-199");
}

}  // namespace

std::string_view to_string(PortRole role) {
  return kRoleNames[static_cast<size_t>(role)];
}

std::optional<PortRole> port_role(std::string_view text) {
  const auto* found = std::find(kRoleNames.begin(), kRoleNames.end(), text);
  if (found == kRoleNames.end()) return std::nullopt;
  return static_cast<PortRole>(found - kRoleNames.begin());
}

std::string_view to_string(PortKind kind) {
  return kKindNames[static_cast<size_t>(kind)];
}

std::optional<PortKind> port_kind(std::string_view text) {
  for (size_t i = 0; i < kKindNames.size(); ++i)
    if (kKindNames[i] == text) return static_cast<PortKind>(i);
  return std::nullopt;
}

std::string_view to_string(BondMode mode) {
  return kBondModeNames[static_cast<size_t>(mode)];
}

std::optional<BondMode> bond_mode(std::string_view text) {
  const auto* found = std::find(kBondModeNames.begin(), kBondModeNames.end(), text);
  if (found == kBondModeNames.end()) return std::nullopt;
  return static_cast<BondMode>(found - kBondModeNames.begin());
}

KindLimits limits(PortKind kind) {
  switch (kind) {
    case PortKind::AfXdp:
      return {3498, kMaxQueues, "AF_XDP holds a frame in one 4 KiB chunk"};
    default:
      return {kMaxMtu, kMaxQueues, "frames of up to 9000 bytes of payload are supported"};
  }
}

bool is_network_name(std::string_view text) {
  return is_name(text, 63);
}

void validate(const PortSpec& spec, const std::string& path, std::vector<Problem>& problems) {
  Validator v(path, problems);
  v.require(
      is_name(spec.name, 63), "name",
      fmt::format("'{}' is no port name: 1 to 63 letters, digits, '.', '_' or '-', a letter or digit first",
                  spec.name));
  v.require(is_network_name(spec.network), "network",
            fmt::format("'{}' is no network name: 1 to 63 letters, digits, '.', '_' or '-'", spec.network));
  const auto slash = spec.pod.find('/');
  v.require(spec.pod.empty() || (slash != std::string::npos && slash > 0 && slash + 1 < spec.pod.size() &&
                                 spec.pod.find('/', slash + 1) == std::string::npos),
            "pod", fmt::format("'{}' is no pod: NAMESPACE/NAME", spec.pod));
  v.require(spec.pod.size() <= 320 && spec.uid.size() <= 64, "pod",
            "a pod is at most 320 bytes, a uid at most 64");
  v.require(!spec.mac || (!spec.mac->is_zero() && !spec.mac->is_multicast()), "mac",
            "a port's MAC is neither zero nor a group address");
  for (const IpAddress& ip : spec.ips) {
    const bool unicast =
        !ip.v6.is_unspecified() &&
        !(ip.is_v4() ? (ip.v4().bytes[0] >= 224 || ip.v4().bytes[0] == 0) : ip.v6.is_multicast());
    v.require(unicast, "ip", fmt::format("{} is not a unicast address", ip.to_string()));
  }
  const KindLimits kind = limits(spec.kind);
  v.require(spec.mtu >= kMinMtu && spec.mtu <= kind.max_mtu, "mtu",
            fmt::format("{} is out of range: {} port takes {} to {} ({})", spec.mtu, with_article(spec.kind),
                        kMinMtu, kind.max_mtu, kind.mtu_reason));
  v.require(spec.queues >= 1 && spec.queues <= kind.max_queues, "queues",
            fmt::format("{} is out of range: {} port takes 1 to {}", spec.queues, with_article(spec.kind),
                        kind.max_queues));
  validate_vlan(spec.vlan, v);
  validate_role(spec, v);
  validate_kind(spec, v);
  validate_bond(spec, v);
}

}  // namespace podswitch
