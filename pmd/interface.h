// SPDX-License-Identifier: Apache-2.0
// A kernel network interface, asked and changed by name through a socket that was made inside its network
// namespace (and keeps that alive). Control side. Questions answer nullopt when the interface is missing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "pmd/unique_fd.h"
#include "switch/net/address.h"

struct ifreq;

namespace podswitch {

class Interface {
 public:
  // In the namespace of the calling thread. Throws Error.
  explicit Interface(std::string name);

  const std::string& name() const { return name_; }
  std::optional<unsigned> index() const;
  std::optional<unsigned> flags() const;  // IFF_*
  std::optional<uint32_t> mtu() const;
  std::optional<MacAddress> mac() const;  // also nullopt when it is no Ethernet interface
  std::string kind() const;               // "tap", or the driver's name: "veth"; empty: unknown
  bool has_link() const;                  // up, and its driver says that the other side is there

  void set_mtu(uint32_t mtu) const;
  void set_mac(const MacAddress& mac) const;
  void set_up() const;

 private:
  bool ask(unsigned long request, ifreq& answer) const;

  std::string name_;
  UniqueFd socket_;
};

}  // namespace podswitch
