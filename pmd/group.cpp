// SPDX-License-Identifier: Apache-2.0
#include "pmd/group.h"

#include <grp.h>

#include <charconv>
#include <system_error>
#include <vector>

namespace podswitch {

std::optional<gid_t> group_id(const std::string& group) {
  gid_t number = 0;
  const char* end = group.data() + group.size();
  if (const auto [at, error] = std::from_chars(group.data(), end, number); error == std::errc{} && at == end)
    return number;
  std::vector<char> buffer(16384);
  struct group entry {};
  struct group* found = nullptr;
  if (getgrnam_r(group.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return std::nullopt;
  return found->gr_gid;
}

}  // namespace podswitch
