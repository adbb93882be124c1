// SPDX-License-Identifier: Apache-2.0
#include "ctl/notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>

namespace podswitch {
namespace {

// Stands where systemd stands: the datagram socket that NOTIFY_SOCKET names.
class Notify : public testing::Test {
 protected:
  Notify() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = "podswitch-notify-test-" + std::to_string(getpid());
    std::memcpy(address.sun_path + 1, name.data(), name.size());  // abstract: nothing to clean up
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
  }
  ~Notify() override {
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    close(fd_);
  }
  std::string receive(int flags = 0) {
    std::array<char, 256> text{};
    const ssize_t size = recv(fd_, text.data(), text.size(), flags);
    return size < 0 ? "" : std::string(text.data(), static_cast<size_t>(size));
  }

  int fd_ = -1;
};

TEST_F(Notify, ReadyAndStopping) {
  notify_ready();
  EXPECT_EQ(receive(), "READY=1");
  notify_stopping();
  EXPECT_EQ(receive(), "STOPPING=1");
}

TEST_F(Notify, TheWatchdogPingsOnlyWhileWorkersMakeProgress) {
  setenv("WATCHDOG_USEC", "4000", 1);
  std::atomic<bool> healthy{true};
  std::atomic<int> questions{0};
  Watchdog watchdog([&] {
    ++questions;
    return healthy.load();
  });
  ASSERT_TRUE(watchdog.enabled());
  EXPECT_EQ(receive(), "WATCHDOG=1");
  healthy = false;
  // The question after next was certainly answered with no.
  for (const int asked = questions; questions < asked + 2;) usleep(500);
  while (!receive(MSG_DONTWAIT).empty()) continue;
  for (const int asked = questions; questions < asked + 3;) usleep(500);
  EXPECT_EQ(receive(MSG_DONTWAIT), "");
  healthy = true;
  EXPECT_EQ(receive(), "WATCHDOG=1");
}

TEST_F(Notify, NoWatchdogUnlessSystemdWantsOne) {
  EXPECT_FALSE(Watchdog([] { return true; }).enabled());
}

}  // namespace
}  // namespace podswitch
