// SPDX-License-Identifier: Apache-2.0
#include "pmd/interface.h"

#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "pmd/error.h"

namespace podswitch {

Interface::Interface(std::string name)
    : name_(std::move(name)),
      socket_(check_errno(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket to query interfaces")) {}

bool Interface::ask(unsigned long request, ifreq& answer) const {
  std::memcpy(answer.ifr_name, name_.c_str(), std::min<size_t>(name_.size(), IFNAMSIZ - 1));
  return ::ioctl(socket_.get(), request, &answer) == 0;
}

std::optional<unsigned> Interface::index() const {
  ifreq answer{};
  if (!ask(SIOCGIFINDEX, answer)) return std::nullopt;
  return static_cast<unsigned>(answer.ifr_ifindex);
}

std::optional<unsigned> Interface::flags() const {
  ifreq answer{};
  if (!ask(SIOCGIFFLAGS, answer)) return std::nullopt;
  return static_cast<unsigned short>(answer.ifr_flags);
}

std::optional<uint32_t> Interface::mtu() const {
  ifreq answer{};
  if (!ask(SIOCGIFMTU, answer)) return std::nullopt;
  return static_cast<uint32_t>(answer.ifr_mtu);
}

std::optional<MacAddress> Interface::mac() const {
  ifreq answer{};
  if (!ask(SIOCGIFHWADDR, answer) || answer.ifr_hwaddr.sa_family != ARPHRD_ETHER) return std::nullopt;
  MacAddress mac;
  std::memcpy(mac.bytes.data(), answer.ifr_hwaddr.sa_data, mac.bytes.size());
  return mac;
}

std::string Interface::kind() const {
  ethtool_drvinfo driver{};
  driver.cmd = ETHTOOL_GDRVINFO;
  ifreq request{};
  request.ifr_data = reinterpret_cast<char*>(&driver);
  if (!ask(SIOCETHTOOL, request)) return {};
  driver.driver[sizeof driver.driver - 1] = '\0';
  driver.bus_info[sizeof driver.bus_info - 1] = '\0';
  // One driver makes both tun and tap, and says which as the bus.
  return std::string_view(driver.driver) == "tun" ? driver.bus_info : driver.driver;
}

bool Interface::has_link() const {
  ethtool_value link{};
  link.cmd = ETHTOOL_GLINK;
  ifreq request{};
  request.ifr_data = reinterpret_cast<char*>(&link);
  return ask(SIOCETHTOOL, request) && link.data != 0;
}

void Interface::set_mtu(uint32_t mtu) const {
  ifreq request{};
  request.ifr_mtu = static_cast<int>(mtu);
  if (!ask(SIOCSIFMTU, request)) check_errno(-1, fmt::format("setting MTU {} of interface {}", mtu, name_));
}

void Interface::set_mac(const MacAddress& mac) const {
  ifreq request{};
  request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  std::memcpy(request.ifr_hwaddr.sa_data, mac.bytes.data(), mac.bytes.size());
  if (!ask(SIOCSIFHWADDR, request))
    check_errno(-1, fmt::format("setting MAC {} of interface {}", mac.to_string(), name_));
}

void Interface::set_up() const {
  ifreq request{};
  const bool is_known = ask(SIOCGIFFLAGS, request);
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (!is_known || !ask(SIOCSIFFLAGS, request))
    check_errno(-1, fmt::format("setting interface {} up", name_));
}

}  // namespace podswitch
