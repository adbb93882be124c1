// SPDX-License-Identifier: Apache-2.0
// A hash of 64-bit words over secret numbers: who chooses the words cannot choose which slots of a table
// meet. A plain value, any thread; only random() is for set-up, it may enter the kernel and throw.
#pragma once

#include <cstdint>
#include <random>

namespace podswitch {

class KeyedHash {
 public:
  static KeyedHash random() {
    std::random_device device;
    const auto word = [&] { return uint64_t{device()} << 32 | device(); };
    KeyedHash hash;
    hash.seed_ = word();
    hash.factor_ = word() | 1;
    return hash;
  }

  // As a table that outlives the process was hashed.
  static KeyedHash of(uint64_t seed, uint64_t factor) {
    KeyedHash hash;
    hash.seed_ = seed;
    hash.factor_ = factor | 1;
    return hash;
  }
  uint64_t seed() const noexcept { return seed_; }
  uint64_t factor() const noexcept { return factor_; }

  // Any bits of the result are good.
  template <typename... Word>
  uint64_t operator()(Word... words) const noexcept {
    uint64_t hash = seed_;
    ((hash = fold(hash ^ words)), ...);
    return fold(hash ^ sizeof...(words));
  }

 private:
  // Both halves of the product: in the lower one alone a word's top bit would stay where it is, whatever the
  // factor, and could be taken back with the next word.
  uint64_t fold(uint64_t value) const noexcept {
    const auto product = static_cast<unsigned __int128>(value) * factor_;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }

  uint64_t seed_ = 0;
  uint64_t factor_ = 1;
};

}  // namespace podswitch
