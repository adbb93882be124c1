// SPDX-License-Identifier: Apache-2.0
// A bonding device (DPDK's net_bonding) and its members. Owned by an EthDevice, which configures, starts and
// stops it as any other; its members follow. Configuration or housekeeping thread unless said otherwise.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pmd/interface.h"
#include "pmd/member_status.h"
#include "pmd/port_spec.h"

namespace podswitch {

class Bond {
 public:
  // Probes the members and makes the device; throws Error.
  explicit Bond(const PortSpec& spec);
  // The device has been stopped.
  ~Bond();
  Bond(const Bond&) = delete;
  Bond& operator=(const Bond&) = delete;

  uint16_t id() const { return id_; }
  std::vector<uint16_t> member_ids() const;

  // Once the device is started: has every member take all frames.
  void open_filters();
  // EAL's interrupt thread. How the members are now; in active-backup also sees to it that the active one
  // has a link while any has.
  std::vector<MemberStatus> look();

 private:
  struct Member {
    std::string name;
    uint16_t id;
    std::unique_ptr<Interface> interface;  // opened by packet sockets, whose driver knows no link
    std::optional<unsigned> index;         // of it: another one of the same name is not ours
  };

  void add(const PortSpec& spec, const std::string& name);
  void make(const PortSpec& spec);
  void take_mac(const MacAddress& mac);
  void close_members();
  void choose_primary();
  bool is_known_to_driver(const Member& member) const;
  MemberStatus status_of(const Member& member, int primary) const;
  static bool has_link(const Member& member);

  const BondMode mode_;
  std::vector<Member> members_;
  uint16_t id_ = 0;
  int chosen_ = -1;  // active-backup: the member that the driver was told to prefer
};

}  // namespace podswitch
