// SPDX-License-Identifier: Apache-2.0
// A port as it is asked for: plain values, compared to tell "the same again" from "other options".
// Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pmd/error.h"
#include "switch/net/address.h"
#include "switch/net/prefix.h"
#include "switch/snapshot.h"

namespace podswitch {

enum class PortKind : uint8_t { VhostUser, Tap, AfPacket, AfXdp, Memif, Ethdev, Bond };

enum class BondMode : uint8_t { ActiveBackup, Lacp };

// What a port is to the switch.
enum class PortRole : uint8_t {
  Pod,
  Uplink,  // to the underlay: other nodes and the outside; at most one
  Host,    // to the node's own stack, which has the uplink's addresses; at most one
};

inline constexpr uint16_t kDefaultMtu = 1500;
inline constexpr uint16_t kMinMtu = 68;  // RFC 791
inline constexpr uint16_t kMaxMtu = 9000;
inline constexpr uint16_t kMaxQueues = 16;
inline constexpr size_t kMaxMembers = 8;  // of a bond

struct PortSpec {
  std::string name;  // 1..63 of [A-Za-z0-9._-], starts with a letter or digit
  PortKind kind = PortKind::VhostUser;
  std::string network = "default";
  PortRole role = PortRole::Pod;
  std::vector<PrefixedAddress> underlay;     // Uplink: the node's addresses, at most one of each family
  std::vector<IpAddress> underlay_gateways;  // Uplink: at most one of each family
  std::string pod;                           // NAMESPACE/NAME, or empty
  std::string uid;                           // the pod's
  std::optional<MacAddress> mac;
  std::vector<IpAddress> ips;
  uint16_t mtu = kDefaultMtu;
  uint16_t queues = 1;  // queue pairs, 1..kMaxQueues
  VlanConfig vlan;
  bool allow_spoofing = false;

  // VhostUser and Memif: the socket.
  std::string path;                     // VhostUser: at most 107 bytes
  bool server = false;                  // who listens: false (client): the peer, true (server): we
  std::optional<uint32_t> socket_mode;  // VhostUser server: octal permission bits
  std::string socket_group;             // VhostUser server
  uint32_t memif_id = 0;

  // Tap, AfPacket, AfXdp: the interface, at most 15 bytes.
  std::string ifname;
  std::string netns;  // path of a network namespace, or empty: ours

  // Ethdev: a PCI address or a DPDK device string ("net_null0,copy=1").
  std::string device;

  // Bond.
  std::optional<BondMode> bond_mode;
  std::vector<std::string> members;  // see bond_member.h; 2..kMaxMembers of them, the preferred one first

  friend bool operator==(const PortSpec&, const PortSpec&) = default;
};

// "vhost-user", "tap", "af-packet", "af-xdp", "memif", "ethdev", "bond".
std::string_view to_string(PortKind kind);
std::optional<PortKind> port_kind(std::string_view text);

// "active-backup", "802.3ad".
std::string_view to_string(BondMode mode);
std::optional<BondMode> bond_mode(std::string_view text);

// "pod", "uplink", "host".
std::string_view to_string(PortRole role);
std::optional<PortRole> port_role(std::string_view text);

struct KindLimits {
  uint16_t max_mtu;
  uint16_t max_queues;
  std::string_view mtu_reason;  // why not more
};
KindLimits limits(PortKind kind);

// 1 to 63 letters, digits, '.', '_' or '-', a letter or digit first.
bool is_network_name(std::string_view text);

// Appends what is wrong with `spec`, each under `path` + "." + option name (just the name when `path` is
// empty). Looks at values only, not at the machine.
void validate(const PortSpec& spec, const std::string& path, std::vector<Problem>& problems);

}  // namespace podswitch
