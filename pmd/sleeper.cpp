// SPDX-License-Identifier: Apache-2.0
#include "pmd/sleeper.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "pmd/error.h"

namespace podswitch {
namespace {

// A port without a wake-up fd (memif, a NIC without interrupts) is looked at this often: 2 % of a core.
constexpr timespec kBlindSleep{0, 500'000};

}  // namespace

Sleeper::Sleeper()
    : epoll_fd_(check_errno(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      event_fd_(check_errno(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = event_fd_;
  check_errno(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, event_fd_, &event), "epoll_ctl");
}

Sleeper::~Sleeper() {
  close(epoll_fd_);
  close(event_fd_);
}

void Sleeper::watch(size_t slot, const WakeSource& source) noexcept {
  WakeSource& old = watched_[slot];
  if (old.fd == source.fd && old.generation == source.generation) return;
  // A closed fd has left the set by itself, unless its peer still holds the same open file: then it only
  // wakes needlessly. Its number may be somebody else's by now, so that an error here is no surprise.
  const bool used_elsewhere = std::count_if(watched_.begin(), watched_.end(),
                                            [&](const WakeSource& w) { return w.fd == old.fd; }) > 1;
  if (old.fd >= 0 && !used_elsewhere) epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, old.fd, nullptr);
  old = source;
  if (source.fd < 0) return;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;  // nobody reads a kick's counter
  event.data.fd = source.fd;
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, source.fd, &event) != 0)
    epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, source.fd, &event);
}

void Sleeper::arm(const WorkerView& view, uint64_t revision) noexcept {
  if (watched_revision_ != revision) {
    for (const WakeSource& source : watched_)
      if (source.fd >= 0) epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, source.fd, nullptr);
    watched_.assign(view.queues.size(), WakeSource{});
    watched_revision_ = revision;
  }
  must_poll_ = false;
  for (size_t i = 0; i < view.queues.size(); ++i) {
    const RxQueue& rx = view.queues[i];
    const WakeSource source = rx.port->wake_source(rx.queue);
    watch(i, source);
    rx.port->set_wakeup(rx.queue, true);
    must_poll_ |= source.fd < 0 && !source.is_silent && (source.is_polled_while_down || rx.port->is_up());
  }
}

void Sleeper::sleep() noexcept {
  std::array<epoll_event, 16> events;
  asleep_.store(true, std::memory_order_relaxed);
  int count =
      epoll_pwait2(epoll_fd_, events.data(), events.size(), must_poll_ ? &kBlindSleep : nullptr, nullptr);
  // Kernels before 5.11 and strict seccomp filters know only milliseconds.
  if (count < 0 && (errno == ENOSYS || errno == EPERM))
    count = epoll_wait(epoll_fd_, events.data(), events.size(), must_poll_ ? 1 : -1);
  asleep_.store(false, std::memory_order_relaxed);
  for (int i = 0; i < count; ++i)
    if (events[i].data.fd == event_fd_) {
      uint64_t value;
      [[maybe_unused]] const auto n = read(event_fd_, &value, sizeof value);
    }
}

void Sleeper::disarm(const WorkerView& view) noexcept {
  for (const RxQueue& rx : view.queues) rx.port->set_wakeup(rx.queue, false);
}

void Sleeper::wake() noexcept {
  const uint64_t one = 1;
  [[maybe_unused]] const auto n = write(event_fd_, &one, sizeof one);
}

}  // namespace podswitch
