// SPDX-License-Identifier: Apache-2.0
// Fragments that came before the first one of their datagram, which alone says whose they are: held until it
// comes, for a second or two, and not many, of one port only a part. Owned by one worker; a first fragment
// that another worker gets does not release them, since one port's packets mostly stay with one.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>

#include "switch/burst.h"
#include "switch/fragment_table.h"

namespace podswitch {

class HeldFragments {
 public:
  static constexpr uint16_t kCapacity = 64;
  static constexpr uint16_t kOfOnePort = 16;
  static constexpr uint32_t kSeconds = 1;  // and up to one more

  // False: there is no room. True: the packet is no longer the burst's.
  bool hold(rte_mbuf& packet, const PacketMeta& meta, PortId in_port, const FragmentKey& datagram,
            uint32_t now) noexcept;
  // The first fragment has come.
  void release(const FragmentKey& datagram) noexcept;
  // Whether take() has something.
  bool has_due(uint32_t now) const noexcept {
    return released_ != 0 || (count_ != 0 && now > oldest_ + kSeconds);
  }
  // Makes a burst of those of one port that are released, with the verdicts that they had, or that have
  // waited too long, to be dropped. Returns its size.
  uint16_t take(Burst& burst, const Fdb& fdb, uint32_t now) noexcept;
  void free_all() noexcept;

 private:
  struct Held {
    rte_mbuf* packet;
    PacketMeta meta;
    FragmentKey datagram;
    uint32_t since;
    PortId in_port;
    bool is_released;
  };
  std::array<Held, kCapacity> held_;
  uint16_t count_ = 0;
  uint16_t released_ = 0;
  uint32_t oldest_ = 0;
};

}  // namespace podswitch
