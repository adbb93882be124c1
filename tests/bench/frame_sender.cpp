// SPDX-License-Identifier: Apache-2.0
// Sends a trial's frames (generator/trial.h) into an interface of the kernel, one direction, as fast as one
// CPU does: all are made before, and sent past the queueing discipline. Run inside the interface's namespace:
// bench-frame-sender IFNAME '{"flows": 1000, "seconds": 1}'; prints one JSON line.
#include <net/if.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/bench/generator/stream.h"

namespace podswitch::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned kBatch = 64;  // frames of a system call
constexpr uint32_t kMostFlows = 1'000'000;

int check(int rc, const char* what) {
  if (rc < 0) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
  return rc;
}

int open_interface(const char* name) {
  const int fd = check(socket(AF_PACKET, SOCK_RAW, 0), "socket");
  const int on = 1;
  check(setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on), "PACKET_QDISC_BYPASS");
  sockaddr_ll at{};
  at.sll_family = AF_PACKET;
  at.sll_ifindex = static_cast<int>(if_nametoindex(name));
  if (at.sll_ifindex == 0) throw std::runtime_error(std::string("no interface ") + name);
  check(bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at), "bind");
  return fd;
}

// Each flow's frame, again and again the same.
class Frames {
 public:
  explicit Frames(const Trial& trial) {
    const Stream stream(trial, 0, 1, 1);
    Cursor cursor;
    bytes_ = stream.wire_bytes(cursor);
    stride_ = std::max<size_t>(bytes_, kLargestBlock);
    memory_.resize(stride_ * trial.flows);
    for (uint32_t flow = 0; flow < trial.flows; ++flow, stream.advance(cursor)) {
      uint8_t* frame = memory_.data() + flow * stride_;
      std::memcpy(frame, payload().data(), bytes_);
      with_protocol(trial.protocol, [&]<Protocol kProtocol>() { stream.write<kProtocol>(frame, cursor, 0); });
      parts_.push_back({frame, bytes_});
    }
    // Whole batches, whatever the number of flows.
    for (size_t i = 0; parts_.size() % kBatch != 0; ++i) parts_.push_back(parts_[i]);
    for (iovec& part : parts_) {
      mmsghdr& message = messages_.emplace_back();
      message.msg_hdr.msg_iov = &part;
      message.msg_hdr.msg_iovlen = 1;
    }
  }
  Frames(const Frames&) = delete;
  Frames& operator=(const Frames&) = delete;

  // How many the interface took of the next batch.
  unsigned send(int fd) {
    const int sent = sendmmsg(fd, messages_.data() + next_, kBatch, 0);
    next_ = (next_ + kBatch) % messages_.size();
    if (sent < 0 && errno != ENOBUFS && errno != EAGAIN) check(sent, "sendmmsg");
    return sent < 0 ? 0 : static_cast<unsigned>(sent);
  }

 private:
  size_t bytes_ = 0, stride_ = 0, next_ = 0;
  std::vector<uint8_t> memory_;
  std::vector<iovec> parts_;
  std::vector<mmsghdr> messages_;
};

int run(const char* interface, const char* text) {
  const Trial trial = read_trial(nlohmann::json::parse(text));
  if (trial.flows > kMostFlows || trial.frame == 0 || trial.rate != 0 || trial.pattern != Pattern::OneWay)
    throw std::invalid_argument("up to 1000000 flows of one size, one way, as fast as it goes");
  Frames frames(trial);
  const int fd = open_interface(interface);
  const auto start = Clock::now();
  const auto end =
      start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(trial.seconds));
  uint64_t sent = 0;
  while (Clock::now() < end) sent += frames.send(fd);
  const std::chrono::duration<double> seconds = Clock::now() - start;
  close(fd);
  std::puts(nlohmann::json{{"sent", sent}, {"seconds", seconds.count()}}.dump().c_str());
  return 0;
}

}  // namespace
}  // namespace podswitch::bench

int main(int argc, char** argv) {
  try {
    if (argc != 3) throw std::invalid_argument("usage: bench-frame-sender IFNAME TRIAL");
    return podswitch::bench::run(argv[1], argv[2]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench-frame-sender: %s\n", error.what());
    return 1;
  }
}
