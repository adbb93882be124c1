// SPDX-License-Identifier: Apache-2.0
// What the parts of Rtnetlink share: addresses in attributes, and the judgement of the kernel's answers.
#pragma once

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <string>

#include "pmd/error.h"
#include "pmd/netlink.h"
#include "switch/net/address.h"

namespace podswitch {

inline uint8_t family_of(const IpAddress& ip) {
  return ip.is_v4() ? AF_INET : AF_INET6;
}

// As `length` bytes say: 4 or 16.
inline IpAddress ip_of(NetlinkBytes bytes) {
  if (bytes.size() == sizeof(Ipv4Address)) return IpAddress(value_of<Ipv4Address>(bytes));
  return IpAddress(value_of<Ipv6Address>(bytes));
}

inline void put_ip(NetlinkMessage& message, uint16_t attribute, const IpAddress& ip) {
  if (ip.is_v4())
    message.put_value(attribute, ip.v4());
  else
    message.put_value(attribute, ip.v6);
}

// True when done, false for the errors that mean "it is so already"; any other throws.
inline bool judge(const NetlinkAnswer& answer, std::initializer_list<int> already, const std::string& what) {
  if (answer.error == 0) return true;
  if (std::find(already.begin(), already.end(), answer.error) != already.end()) return false;
  throw Error("", fmt::format("{}: {}", what, answer.words));
}

}  // namespace podswitch
