// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/generator/sockets.h"

#include <dlfcn.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>

namespace podswitch::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kPatience{30};

std::map<std::string, int>& handed_over() {
  static std::map<std::string, int> connections;
  return connections;
}

[[noreturn]] void fail(const std::string& path, const char* what) {
  throw std::runtime_error(path + ": " + what + ": " + std::strerror(errno));
}

class Listener {
 public:
  explicit Listener(const std::string& path)
      : path_(path), socket_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) throw std::runtime_error(path + ": too long");
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    unlink(path.c_str());
    if (bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(socket_, 1) != 0)
      fail(path, "cannot listen");
  }
  // The file stays: virtio-user takes only paths that are sockets.
  ~Listener() { close(socket_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int accept_until(Clock::time_point end) const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    pollfd poll_for{socket_, POLLIN, 0};
    if (poll(&poll_for, 1, static_cast<int>(std::max<long>(left, 0))) != 1)
      throw std::runtime_error(path_ + ": the switch did not connect");
    const int connection = accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) fail(path_, "accept");
    return connection;
  }

 private:
  std::string path_;
  int socket_;
};

}  // namespace

std::vector<int> accept_all(const std::vector<std::string>& paths) {
  std::vector<std::unique_ptr<Listener>> listeners;
  for (const std::string& path : paths) listeners.push_back(std::make_unique<Listener>(path));
  std::vector<int> connections;
  const auto end = Clock::now() + kPatience;
  for (const auto& listener : listeners) connections.push_back(listener->accept_until(end));
  return connections;
}

void hand_over(const std::string& path, int connection) {
  handed_over()[path] = connection;
}

}  // namespace podswitch::bench

// Instead of libc's, also for libraries (the program exports it): DPDK's virtio-user cannot be given a
// connection, only a path.
extern "C" int connect(int fd, const sockaddr* address, socklen_t length) {
  if (address->sa_family == AF_UNIX) {
    auto& connections = podswitch::bench::handed_over();
    const auto found = connections.find(reinterpret_cast<const sockaddr_un*>(address)->sun_path);
    if (found != connections.end()) {
      const int connected = dup2(found->second, fd);
      close(found->second);
      connections.erase(found);
      return connected < 0 ? -1 : 0;
    }
  }
  using Connect = int(int, const sockaddr*, socklen_t);
  return reinterpret_cast<Connect*>(dlsym(RTLD_NEXT, "connect"))(fd, address, length);
}
