// SPDX-License-Identifier: Apache-2.0
// Copying out of one mbuf chain into fresh ones: what cutting a packet into several is made of. Called by the
// worker that owns the packets.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

namespace podswitch {

// Reads a chain from front to back.
class ChainReader {
 public:
  // Starts `offset` bytes into `packet`, which must outlive it.
  ChainReader(const rte_mbuf& packet, uint32_t offset) noexcept : segment_(&packet), offset_(offset) {}

  // False: the chain ended.
  bool read(char* to, uint32_t length) noexcept;

 private:
  const rte_mbuf* segment_;
  uint32_t offset_;
};

// Appends the next `size` bytes of `from` to `head`, a chain's first segment and so far its only one, in more
// buffers of `pool` when its own is full. False: the pool ran dry or has no room in its buffers, or `from`
// ended; `head` is then of no use any more.
[[nodiscard]] bool append_copy(rte_mbuf& head, rte_mempool& pool, ChainReader& from, uint32_t size) noexcept;

}  // namespace podswitch
