// SPDX-License-Identifier: Apache-2.0
#include "pmd/member_status.h"

#include <fmt/format.h>

#include <array>

namespace podswitch {

std::string_view to_string(MemberState state) {
  constexpr std::array<std::string_view, 4> kNames{"no link", "no partner", "standby", "active"};
  return kNames[static_cast<size_t>(state)];
}

std::string member_hint(const std::vector<MemberStatus>& members) {
  std::string hint;
  for (const MemberStatus& member : members)
    if (member.state == MemberState::NoLink || member.state == MemberState::NoPartner)
      hint += fmt::format("{}member {}: {}", hint.empty() ? "" : "; ", member.name, to_string(member.state));
  return hint;
}

}  // namespace podswitch
