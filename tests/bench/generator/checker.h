// SPDX-License-Identifier: Apache-2.0
// Whether a frame that arrived is the one that was sent. One thread.
#pragma once

#include <rte_mbuf.h>

#include <vector>

#include "tests/bench/generator/stream.h"

namespace podswitch::bench {

enum class Verdict : uint8_t {
  Good,          // every byte is as it was sent: addresses, checksums, payload
  Corrupt,       // it has the stream's MACs, but something else is wrong
  Unexpected,    // it has not, or is of another trial
  Announcement,  // a station of the generator speaks
};

class Checker {
 public:
  // `echoed`: the frames come back, turned round.
  Checker(const Stream& stream, bool echoed);

  // Null if the frame cannot be one of the stream. Looks at nothing but size and stamp.
  const Stamp* stamp_of(const rte_mbuf& packet) const noexcept;
  Verdict verify(const rte_mbuf& packet) const noexcept;
  // False if this or a later frame of the same flow was asked for before.
  bool is_next(const Stamp& stamp) noexcept;

 private:
  template <Protocol kProtocol>
  bool is_as_sent(const rte_mbuf& packet, const Stamp& stamp) const noexcept;

  template <Protocol kProtocol>
  bool translate(uint8_t* sent, const rte_mbuf& packet, const Cursor& cursor) const noexcept;

  const Stream& stream_;
  const bool echoed_;
  uint32_t stamp_at_;
  std::vector<uint32_t> next_sequence_;  // by flow
};

}  // namespace podswitch::bench
