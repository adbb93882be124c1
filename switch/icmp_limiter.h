// SPDX-License-Identifier: Apache-2.0
// How many ICMP errors a router may send: token buckets (RFC 1812 section 4.3.2.8, RFC 4443 section 2.4 (f)),
// one for all and one for each destination, so that one chatty sender leaves the others theirs. Destinations
// are told apart by a secret hash over a fixed number of slots. Owned by one worker, no lock or allocation.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "switch/net/address.h"
#include "switch/net/keyed_hash.h"

namespace podswitch {

class IcmpLimiter {
 public:
  // Errors per second, and how many may go at once. 0: none at all.
  struct Options {
    uint32_t rate = 1000;  // both as Linux has them (icmp_msgs_per_sec, icmp_msgs_burst)
    uint32_t burst = 50;
    uint32_t destination_rate = 100;
    uint32_t destination_burst = 10;
  };

  // `ticks_per_second`: of the clock that `now` is read from, a TSC or any that ticks at least `rate` times
  // a second.
  IcmpLimiter(const Options& options, uint64_t ticks_per_second)
      : total_(options.rate, options.burst, ticks_per_second),
        destination_(options.destination_rate, options.destination_burst, ticks_per_second) {}

  // Whether an error may go to `destination` now; if so, it is accounted for. `now` does not run backwards.
  [[nodiscard]] bool allow(const IpAddress& destination, uint64_t now) noexcept {
    uint64_t& slot = slots_[slot_of(destination)];
    if (!destination_.has_token(slot, now) || !total_.has_token(total_due_, now)) return false;
    destination_.take(slot, now);
    total_.take(total_due_, now);
    return true;
  }

  static constexpr size_t kSlots = 256;
  size_t slot_of(const IpAddress& destination) const noexcept {
    std::array<uint64_t, 2> words;
    static_assert(sizeof words == sizeof destination);
    std::memcpy(words.data(), &destination, sizeof words);
    return hash_(words[0], words[1]) % kSlots;
  }

 private:
  // A token bucket in one word (the virtual scheduling algorithm of ITU-T I.371): when the bucket will be
  // full again. It is full at 0.
  class Rate {
   public:
    Rate(uint32_t rate, uint32_t burst, uint64_t ticks_per_second)
        : interval_(rate == 0 || burst == 0 ? 0 : std::max<uint64_t>(ticks_per_second / rate, 1)),
          tolerance_(interval_ * (std::max(burst, 1u) - 1)) {}
    bool has_token(uint64_t due, uint64_t now) const noexcept {
      return interval_ != 0 && std::max(due, now) - now <= tolerance_;
    }
    void take(uint64_t& due, uint64_t now) const noexcept { due = std::max(due, now) + interval_; }

   private:
    uint64_t interval_;  // ticks from token to token; 0: there is none
    uint64_t tolerance_;
  };

  Rate total_;
  Rate destination_;
  KeyedHash hash_ = KeyedHash::random();
  uint64_t total_due_ = 0;
  std::array<uint64_t, kSlots> slots_{};
};

}  // namespace podswitch
