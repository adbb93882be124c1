// SPDX-License-Identifier: Apache-2.0
#include "ctl/server.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <thread>

#include "ctl/session.h"
#include "pmd/error.h"
#include "pmd/log.h"

namespace podswitch {
namespace {

Caller caller_of(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  check_errno(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size), "SO_PEERCRED");
  return {credentials.uid, credentials.pid};
}

constexpr uint64_t kStopId = 0;
constexpr uint64_t kSocketId = 1;
constexpr uint64_t kFirstSessionId = 2;

void watch_fd(int epoll, int operation, int fd, uint64_t id, unsigned events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  check_errno(epoll_ctl(epoll, operation, fd, &event), "epoll_ctl");
}

}  // namespace

ControlServer::ControlServer(ControlSocket& socket, RequestHandler& handler, ServerLimits limits)
    : socket_(socket),
      handler_(handler),
      limits_(limits),
      budget_{0, limits.transaction_bytes, limits.transaction_objects},
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      stop_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      next_id_(kFirstSessionId) {
  check_errno(epoll_.get(), "epoll_create1");
  check_errno(stop_.get(), "eventfd");
  watch_fd(epoll_.get(), EPOLL_CTL_ADD, stop_.get(), kStopId, EPOLLIN);
  watch_fd(epoll_.get(), EPOLL_CTL_ADD, socket_.fd(), kSocketId, EPOLLIN);
}

ControlServer::~ControlServer() = default;

void ControlServer::stop() noexcept {
  const uint64_t one = 1;
  // Fails only when a stop is pending already.
  [[maybe_unused]] const ssize_t written = write(stop_.get(), &one, sizeof one);
}

void ControlServer::run() {
  using Clock = std::chrono::steady_clock;
  constexpr int kTickMilliseconds = 1000;
  std::array<epoll_event, 32> events;
  auto next_tick = Clock::now();
  while (true) {
    const int count =
        epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), kTickMilliseconds);
    if (count < 0 && errno != EINTR) check_errno(count, "epoll_wait");
    if (Clock::now() >= next_tick) {
      handler_.tick();
      next_tick = Clock::now() + std::chrono::milliseconds(kTickMilliseconds);
    }
    for (int i = 0; i < count; ++i) {
      const uint64_t id = events[i].data.u64;
      if (id == kStopId) return;
      if (id == kSocketId)
        accept_clients();
      else
        serve(id, events[i].events);
    }
  }
}

void ControlServer::accept_clients() {
  while (true) {
    FileDescriptor fd(accept4(socket_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) {
      // The connection stays pending, so give up an old one for it.
      const bool is_short = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;
      if (is_short) make_room();
      return;
    }
    if (sessions_.size() >= limits_.clients) make_room();
    try {
      const int number = fd.get();
      const Caller caller = caller_of(number);
      auto session =
          std::make_unique<Session>(std::move(fd), handler_, caller, budget_, limits_.output_bytes);
      session->last_turn = ++turn_;
      if (!session->send_waiting()) continue;
      watch_fd(epoll_.get(), EPOLL_CTL_ADD, number, next_id_, EPOLLIN);
      sessions_[next_id_++] = std::move(session);
    } catch (const std::exception& error) {
      log::warning("control socket: a client was not let in: {}", error.what());
    }
  }
}

// The one that has been silent longest goes, so that silent clients cannot lock the others out.
void ControlServer::make_room() {
  const auto silent = std::min_element(sessions_.begin(), sessions_.end(), [](const auto& a, const auto& b) {
    return a.second->last_turn < b.second->last_turn;
  });
  if (silent == sessions_.end()) {
    // Nothing to give up: come back when descriptors or memory may have been freed elsewhere.
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return;
  }
  log::warning("control socket: {} clients; the one silent for longest is dropped", sessions_.size());
  sessions_.erase(silent);
}

void ControlServer::serve(SessionId id, unsigned events) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;  // dropped by an earlier event of this round
  Session& session = *found->second;
  session.last_turn = ++turn_;
  bool keep = true;
  if ((events & EPOLLOUT) != 0) keep = session.send_waiting();
  if (keep && session.can_work()) keep = session.work();
  if (keep && session.wants_input() && (events & EPOLLIN) != 0) keep = session.receive();
  if ((events & (EPOLLERR | EPOLLHUP)) != 0 && (events & EPOLLIN) == 0) keep = false;
  if (keep)
    watch(id, session);
  else
    sessions_.erase(found);
}

void ControlServer::watch(SessionId id, Session& session) {
  const unsigned events =
      (session.wants_input() ? EPOLLIN : 0U) | (session.wants_output() || session.can_work() ? EPOLLOUT : 0U);
  watch_fd(epoll_.get(), EPOLL_CTL_MOD, session.fd(), id, events);
}

}  // namespace podswitch
