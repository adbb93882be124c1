// SPDX-License-Identifier: Apache-2.0
// Mbuf chains as the kernel's scatter lists, shared by tap and af-packet. A queue keeps enough spare
// buffers for the largest TSO frame and hands all of them to each read, so that no frame is ever peeked at
// or copied twice; a small frame takes only the first. Owned by the one worker that polls the queue.
#pragma once

#include <rte_mbuf.h>
#include <sys/uio.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <span>

#include "pmd/vnet_hdr.h"

namespace podswitch {

// For 64 KiB of IP packet, its Ethernet header and tags, in buffers of 2,048 bytes, and one byte more, so
// that a frame which fills them all is known to be cut off.
inline constexpr uint32_t kBuffersPerFdQueue = 34;

class FrameBuffers {
 public:
  FrameBuffers();
  ~FrameBuffers();
  FrameBuffers(const FrameBuffers&) = delete;
  FrameBuffers& operator=(const FrameBuffers&) = delete;

  // False: the pool ran dry; try again later.
  bool replenish(rte_mempool& pool) noexcept { return missing_ == 0 || allocate_missing(pool); }
  // The header, then the buffers.
  std::span<iovec> iov() noexcept { return iov_; }
  // The frame that `bytes_read`, header included, have become; nullptr when it is no frame, does not fit or
  // its header is wrong.
  rte_mbuf* take(size_t bytes_read) noexcept;

  // Did the last burst end because the kernel had no more? (Not for want of buffers, or over bad frames.)
  bool is_drained() const noexcept { return is_drained_; }
  void set_drained(bool drained) noexcept { is_drained_ = drained; }

 private:
  bool allocate_missing(rte_mempool& pool) noexcept;

  VnetHeader header_{};
  bool is_drained_ = true;
  uint32_t missing_ = kBuffersPerFdQueue;  // the first so many slots are empty
  uint32_t capacity_ = 0;                  // bytes in all buffers
  std::array<rte_mbuf*, kBuffersPerFdQueue> buffers_{};
  std::array<iovec, 1 + kBuffersPerFdQueue> iov_{};
};

// `read(iov)` returns what readv() would. `finish(packet)` may change the packet; false skips it uncounted.
template <typename Read, typename Finish>
uint16_t receive_frames(FrameBuffers& buffers, rte_mempool& pool, rte_mbuf** packets, uint16_t max,
                        std::atomic<uint64_t>& errors, Read&& read, Finish&& finish) noexcept {
  uint16_t count = 0;
  buffers.set_drained(false);
  for (uint16_t attempts = 0; attempts < max; ++attempts) {
    if (!buffers.replenish(pool)) break;
    const ssize_t bytes = read(buffers.iov());
    // EINVAL: the kernel could not put this frame's offloads into words, and has dropped it.
    if (bytes < 0 && errno != EINVAL) {
      buffers.set_drained(true);
      break;
    }
    rte_mbuf* packet = bytes < 0 ? nullptr : buffers.take(static_cast<size_t>(bytes));
    if (packet == nullptr)
      errors.fetch_add(1, std::memory_order_relaxed);
    else if (finish(*packet))
      packets[count++] = packet;
    else
      rte_pktmbuf_free(packet);
  }
  return count;
}

// The header and every segment; 0 when there are more segments than the kernel takes.
using SendIov = std::array<iovec, IOV_MAX>;
inline size_t fill_send_iov(VnetHeader& header, const rte_mbuf& packet, SendIov& iov) noexcept {
  if (packet.nb_segs >= iov.size()) return 0;
  iov[0] = {&header, sizeof header};
  size_t count = 1;
  for (const rte_mbuf* segment = &packet; segment != nullptr; segment = segment->next)
    iov[count++] = {rte_pktmbuf_mtod(segment, void*), segment->data_len};
  return count;
}

// `write(iov, count)` returns what writev() would. Stops when the queue is full; any other error costs the
// packet and is counted.
template <typename Write>
uint16_t send_frames(rte_mbuf** packets, uint16_t count, std::atomic<uint64_t>& errors,
                     Write&& write) noexcept {
  SendIov iov;
  uint16_t sent = 0;
  for (; sent < count; ++sent) {
    VnetHeader header = make_vnet_header(*packets[sent]);
    const size_t parts = fill_send_iov(header, *packets[sent], iov);
    const ssize_t rc = parts == 0 ? -1 : write(iov.data(), parts);
    if (parts != 0 && rc < 0 && errno == EAGAIN) break;
    if (rc < 0) errors.fetch_add(1, std::memory_order_relaxed);
  }
  rte_pktmbuf_free_bulk(packets, sent);
  return sent;
}

}  // namespace podswitch
