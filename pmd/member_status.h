// SPDX-License-Identifier: Apache-2.0
// A member of a bond as it is seen from outside. Plain values; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "switch/net/address.h"

namespace podswitch {

enum class MemberState : uint8_t {
  NoLink,
  NoPartner,  // 802.3ad: nobody to aggregate with, or not yet
  Standby,    // active-backup: ready
  Active,     // carries packets
};

struct MemberStatus {
  std::string name;  // as it was given
  MemberState state = MemberState::NoLink;
  std::optional<MacAddress> partner;  // 802.3ad: the system at the other end

  bool has_link() const { return state != MemberState::NoLink; }
  bool is_active() const { return state == MemberState::Active; }
  friend bool operator==(const MemberStatus&, const MemberStatus&) = default;
};

// "no link", "no partner", "standby", "active".
std::string_view to_string(MemberState state);

// What keeps members from being of use, in words; empty: nothing.
std::string member_hint(const std::vector<MemberStatus>& members);

}  // namespace podswitch
