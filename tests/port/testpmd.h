// SPDX-License-Identifier: Apache-2.0
// A dpdk-testpmd with one virtual device: a real vhost-user or memif peer in its own process.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace podswitch {

class Testpmd {
 public:
  // `device`: as of --vdev. `options`: testpmd's own.
  Testpmd(const std::string& device, std::vector<std::string> options) {
    static int number = 0;
    std::vector<std::string> words{
        "dpdk-testpmd",
        "-l0,1",
        "--no-huge",
        "-m256",
        "--no-shconf",
        "--no-telemetry",
        "--no-pci",
        "--file-prefix=podswitch-peer-" + std::to_string(getpid()) + "-" + std::to_string(number++),
        "--vdev=" + device,
        "--",
        "--auto-start",
        "--total-num-mbufs=8192",
        "--no-lsc-interrupt"};
    words.insert(words.end(), options.begin(), options.end());
    int input[2] = {-1, -1};
    if (pipe2(input, O_CLOEXEC) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      std::vector<char*> argv;
      for (std::string& word : words) argv.push_back(word.data());
      argv.push_back(nullptr);
      dup2(input[0], STDIN_FILENO);
      if (const char* log = getenv("TESTPMD_LOG")) {
        const int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
      } else {
        const int null = open("/dev/null", O_WRONLY);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
      }
      execvp(argv[0], argv.data());
      _exit(127);
    }
    close(input[0]);
    input_ = input[1];
  }
  ~Testpmd() { kill9(); }
  Testpmd(const Testpmd&) = delete;
  Testpmd& operator=(const Testpmd&) = delete;

  void kill9() {
    if (input_ >= 0) close(input_);
    input_ = -1;
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  // testpmd exits properly when asked to, and stops its devices.
  void stop() {
    if (input_ < 0 || pid_ <= 0) return;
    if (write(input_, "\n", 1) != 1) return;
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  int input_ = -1;
};

}  // namespace podswitch
