// SPDX-License-Identifier: Apache-2.0
#include "pmd/bond_member.h"

#include <fmt/format.h>
#include <net/if.h>

#include <filesystem>
#include <system_error>

#include "pmd/pci_address.h"

namespace podswitch {

bool is_interface_member(const std::string& member) {
  // DPDK's virtual devices begin with the name of their driver, and that with net_.
  return pci_address(member).empty() && member.rfind("net_", 0) != 0;
}

std::string member_device(const std::string& member) {
  const std::string pci = pci_address(member);
  return pci.empty() ? member.substr(0, member.find(',')) : pci;
}

std::string why_no_member(const std::string& member) {
  if (is_interface_member(member))
    return if_nametoindex(member.c_str()) == 0 ? fmt::format("there is no interface {}", member) : "";
  const std::string pci = pci_address(member);
  std::error_code error;
  if (pci.empty() || std::filesystem::exists("/sys/bus/pci/devices/" + pci, error)) return {};
  return fmt::format("there is no PCI device {}", pci);
}

}  // namespace podswitch
