// SPDX-License-Identifier: Apache-2.0
// A vhost-user front end that does what no driver would: it writes messages and descriptors by hand. Linux
// vhost-user protocol, docs/interop/vhost-user.rst of QEMU. Any one thread.
#pragma once

#define VIRTIO_RING_NO_LEGACY  // the rest is no C++
#include <linux/virtio_ring.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

namespace podswitch {

class RawFrontEnd {
 public:
  static constexpr uint32_t kGetFeatures = 1, kSetFeatures = 2, kSetOwner = 3, kSetMemTable = 5,
                            kSetVringNum = 8, kSetVringAddr = 9, kSetVringBase = 10, kSetVringKick = 12,
                            kSetVringCall = 13, kSendRarp = 19;
  static constexpr uint32_t kVersion = 1, kNeedReply = 8;

  // Connects to a switch that listens.
  explicit RawFrontEnd(const std::string& path)
      : RawFrontEnd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("connect " + path + ": " + std::strerror(errno));
  }
  // On a connection, which it owns from then on.
  explicit RawFrontEnd(int connection) : socket_(connection) {}
  ~RawFrontEnd() {
    close(socket_);
    if (memory_ != nullptr) munmap(memory_, memory_bytes_);
  }
  RawFrontEnd(const RawFrontEnd&) = delete;
  RawFrontEnd& operator=(const RawFrontEnd&) = delete;

  // False when the socket takes no more now.
  bool send_value(uint32_t request, uint32_t flags, uint64_t value) {
    const Header header{request, kVersion | flags, sizeof value};
    char bytes[sizeof header + sizeof value];
    std::memcpy(bytes, &header, sizeof header);
    std::memcpy(bytes + sizeof header, &value, sizeof value);
    return ::send(socket_, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof bytes;
  }
  // A header that announces a payload which never comes.
  void send_half_a_message() {
    const Header header{kSendRarp, kVersion, 8};
    [[maybe_unused]] const auto n = ::send(socket_, &header, sizeof header, MSG_NOSIGNAL);
  }

  // One queue pair of 128 descriptors, split rings, in memory of its own: at least 1 MiB.
  void start_driver(uint64_t memory_bytes = 64 << 20) {
    const int fd = allocate(memory_bytes);
    send(kSetOwner, "", 0);
    const uint64_t features = 1ULL << 32;  // VIRTIO_F_VERSION_1
    send(kSetFeatures, &features, sizeof features);
    base_ = reinterpret_cast<uint64_t>(memory_);
    share(fd);
    for (const uint32_t ring : {0U, 1U}) start_ring(ring);
  }
  // The same contents in other memory, `further_bytes` more, while the driver runs.
  void move_memory(uint64_t further_bytes) {
    char* const old = memory_;
    const uint64_t old_bytes = memory_bytes_;
    const int fd = allocate(old_bytes + further_bytes);
    std::memcpy(memory_, old, 2 << 20);  // rings and frames
    munmap(old, old_bytes);
    share(fd);
  }
  // Offers one frame made of `count` descriptors, each the same `bytes` of memory, on the transmit ring.
  void transmit(uint16_t count, uint32_t bytes) {
    auto* descriptors = reinterpret_cast<vring_desc*>(memory_ + kRingBytes);
    auto* available = reinterpret_cast<vring_avail*>(memory_ + kRingBytes + kAvailableOffset);
    for (uint16_t i = 0; i < count; ++i)
      descriptors[i] = {1 << 20, bytes, static_cast<uint16_t>(i + 1 < count ? VRING_DESC_F_NEXT : 0),
                        static_cast<uint16_t>(i + 1)};
    available->ring[available->idx % kRingSize] = 0;
    std::atomic_thread_fence(std::memory_order_seq_cst);
    available->idx = static_cast<uint16_t>(available->idx + 1);
  }

 private:
  static constexpr uint64_t kRingBytes = 65536, kAvailableOffset = 8192, kUsedOffset = 16384;
  static constexpr uint32_t kRingSize = 128;
  static constexpr int kPatienceMs = 10'000;

  struct Header {
    uint32_t request, flags, size;
  };

  int allocate(uint64_t bytes) {
    const int fd = memfd_create("guest", MFD_CLOEXEC);
    if (ftruncate(fd, static_cast<off_t>(bytes)) != 0) throw std::runtime_error("ftruncate");
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("mmap");
    memory_ = static_cast<char*>(memory);
    memory_bytes_ = bytes;
    return fd;
  }
  void share(int fd) {
    const struct {
      uint32_t regions, padding;
      uint64_t guest, size, user, offset;
    } table{1, 0, 0, memory_bytes_, base_, 0};
    send(kSetMemTable, &table, sizeof table, fd);
    close(fd);
  }

  void start_ring(uint32_t ring) {
    const struct { uint32_t index, value; } size{ring, kRingSize}, first{ring, 0};
    send(kSetVringNum, &size, sizeof size);
    send(kSetVringBase, &first, sizeof first);
    const uint64_t start = base_ + ring * kRingBytes;
    const struct {
      uint32_t index, flags;
      uint64_t descriptors, used, available, log;
    } address{ring, 0, start, start + kUsedOffset, start + kAvailableOffset, 0};
    send(kSetVringAddr, &address, sizeof address);
    for (const uint32_t request : {kSetVringCall, kSetVringKick}) {
      const uint64_t index = ring;
      const int event = eventfd(0, EFD_CLOEXEC);
      send(request, &index, sizeof index, event);
      close(event);
    }
  }

  void send(uint32_t request, const void* payload, uint32_t size, int fd = -1) {
    const Header header{request, kVersion, size};
    char bytes[sizeof header + 256];
    std::memcpy(bytes, &header, sizeof header);
    std::memcpy(bytes + sizeof header, payload, size);
    iovec vector{bytes, sizeof header + size};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
    if (fd >= 0) {
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr* head = CMSG_FIRSTHDR(&message);
      head->cmsg_level = SOL_SOCKET;
      head->cmsg_type = SCM_RIGHTS;
      head->cmsg_len = CMSG_LEN(sizeof fd);
      std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
    }
    if (sendmsg(socket_, &message, MSG_NOSIGNAL) < 0) throw std::runtime_error("sendmsg");
    wait_until_read();
  }

  // librte_vhost reads descriptors that came with a message only if the messages come one by one. An answer
  // to a question behind the message says that it was read.
  void wait_until_read() {
    const Header question{kGetFeatures, kVersion, 0};
    char answer[sizeof question + sizeof(uint64_t)];
    // Polled, as a switch in the same process may have made the socket non-blocking.
    pollfd readable{socket_, POLLIN, 0};
    if (::send(socket_, &question, sizeof question, MSG_NOSIGNAL) != sizeof question ||
        poll(&readable, 1, kPatienceMs) != 1 || recv(socket_, answer, sizeof answer, 0) != sizeof answer)
      throw std::runtime_error("the back end hung up");
  }

  int socket_;
  char* memory_ = nullptr;
  uint64_t memory_bytes_ = 0;
  uint64_t base_ = 0;  // its address as the back end is told
};

}  // namespace podswitch
