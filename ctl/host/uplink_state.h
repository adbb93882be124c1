// SPDX-License-Identifier: Apache-2.0
// What is known of the attached uplink, in a file of its own in the state directory (mode 0600): enough to
// give the node its addresses back without the daemon. Interfaces are by name, since numbers do not last.
// Whoever changes it holds the lock. Any one thread of any process.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ctl/file.h"
#include "ctl/host/relocate.h"
#include "pmd/port_spec.h"
#include "switch/net/address.h"

namespace podswitch {

inline constexpr std::string_view kDefaultStateDirectory = "/var/lib/podswitch";

enum class UplinkPhase : uint8_t {
  Unconfirmed,  // moved, or about to be: rolled back when its time is over
  Confirmed,
  Released,   // confirmed once; given back because the switch stopped: taken again at its next start
  Abandoned,  // rolled back while no daemon was there to be told: its ports go at the next start
};

struct UplinkState {
  std::string id;  // of this attachment: a timer of an older one does nothing
  UplinkPhase phase = UplinkPhase::Unconfirmed;
  std::string boot_id;             // kernel state of another boot is gone
  std::string netns;               // network namespace, "DEVICE:INODE"
  int64_t deadline_s = 0;          // until when to confirm, in seconds since 1970
  std::string socket;              // of the daemon
  std::vector<std::string> ports;  // that are made for it, and go with it

  std::string nic;     // what the uplink port holds
  std::string source;  // where the addresses were: the NIC, or its VLAN interface
  std::string host;    // where they are: the host port's interface
  PortKind kind = PortKind::AfPacket;
  uint16_t queues = 1;
  uint16_t vlan = 0;  // 0: untagged
  uint16_t mtu = 0;
  MacAddress mac;
  Belongings belongings;  // of `source` before anything changed; interface numbers are those of this boot

  bool is_here() const;  // of this boot and in this network namespace
};

std::string_view to_string(UplinkPhase phase);
std::string present_boot_id();
std::string present_netns();
std::string new_attachment_id();

class UplinkFile {
 public:
  // Makes the directory (0700) when it is missing. Waits for another process that holds the lock, longer than
  // any needs; then throws Error. Throws Error also when it may not.
  explicit UplinkFile(const std::string& directory);
  // As read(), without the lock: what it says may be changing.
  static std::optional<UplinkState> peek(const std::string& directory);

  // nullopt: nothing is attached. Throws Error: damaged, or of a newer version.
  std::optional<UplinkState> read() const;
  void write(const UplinkState& state);  // on the disk when it returns
  void remove();

  const std::string& path() const { return path_; }

 private:
  std::string directory_;
  std::string path_;
  FileDescriptor lock_;
};

}  // namespace podswitch
