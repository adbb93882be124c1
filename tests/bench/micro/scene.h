// SPDX-License-Identifier: Apache-2.0
// A switch without devices for one benchmark: a few ports of one network, the real tables, and one burst that
// comes in at port 0 over and over. next_frames() and parsed() put the burst back to where a device or the
// stages before leave it; their cost is measured by itself and subtracted (measure.h).
#pragma once

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "switch/local.h"
#include "switch/snapshot.h"
#include "tests/unit/packet_builder.h"

namespace podswitch::bench {

inline constexpr PortId kIn = 0;
inline constexpr PortId kOut = 1;
inline constexpr uint16_t kMtu = 1500;  // bytes of layer 3

// MAC number `index` of those that live behind `port`. Any port below 200.
MacAddress mac_of(PortId port, size_t index);

// Untagged, nothing learned or given: what BridgePort{.id = id} would be, without GCC 12's warning.
BridgePort port(PortId id);
// A member of VLAN 7 only, tagged.
BridgePort trunk(PortId id);

// A table that knows `macs` addresses behind each of kIn and kOut, and pairs of them in random order.
// Made once per size and kept, as large ones take a while.
struct Addresses {
  struct Pair {
    uint64_t source, destination;  // FDB keys
  };
  explicit Addresses(size_t macs);
  static Addresses& of(size_t macs);

  const Fdb::Options options;
  Fdb fdb;
  std::vector<Pair> pairs;  // a power of two of them, as the burst sizes are
};

// The numbers below `count` in random order, over and over.
class Shuffled {
 public:
  explicit Shuffled(size_t count);
  uint32_t next() noexcept { return numbers_[position_++ & (numbers_.size() - 1)]; }

 private:
  std::vector<uint32_t> numbers_;  // a power of two of them
  size_t position_ = 0;
};

class Scene {
 public:
  struct Setup {
    size_t macs;
    size_t burst;
    std::vector<BridgePort> ports{port(kIn), port(kOut)};
    Gateway gateway{};
    // Its MACs, and the tag in front of it, are replaced in each packet; the rest stays.
    test::Packet frame = udp_frame();
    uint64_t receive_flags = 0;  // RTE_MBUF_F_RX_*
  };
  explicit Scene(const Setup& setup);
  ~Scene();
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  static test::Packet udp_frame();  // IPv4, 64 bytes

  // The next packets as a device gives them: frames written, nothing known about them.
  void next_frames() noexcept {
    for (uint16_t i = 0; i < burst.count; ++i) {
      rte_mbuf& packet = *burst.packets[i];
      packet.data_off = RTE_PKTMBUF_HEADROOM;
      packet.data_len = length_;
      packet.pkt_len = length_;
      packet.ol_flags = receive_flags_;
      char* data = rte_pktmbuf_mtod(&packet, char*);
      // As many bytes at a time as the stages read, so that no load waits for two stores.
      std::memcpy(data, heads_[position_ + i].data(), kHeadBytes);
      std::memcpy(data + kHeadBytes, rest_.data(), rest_.size());
    }
    advance();
  }
  // The next packets as the stages that reach() ran leave them. Frames are not touched.
  void parsed() noexcept {
    for (uint16_t i = 0; i < burst.count; ++i) {
      burst.meta[i] = reached_;
      const Addresses::Pair& pair = addresses_.pairs[position_ + i];
      burst.meta[i].source = pair.source;
      burst.meta[i].destination = pair.destination;
      burst.source_place[i] = local.fdb->place_of(pair.source);
      burst.destination_place[i] = local.fdb->place_of(pair.destination);
    }
    advance();
  }
  // Runs `stages` on the first packets, so that parsed() knows what they leave behind.
  using Stage = void (*)(Burst&, const Snapshot&, Local&) noexcept;
  void reach(const std::vector<Stage>& stages);
  // What the burst's packets have come to, if all came to the same; else the first that differs.
  std::string verdict() const;

  const Snapshot& snapshot() const { return *snapshot_; }
  Addresses& addresses() { return addresses_; }

  Burst burst;
  Local local;

 private:
  static constexpr size_t kHeadBytes = 16;  // MACs, and EtherType or tag
  void advance() noexcept { position_ = (position_ + burst.count) & (addresses_.pairs.size() - 1); }

  Addresses& addresses_;
  FidMap fids_;
  std::unique_ptr<const Snapshot> snapshot_;
  std::unique_ptr<PortCounterTable> counters_;
  std::unique_ptr<LearnRing> learned_;
  std::vector<std::array<uint8_t, kHeadBytes>> heads_;  // by position, as addresses_.pairs
  std::array<uint8_t, 48> rest_;                        // of the first 64 bytes
  uint16_t length_;
  uint64_t receive_flags_;
  PacketMeta reached_{};
  size_t position_ = 0;
};

}  // namespace podswitch::bench
