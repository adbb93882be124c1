// SPDX-License-Identifier: Apache-2.0
#include "switch/lpm.h"

#include <algorithm>
#include <array>
#include <bit>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace podswitch {
namespace {

constexpr unsigned kWordBits = 64;
constexpr unsigned kMinWidth = 3;   // bits of a node's index: few steps also where routes are sparse
constexpr unsigned kMaxWidth = 16;  // Node::last
constexpr size_t kMaxSparse = 4;    // slots for each that holds routes

// A route as find() sees addresses. In order, a prefix comes before what it holds.
struct Key {
  std::array<uint64_t, 2> words;
  uint32_t length;  // 0..32 or 0..128
  const Route* route;
  friend bool operator==(const Key& a, const Key& b) { return a.words == b.words && a.length == b.length; }
  friend bool operator<(const Key& a, const Key& b) {
    return std::tie(a.words[0], a.words[1], a.length) < std::tie(b.words[0], b.words[1], b.length);
  }
};

using Keys = std::span<const Key>;

// How many leading bits two keys share, 0..128.
unsigned common_bits(const Key& a, const Key& b) {
  if (const uint64_t high = a.words[0] ^ b.words[0]; high != 0)
    return static_cast<unsigned>(std::countl_zero(high));
  return kWordBits + static_cast<unsigned>(std::countl_zero(a.words[1] ^ b.words[1]));
}

// The bits of `word` before `end`, counted from the first; 0 for none and 64 for all.
uint64_t leading(uint64_t word, unsigned end) {
  return end == 0 ? 0 : word & ~uint64_t{0} << (kWordBits - end);
}

bool is_prefix(const Key& key, unsigned bits) {
  const unsigned in_first = std::min(key.length, kWordBits);
  return key.length <= bits && leading(key.words[0], in_first) == key.words[0] &&
         leading(key.words[1], key.length - in_first) == key.words[1];
}

// Of a node for `keys` whose first `start` bits are the same and verified by it: as fine as the routes are
// dense, and no finer than splits them. `end` is that of the word.
unsigned width_of(Keys keys, unsigned start, unsigned end) {
  unsigned longest = 0;
  std::array<size_t, kMaxWidth> splits{};  // by bit behind `start`: neighbours that differ there first
  for (size_t i = 0; i < keys.size(); ++i) {
    longest = std::max(longest, keys[i].length);
    if (i + 1 == keys.size()) break;
    const unsigned bit = common_bits(keys[i], keys[i + 1]) - start;
    if (bit < kMaxWidth) ++splits[bit];
  }
  const unsigned limit = std::min(std::min(longest, end) - start, kMaxWidth);
  unsigned width = std::min(limit, kMinWidth);
  size_t used = 1;  // slots with routes, of 2^w
  size_t best = 1;
  for (unsigned w = 1; w <= limit; ++w) {
    used += splits[w - 1];
    if (w <= width) {
      best = used;
    } else if (used * kMaxSparse < size_t{1} << w) {
      break;
    } else if (used * 8 >= best * (8 + w - width)) {
      // Each bit more has to split an eighth of the slots, or it is left to the nodes below.
      width = w;
      best = used;
    }
  }
  return width;
}

}  // namespace

class LpmBuilder {
 public:
  uint32_t add(std::vector<Key> keys) {
    std::sort(keys.begin(), keys.end());
    if (const auto twice = std::adjacent_find(keys.begin(), keys.end()); twice != keys.end())
      throw std::invalid_argument(twice->route->prefix.to_string() + " is there twice");
    return entry_of(keys, 0, kNoRoute);
  }
  std::unique_ptr<const Lpm> take(uint32_t v4_root, uint32_t v6_root, size_t routes);

 private:
  using Node = Lpm::Node;
  static constexpr size_t kPerCell = sizeof(Node) / sizeof(uint32_t);
  static constexpr size_t kCellsPerLine = 64 / sizeof(Node);

  uint32_t entry_of(Keys keys, unsigned depth, uint32_t fallback);
  void fill(Keys keys, unsigned start, unsigned width, size_t slots);
  uint32_t place(Node node, size_t first_slot, size_t count);

  std::vector<Node> cells_;
  std::vector<uint32_t> slots_;  // of the nodes that are being made, a stack
};

// What stands for `keys`, which are sorted. The way to the entry verifies the first `depth` bits, which are
// the same in all; `fallback` is the value of the longest prefix before them.
uint32_t LpmBuilder::entry_of(Keys keys, unsigned depth, uint32_t fallback) {
  if (!keys.empty() && keys.front().length == depth) {
    fallback = keys.front().route->value;
    keys = keys.subspan(1);
  }
  if (keys.empty()) return fallback;
  const unsigned half = depth / kWordBits;
  const unsigned end = (half + 1) * kWordBits;
  // Who is shorter than what all share holds all, and is the first.
  const unsigned start = std::min({common_bits(keys.front(), keys.back()), keys.front().length, end});
  const unsigned width = width_of(keys, start, end);
  const size_t base = slots_.size();
  slots_.resize(base + (size_t{1} << width), fallback);
  fill(keys, start, width, base);

  const auto differs = [&](uint32_t entry) { return entry != fallback; };
  const auto first = std::find_if(slots_.begin() + static_cast<ptrdiff_t>(base), slots_.end(), differs);
  const auto last = std::find_if(slots_.rbegin(), std::make_reverse_iterator(first), differs).base();
  uint32_t entry = fallback;
  if (first != last) {
    const auto skipped = static_cast<uint64_t>(first - slots_.begin()) - base;
    const unsigned shift = end - start - width;
    const Node node{.first = leading(keys.front().words[half], start - half * kWordBits) + (skipped << shift),
                    .fallback = fallback,
                    .last = static_cast<uint16_t>(last - first - 1),
                    .shift = static_cast<uint8_t>(shift)};
    const uint32_t at = place(node, base + skipped, static_cast<size_t>(last - first));
    entry = at | (half == 0 ? Lpm::kHighNode : Lpm::kLowNode);
  }
  slots_.resize(base);
  return entry;
}

// Longer prefixes come after those that hold them, so that each overwrites what is less specific.
void LpmBuilder::fill(Keys keys, unsigned start, unsigned width, size_t slots) {
  const unsigned bottom = start + width;
  const auto slot_of = [&](const Key& key) -> size_t {
    if (width == 0) return 0;
    const unsigned half = start / kWordBits;
    return (key.words[half] << (start % kWordBits)) >> (kWordBits - width);
  };
  for (size_t i = 0; i < keys.size();) {
    const size_t slot = slot_of(keys[i]);
    if (keys[i].length <= bottom) {
      std::fill_n(slots_.begin() + static_cast<ptrdiff_t>(slots + slot),
                  size_t{1} << (bottom - keys[i].length), keys[i].route->value);
      ++i;
      continue;
    }
    size_t next = i + 1;
    while (next < keys.size() && slot_of(keys[next]) == slot) ++next;
    const uint32_t entry = entry_of(keys.subspan(i, next - i), bottom, slots_[slots + slot]);
    slots_[slots + slot] = entry;
    i = next;
  }
}

// A node that fits a cache line does not lie in two.
uint32_t LpmBuilder::place(Node node, size_t first_slot, size_t count) {
  const size_t cells = 1 + (count + kPerCell - 1) / kPerCell;
  const size_t used = cells_.size() % kCellsPerLine;
  if (cells <= kCellsPerLine && used + cells > kCellsPerLine)
    cells_.resize(cells_.size() + kCellsPerLine - used);
  const size_t at = cells_.size();
  if (at >= Lpm::kPlaceMask) throw std::length_error("too many routes");
  cells_.resize(at + cells);
  cells_[at] = node;
  std::memcpy(reinterpret_cast<std::byte*>(&cells_[at + 1]), &slots_[first_slot], count * sizeof(uint32_t));
  return static_cast<uint32_t>(at);
}

std::unique_ptr<const Lpm> LpmBuilder::take(uint32_t v4_root, uint32_t v6_root, size_t routes) {
  std::unique_ptr<Lpm> lpm(new Lpm);
  lpm->v4_root_ = v4_root;
  lpm->v6_root_ = v6_root;
  lpm->cell_count_ = cells_.size();
  lpm->size_ = routes;
  if (cells_.empty()) return lpm;
  const size_t bytes = cells_.size() * sizeof(Node);
  lpm->cells_.reset(static_cast<Node*>(::operator new (bytes, std::align_val_t{64})));
  std::memcpy(static_cast<void*>(lpm->cells_.get()), cells_.data(), bytes);
  return lpm;
}

std::unique_ptr<const Lpm> Lpm::build(std::span<const Route> routes) {
  std::vector<Key> v4, v6;
  for (const Route& route : routes) {
    const Prefix& prefix = route.prefix;
    const bool is_v4 = prefix.is_v4();
    const Key key{is_v4 ? std::array{word_of(prefix.address.v4()), uint64_t{0}}
                        : std::array{word_of(prefix.address.v6, 0), word_of(prefix.address.v6, 8)},
                  prefix.length, &route};
    if (!is_prefix(key, is_v4 ? 32 : 128)) throw std::invalid_argument(prefix.to_string() + " is no prefix");
    if (route.value >= kValueLimit)
      throw std::invalid_argument(prefix.to_string() + ": the value is too large");
    (is_v4 ? v4 : v6).push_back(key);
  }
  LpmBuilder builder;
  const uint32_t v4_root = builder.add(std::move(v4));
  const uint32_t v6_root = builder.add(std::move(v6));
  return builder.take(v4_root, v6_root, routes.size());
}

}  // namespace podswitch
