// SPDX-License-Identifier: Apache-2.0
// What it costs to wake the switch from a quiet second. Sends a frame into one tap and waits for it at the
// other; half a period later the same with a bare thread that waits on an eventfd and answers on a second
// one. Both are two wake-ups across two CPUs. Run inside the taps' namespace; prints one JSON line.
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "switch/net/headers.h"

namespace podswitch {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint16_t kProbeType = 0x88b5;  // IEEE 802 local experimental

int check(int rc, const char* what) {
  if (rc < 0) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
  return rc;
}

void pin(unsigned cpu) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(cpu, &cpus);
  if (pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus) != 0) throw std::runtime_error("cannot pin");
}

int packet_socket(const char* interface) {
  const int fd = check(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, be16_t(kProbeType).raw()), "packet socket");
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = be16_t(kProbeType).raw();
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
  check(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), interface);
  const int ignore = 1;
  check(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &ignore, sizeof ignore), "PACKET_IGNORE_OUTGOING");
  return fd;
}

struct Frame {
  net::EtherHeader ether;
  uint32_t number;
  std::array<uint8_t, 42> padding;
};

class SwitchLoop {
 public:
  SwitchLoop(const char* from, const char* to) : from_(packet_socket(from)), to_(packet_socket(to)) {}
  // Microseconds from send to receipt; negative: lost.
  double once() {
    Frame frame{};
    frame.ether = {*MacAddress::parse("02:00:00:00:00:02"), *MacAddress::parse("02:00:00:00:00:01"),
                   be16_t(kProbeType)};
    frame.number = ++number_;
    const auto start = Clock::now();
    check(static_cast<int>(send(from_, &frame, sizeof frame, 0)), "send");
    pollfd readable{to_, POLLIN, 0};
    while (poll(&readable, 1, 1000) == 1) {
      Frame got{};
      if (recv(to_, &got, sizeof got, 0) >= static_cast<ssize_t>(sizeof got) && got.number == number_)
        return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
    }
    return -1;
  }

 private:
  int from_, to_;
  uint32_t number_ = 0;
};

// A thread that does nothing but wait in epoll, as the worker does, and answer.
class EventLoop {
 public:
  explicit EventLoop(unsigned cpu)
      : there_(check(eventfd(0, EFD_CLOEXEC), "eventfd")), back_(check(eventfd(0, EFD_CLOEXEC), "eventfd")) {
    std::thread([this, cpu] { serve(cpu); }).detach();
  }
  double once() {
    uint64_t value = 1;
    const auto start = Clock::now();
    check(static_cast<int>(write(there_, &value, sizeof value)), "write");
    pollfd readable{back_, POLLIN, 0};
    poll(&readable, 1, -1);
    check(static_cast<int>(read(back_, &value, sizeof value)), "read");
    return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
  }

 private:
  void serve(unsigned cpu) {
    pin(cpu);
    const int epoll = check(epoll_create1(EPOLL_CLOEXEC), "epoll");
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    check(epoll_ctl(epoll, EPOLL_CTL_ADD, there_, &event), "epoll_ctl");
    const uint64_t one = 1;
    while (epoll_wait(epoll, &event, 1, -1) >= 0)
      check(static_cast<int>(write(back_, &one, sizeof one)), "write");
  }
  int there_, back_;
};

double percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<size_t>(share * static_cast<double>(values.size())))];
}

void print(const char* name, const std::vector<double>& values) {
  std::printf("\"%s\":{\"count\":%zu,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"max\":%.1f}", name,
              values.size(), percentile(values, 0.5), percentile(values, 0.9), percentile(values, 0.99),
              percentile(values, 1));
}

void run(char** argv) {
  const int count = std::atoi(argv[3]);
  const auto quiet = std::chrono::milliseconds(std::atoi(argv[4]));
  EventLoop bare(static_cast<unsigned>(std::atoi(argv[6])));
  pin(static_cast<unsigned>(std::atoi(argv[5])));
  SwitchLoop through(argv[1], argv[2]);
  std::vector<double> switched, plain;
  int lost = 0;
  for (int i = 0; i < count; ++i) {
    std::this_thread::sleep_for(quiet / 2);
    const double us = through.once();
    if (us < 0)
      ++lost;
    else
      switched.push_back(us);
    std::this_thread::sleep_for(quiet / 2);
    plain.push_back(bare.once());
  }
  if (switched.empty()) throw std::runtime_error("no frame came through");
  std::printf("{");
  print("switch_us", switched);
  std::printf(",");
  print("eventfd_us", plain);
  std::printf(",\"lost\":%d,\"p99_difference_us\":%.1f}\n", lost,
              percentile(switched, 0.99) - percentile(plain, 0.99));
  std::fflush(stdout);
  std::_Exit(0);  // the bare thread never ends
}

}  // namespace
}  // namespace podswitch

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fprintf(stderr, "usage: %s FROM-INTERFACE TO-INTERFACE COUNT QUIET-MS OWN-CPU SWITCH-CPU\n",
                 argv[0]);
    return 2;
  }
  try {
    podswitch::run(argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "wakeup-probe: %s\n", error.what());
    return 1;
  }
}
