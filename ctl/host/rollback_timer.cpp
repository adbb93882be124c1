// SPDX-License-Identifier: Apache-2.0
#include "ctl/host/rollback_timer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <vector>

#include "pmd/error.h"
#include "pmd/netns.h"

namespace podswitch {
namespace {

std::string own_program() {
  std::array<char, PATH_MAX> path{};
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
  check_errno(static_cast<int>(size), "/proc/self/exe");
  return {path.data(), static_cast<size_t>(size)};
}

[[noreturn]] void become(const std::vector<std::string>& words) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  ::_exit(127);
}

// Neither the terminal's nor the caller's signals and streams.
void leave_session() {
  ::setsid();
  for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGPIPE}) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = ::open("/dev/null", O_RDWR);
  for (const int stream : {0, 1, 2}) ::dup2(null, stream);
  if (::chdir("/") != 0) ::_exit(126);
}

// The exit code; `detached`: in a session of its own, and not waited for.
int run(const std::vector<std::string>& words, bool detached) {
  const pid_t child = check_errno(::fork(), "fork");
  if (child == 0) {
    if (!detached) become(words);
    leave_session();
    const pid_t grandchild = ::fork();
    if (grandchild == 0) become(words);
    ::_exit(grandchild < 0 ? 125 : 0);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// systemd starts its services in its own network namespace.
bool systemd_is_here() {
  return ::sd_booted() > 0 && namespace_id("/proc/1/ns/net") == namespace_id("/proc/self/ns/net");
}

std::string unit_of(const std::string& id) {
  return "podswitch-uplink-" + id;
}

}  // namespace

void start_rollback_timer(const std::string& id, const std::string& directory, uint32_t seconds) {
  std::vector<std::string> rollback{own_program(),       "uplink", "rollback", "--attachment", id,
                                    "--state-directory", directory};
  if (systemd_is_here()) {
    std::vector<std::string> words{"systemd-run",
                                   "--quiet",
                                   "--collect",
                                   "--unit=" + unit_of(id),
                                   fmt::format("--on-active={}", seconds),
                                   "--timer-property=AccuracySec=100ms",
                                   "--"};
    words.insert(words.end(), rollback.begin(), rollback.end());
    if (run(words, false) == 0) return;
  }
  rollback.insert(rollback.end(), {"--after", fmt::format("{}", seconds)});
  if (run(rollback, true) != 0) throw Error("", "the process that would roll back cannot be started");
}

void stop_rollback_timer(const std::string& id) {
  if (systemd_is_here()) run({"systemctl", "--quiet", "stop", unit_of(id) + ".timer"}, false);
}

}  // namespace podswitch
