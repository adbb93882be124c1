// SPDX-License-Identifier: Apache-2.0
#include "pmd/pci_address.h"

#include <fmt/format.h>

#include <regex>

namespace podswitch {

std::string pci_address(const std::string& device) {
  static const std::regex pattern(
      "(?:pci:)?(?:([0-9a-f]{1,8}):)?([0-9a-f]{1,2}):([0-9a-f]{1,2})\\.([0-7])(?:,.*)?", std::regex::icase);
  std::smatch match;
  if (!std::regex_match(device, match, pattern)) return {};
  const auto number = [&](size_t group) {
    return match[group].matched ? std::stoul(match[group].str(), nullptr, 16) : 0;
  };
  return fmt::format("{:04x}:{:02x}:{:02x}.{}", number(1), number(2), number(3), number(4));
}

}  // namespace podswitch
