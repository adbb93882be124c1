// SPDX-License-Identifier: Apache-2.0
#include "ctl/derived_mac.h"

#include <unistd.h>

#include <array>

#include "pmd/error.h"

namespace podswitch {

uint64_t stable_hash(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

MacAddress derived_mac(std::string_view text) {
  MacAddress mac = MacAddress::from_u64(stable_hash(text));
  mac.bytes[0] = static_cast<uint8_t>((mac.bytes[0] & 0xfc) | 2);
  return mac;
}

std::string host_name() {
  std::array<char, 256> name{};
  check_errno(gethostname(name.data(), name.size() - 1), "gethostname");
  return name.data();
}

}  // namespace podswitch
