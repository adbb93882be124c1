// SPDX-License-Identifier: Apache-2.0
// Longest-prefix match for the packet path: IPv4 and IPv6 routes of one network, immutable once built.
// A trie compressed in path and level (LC-trie, Nilsson and Karlsson 1999), with leaves pushed (Srinivasan
// and Varghese 1999). A node is an interval of addresses in equal slots, cut to where its slots differ from
// what is around it: one subtraction, shift and comparison skips a prefix, verifies it and says which slot.
// Slots are as fine as routes are dense. Pod CIDRs are cut from one block, so that a remote pod takes one
// step and a local one two, in either family.
//
// Why this one: memory, and time from a look-up's start to its end, with the pod CIDRs of 5,000 nodes in one
// block and the host routes of 254 pods.
//   this table              21 KB for IPv4, 21 KB for IPv6
//   poptrie (Asai and Ohara 2015), its first 16 bits direct
//                           314 KB and 286 KB; 2 to 3 times as long for IPv4, 8 to 12 times for IPv6 (9 and
//                           19 steps). With fewer bits direct down to 25 KB and 31 KB, and slower
//   hash table for each prefix length
//                           541 KB each; 1.4 times as long for the longest length, 5 times for the next
// The poptrie does more look-ups at a time (1.3 times) with 5,000 /24 that lie anywhere. Not tried: rte_fib
// (DIR-24-8) and rte_lpm take 64 MiB a table, rte_rib follows a pointer for each bit that routes differ in.
#pragma once

#include <rte_prefetch.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>

#include "switch/net/address.h"
#include "switch/net/byte_order.h"
#include "switch/net/prefix.h"

namespace podswitch {

struct Route {
  Prefix prefix;
  uint32_t value;  // an index of the caller's, below Lpm::kValueLimit
};
inline constexpr uint32_t kNoRoute = 0xffffffff;

class Lpm {
 public:
  static constexpr uint32_t kValueLimit = 0x80000000;

  // In any order. Throws std::invalid_argument when two prefixes are equal, a value is too large or a prefix
  // is none (set bits behind its length). Configuration thread.
  static std::unique_ptr<const Lpm> build(std::span<const Route> routes);

  // The value of the longest prefix that holds the destination, or kNoRoute. An IPv4-mapped address is not
  // IPv4 here. Any thread, as long as the table lives.
  uint32_t find(const Ipv4Address& destination) const noexcept {
    return walk<kLowNode>(v4_root_, word_of(destination));
  }
  uint32_t find(const Ipv6Address& destination) const noexcept {
    const uint32_t entry = walk<kLowNode>(v6_root_, word_of(destination, 0));
    return walk<kNoRoute>(entry, word_of(destination, 8));
  }
  // Fetches the slot of the first node, which is the large one; the node itself is always hot.
  void prefetch(const Ipv4Address& destination) const noexcept { prefetch(v4_root_, word_of(destination)); }
  void prefetch(const Ipv6Address& destination) const noexcept {
    prefetch(v6_root_, word_of(destination, 0));
  }
  // Routes that it was built from.
  size_t size() const { return size_; }
  // Of all that find() reads.
  size_t memory_bytes() const { return sizeof *this + cell_count_ * sizeof(Node); }

 private:
  friend class LpmBuilder;

  // Looks at 64 bits of an address: an IPv4 address and 32 zeros, or either half of an IPv6 address. An entry
  // of 32 bits follows for each slot.
  struct Node {
    uint64_t first;     // where slot 0 begins
    uint32_t fallback;  // the value of what lies outside
    uint16_t last;      // slot
    uint8_t shift;      // a slot has 2^shift addresses
  };
  static_assert(sizeof(Node) == 16);

  // An entry is a value, kNoRoute, or where another node is. As signed numbers, nodes that look at the first
  // 64 bits are below kLowNode, those that look at the last 64 are between kLowNode and kNoRoute, values
  // above.
  static constexpr uint32_t kHighNode = 0x80000000;
  static constexpr uint32_t kLowNode = 0xc0000000;
  static constexpr uint32_t kPlaceMask = 0x3fffffff;  // in units of a Node

  struct Free {
    void operator()(Node* cells) const { ::operator delete (cells, std::align_val_t{64}); }
  };

  Lpm() = default;

  static uint64_t word_of(const Ipv4Address& address) noexcept {
    return BigEndian<uint64_t>::from_raw(address.raw()).host();
  }
  static uint64_t word_of(const Ipv6Address& address, size_t offset) noexcept {
    uint64_t raw;
    std::memcpy(&raw, address.bytes.data() + offset, sizeof raw);
    return BigEndian<uint64_t>::from_raw(raw).host();
  }
  const Node& node_at(uint32_t entry) const noexcept { return cells_[entry & kPlaceMask]; }
  static const std::byte* slot_of(const Node& node, uint64_t index) noexcept {
    return reinterpret_cast<const std::byte*>(&node + 1) + index * sizeof(uint32_t);
  }

  // Follows entries as long as they are below `end`.
  template <uint32_t end>
  uint32_t walk(uint32_t entry, uint64_t word) const noexcept {
    while (static_cast<int32_t>(entry) < static_cast<int32_t>(end)) {
      const Node& node = node_at(entry);
      const uint64_t index = (word - node.first) >> node.shift;  // too large also for what lies before
      if (index > node.last) return node.fallback;
      std::memcpy(&entry, slot_of(node, index), sizeof entry);
    }
    return entry;
  }
  void prefetch(uint32_t root, uint64_t word) const noexcept {
    if (static_cast<int32_t>(root) >= static_cast<int32_t>(kLowNode)) return;
    const Node& node = node_at(root);
    const uint64_t index = (word - node.first) >> node.shift;
    if (index <= node.last) rte_prefetch0(slot_of(node, index));
  }

  uint32_t v4_root_ = kNoRoute;  // entries
  uint32_t v6_root_ = kNoRoute;
  std::unique_ptr<Node[], Free> cells_;  // nodes, with their entries in the cells behind them
  size_t cell_count_ = 0;
  size_t size_ = 0;
};

}  // namespace podswitch
